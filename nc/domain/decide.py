"""The one door to every decision: state and a command in, events out.

Pure: equal states and equal commands give equal events. A command that was carried out and is
decided once more, on the state that its events led to, changes nothing: it is refused, or leads to
no events. Three are recorded each time: that a replica starts, that it stops, and that the log was
repaired.
"""

from nc.domain import links, nodes, repairs, replicas, tokens
from nc.domain.events import Event
from nc.domain.state import State

Command = (
    tokens.IssueToken
    | tokens.RedeemToken
    | tokens.ForgetExpiredTokens
    | nodes.Unregister
    | nodes.SetExpiries
    | nodes.ExpireNodes
    | links.AcceptLink
    | links.HandOverAddress
    | links.DropLink
    | replicas.StartReplica
    | replicas.StopReplica
    | repairs.RecordRepair
    | replicas.RecordDigest
)


def decide(state: State, command: Command) -> list[Event]:  # noqa: C901, PLR0911, PLR0912 - a table
    """The events that the command leads to; none if nothing changes.

    Raises:
        DomainError: the command is refused.
    """
    match command:
        case tokens.IssueToken():
            return tokens.decide_issue(state.tokens, command)
        case tokens.RedeemToken():
            return tokens.decide_redeem(state.tokens, state.nodes, command)
        case tokens.ForgetExpiredTokens():
            return tokens.decide_forget(state.tokens, command)
        case nodes.Unregister():
            return nodes.decide_unregister(state.nodes, state.presence, state.addresses, command)
        case nodes.SetExpiries():
            return nodes.decide_set_expiries(state.nodes, state.presence, command)
        case nodes.ExpireNodes():
            return nodes.decide_expire(state.nodes, state.presence, command)
        case links.AcceptLink():
            return links.decide_accept(state.nodes, state.presence, state.addresses, command)
        case links.HandOverAddress():
            return links.decide_hand_over(state.nodes, state.presence, state.addresses, command)
        case links.DropLink():
            return links.decide_drop(state.presence, command)
        case replicas.StartReplica():
            return replicas.decide_start(state.presence, state.key_check, command)
        case replicas.StopReplica():
            return replicas.decide_stop(state.presence, command)
        case repairs.RecordRepair():
            return repairs.decide_record_repair(command)
        case replicas.RecordDigest():
            return replicas.decide_digest(state.digest_seq, command)
