"""Decide: state and a command in, events out.

Pure: equal states and equal commands give equal events. A command that is decided again, on the
state that its events led to, changes nothing: it is refused, or leads to no events. The exceptions
are StartReplica without a session, StopReplica and RecordRepair, which are recorded each time, and
RenewCertificates and a repeated attempt's RedeemToken, since certificates are signed for each.
"""

from collections.abc import Callable
from typing import Any

from nc.domain import (
    administrators,
    assignments,
    departures,
    invitations,
    leadership,
    levels,
    links,
    litekube_import,
    nodes,
    redeeming,
    replica_addresses,
    replicas,
    tokens,
    updates,
)
from nc.domain.bindings import Reclaim
from nc.domain.events import Event
from nc.domain.reclaiming import reclaim_for
from nc.domain.state import State

Command = (
    tokens.IssueToken
    | tokens.RedeemToken
    | tokens.RevokeToken
    | tokens.ForgetExpiredTokens
    | nodes.Unregister
    | nodes.ForgetUnregistered
    | nodes.TakeBackNode
    | nodes.SetExpiries
    | nodes.ExpireNodes
    | departures.UnregisterNodes
    | departures.UnregisterNodesOfToken
    | updates.UpdateNode
    | updates.ReportFacts
    | updates.RenewCertificates
    | assignments.AssignAddress
    | links.AcceptLink
    | links.HandOverAddress
    | links.DropLink
    | administrators.AddAdministrator
    | administrators.InstallAdministrator
    | administrators.RevokeAdministrator
    | litekube_import.ImportLitekube
    | replicas.StartReplica
    | replicas.StopReplica
    | replicas.DropSome
    | replicas.RecordRepair
    | replicas.RecordDigest
    | invitations.InviteReplica
    | invitations.RedeemInvitation
    | invitations.EndInvitation
    | invitations.ForgetInvitations
    | invitations.RemoveReplica
    | leadership.StandForElection
    | leadership.LoseReplica
    | leadership.DropUnowned
    | replica_addresses.BindReplicaAddress
)


def _live(state: State, command: links.AcceptLink | links.HandOverAddress) -> Callable[[], Reclaim]:
    """Check that the node's token is good; what may be reclaimed for the node, once it is asked."""
    node_id, now_ms = command.node_id, command.now_ms
    if isinstance(command, links.AcceptLink) and command.session:
        leadership.require_going_on(state.sessions, command.session)
    node = nodes.require_live(state.nodes, state.unregistered, node_id, now_ms)
    return lambda: reclaim_for(node, state.addresses.network, now_ms, command.reclaim_after_ms)


def _start(state: State, command: replicas.StartReplica) -> list[Event]:
    invitations.require_not_removed(state.membership, command.replica_id)
    return replicas.decide_start(
        state.links, state.sessions, state.key_check, state.authorities, command
    )


# How each kind of command is decided.
DECISIONS: dict[type, Callable[[State, Any], list[Event]]] = {
    tokens.IssueToken: lambda s, c: tokens.decide_issue(s.tokens, c),
    tokens.RedeemToken: lambda s, c: redeeming.decide_redeem(
        s.tokens, s.nodes, s.unregistered, s.names, c
    ),
    tokens.RevokeToken: lambda s, c: tokens.decide_revoke(s.tokens, c),
    tokens.ForgetExpiredTokens: lambda s, c: tokens.decide_forget(s.tokens, c),
    nodes.Unregister: lambda s, c: nodes.decide_unregister(
        s.nodes, s.unregistered, s.links, s.addresses, c
    ),
    nodes.ForgetUnregistered: lambda s, c: nodes.decide_forget(s.unregistered, c),
    nodes.TakeBackNode: lambda s, c: nodes.decide_take_back(s.nodes, s.names, s.unregistered, c),
    nodes.SetExpiries: lambda s, c: nodes.decide_set_expiries(s.nodes, s.links, c),
    nodes.ExpireNodes: lambda s, c: nodes.decide_expire(s.nodes, s.links, c),
    departures.UnregisterNodes: lambda s, c: departures.decide_unregister_nodes(
        s.nodes, s.unregistered, s.links, s.addresses, c
    ),
    departures.UnregisterNodesOfToken: lambda s, c: departures.decide_unregister_of_token(
        s.tokens, s.nodes, s.links, s.addresses, c
    ),
    updates.UpdateNode: lambda s, c: updates.decide_update(s.nodes, s.names, s.unregistered, c),
    updates.ReportFacts: lambda s, c: updates.decide_report(s.nodes, s.unregistered, s.links, c),
    updates.RenewCertificates: lambda s, c: updates.decide_renew(
        s.nodes, s.names, s.unregistered, c
    ),
    assignments.AssignAddress: lambda s, c: assignments.decide_assign(
        s.nodes, s.unregistered, s.links, s.addresses, c
    ),
    links.AcceptLink: lambda s, c: links.decide_accept(s.links, s.addresses, _live(s, c), c),
    links.HandOverAddress: lambda s, c: links.decide_hand_over(
        s.links, s.addresses, _live(s, c), c
    ),
    links.DropLink: lambda s, c: links.decide_drop(s.links, c),
    administrators.AddAdministrator: lambda s, c: administrators.decide_add(s.administrators, c),
    administrators.InstallAdministrator: lambda s, c: administrators.decide_install(
        s.administrators, c
    ),
    administrators.RevokeAdministrator: lambda s, c: administrators.decide_revoke(
        s.administrators, c
    ),
    litekube_import.ImportLitekube: lambda s, c: litekube_import.decide_import(
        s.imported, s.tokens, s.nodes, s.names, s.unregistered, s.addresses, c
    ),
    replicas.StartReplica: _start,
    replicas.StopReplica: lambda s, c: replicas.decide_stop(s.links, c),
    replicas.DropSome: lambda s, c: replicas.decide_drop_some(decide(s, c.of), c.most),
    replicas.RecordRepair: lambda _, c: replicas.decide_record_repair(c),
    replicas.RecordDigest: lambda s, c: replicas.decide_digest(s.digest_seq, c),
    invitations.InviteReplica: lambda s, c: invitations.decide_invite(s.membership, c),
    invitations.RedeemInvitation: lambda s, c: invitations.decide_redeem(
        s.membership, s.sessions, c
    ),
    invitations.EndInvitation: lambda s, c: invitations.decide_end(s.membership, c),
    invitations.ForgetInvitations: lambda s, c: invitations.decide_forget(s.membership, c),
    invitations.RemoveReplica: lambda s, c: invitations.decide_remove(s.membership, s.sessions, c),
    leadership.StandForElection: lambda s, c: leadership.decide_election(s.leader, s.seq, c),
    leadership.LoseReplica: lambda s, c: leadership.decide_loss(s.leader, s.sessions, c),
    leadership.DropUnowned: lambda s, c: leadership.decide_drop_unowned(s.links, s.sessions, c),
    replica_addresses.BindReplicaAddress: lambda s, c: replica_addresses.decide_bind(
        s.addresses, s.sessions, c
    ),
}


def decide(state: State, command: Command) -> list[Event]:
    """The events that the command leads to; none if nothing changes.

    Raises:
        DomainError: the command is refused.
    """
    events = DECISIONS[type(command)](state, command)
    levels.require_known(events, state.sessions, state.membership)
    return events
