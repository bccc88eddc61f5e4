"""Decide: state and a command in, events out.

Pure: equal states and equal commands give equal events. A command that is decided again, on the
state that its events led to, changes nothing: it is refused, or leads to no events. The exceptions
are StartReplica, StopReplica and RecordRepair, which are recorded each time.
"""

from nc.domain import links, nodes, repairs, replicas, tokens
from nc.domain.events import Event
from nc.domain.state import State

Command = (
    tokens.IssueToken
    | tokens.RedeemToken
    | tokens.ForgetExpiredTokens
    | nodes.Unregister
    | nodes.ForgetUnregistered
    | nodes.TakeBackNode
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
            return nodes.decide_unregister(
                state.nodes, state.unregistered, state.links, state.addresses, command
            )
        case nodes.ForgetUnregistered():
            return nodes.decide_forget(state.unregistered, command)
        case nodes.TakeBackNode():
            return nodes.decide_take_back(state.nodes, state.unregistered, command)
        case nodes.SetExpiries():
            return nodes.decide_set_expiries(state.nodes, state.links, command)
        case nodes.ExpireNodes():
            return nodes.decide_expire(state.nodes, state.links, command)
        case links.AcceptLink():
            _require_live(state, command)
            return links.decide_accept(state.links, state.addresses, command)
        case links.HandOverAddress():
            _require_live(state, command)
            return links.decide_hand_over(state.links, state.addresses, command)
        case links.DropLink():
            return links.decide_drop(state.links, command)
        case replicas.StartReplica():
            return replicas.decide_start(
                state.links, state.sessions, state.key_check, state.authorities, command
            )
        case replicas.StopReplica():
            return replicas.decide_stop(state.links, command)
        case repairs.RecordRepair():
            return repairs.decide_record_repair(command)
        case replicas.RecordDigest():
            return replicas.decide_digest(state.digest_seq, command)


def _require_live(state: State, command: links.AcceptLink | links.HandOverAddress) -> None:
    nodes.require_live(state.nodes, state.unregistered, command.node_id, command.now_ms)
