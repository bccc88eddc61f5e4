"""Commands of a follower's own, as messages and back, and why the leader refused one."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from nc.domain import administrators, links, replica_errors, replicas, updates
from nc.domain import errors as domain
from nc.domain.decide import Command
from nc.domain.errors import DomainError
from nc.domain.profile import Facts
from nc.pb.replica.v1 import replication_pb2 as pb
from nc.replica import errors as replica
from nc.replica.batch import Origin
from nc.replica.leases import Granted
from nc.replica.peers import Peer
from nc.replica.waiting import WaitingNode
from nc.rpc.api import Target

# What a follower asks its leader for.
FORWARDED: Final = (
    *(links.AcceptLink, links.HandOverAddress, links.DropLink, updates.ReportFacts),
    *(replicas.StartReplica, replicas.StopReplica, administrators.AddAdministrator),
)

_REFUSALS: Final[dict[str, type[Exception]]] = {
    name: kind
    for module in (domain, replica, replica_errors)
    for name, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Exception)
}


def change_of(command: Command, origin: Origin) -> pb.Change:
    """The message of one of `FORWARDED`."""
    change = pb.Change(actor=origin.actor, method=origin.method, request_id=origin.request_id)
    match command:
        case links.AcceptLink():
            change.accept_link.CopyFrom(
                pb.AcceptLink(
                    node_id=command.node_id,
                    link_id=command.link_id,
                    now_ms=command.now_ms,
                    session=command.session,
                    reclaim_after_ms=command.reclaim_after_ms,
                )
            )
        case links.HandOverAddress():
            change.hand_over_address.CopyFrom(
                pb.HandOverAddress(
                    node_id=command.node_id,
                    link_id=command.link_id,
                    now_ms=command.now_ms,
                    wanted=command.wanted,
                    avoided=sorted(command.avoided),
                    reclaim_after_ms=command.reclaim_after_ms,
                )
            )
        case links.DropLink(node_id, link_id, reason):
            change.drop_link.CopyFrom(pb.DropLink(node_id=node_id, link_id=link_id, reason=reason))
        case updates.ReportFacts(node_id, link_id, facts):
            told = pb.ReportFacts(node_id=node_id, link_id=link_id, facts=facts.message())
            change.report_facts.CopyFrom(told)
        case replicas.StartReplica():
            change.start_replica.CopyFrom(_start_message(command))
        case replicas.StopReplica(replica_id, session):
            change.stop_replica.CopyFrom(pb.StopReplica(replica_id=replica_id, session=session))
        case administrators.AddAdministrator(name, role, certificate):
            change.add_administrator.CopyFrom(
                pb.AddAdministrator(name=name, role=role, certificate=certificate)
            )
        case _:
            raise replica.NotLeading
    return change


def _start_message(command: replicas.StartReplica) -> pb.StartReplica:
    return pb.StartReplica(
        replica_id=command.replica_id,
        version=command.version,
        network_address=command.network_address,
        key_check=command.key_check,
        grpc_authority=command.authorities.grpc,
        network_authority=command.authorities.network,
        session=command.session,
        level=command.level,
    )


def command_of(change: pb.Change) -> Command:
    """The command of a message.

    Raises:
        LeaderTooOld: a newer version sent it.
    """
    kind = change.WhichOneof("command")
    if kind is None:
        raise replica.LeaderTooOld
    return _COMMANDS[kind](getattr(change, kind))


def _facts(said: Any) -> Facts:
    return Facts(*(getattr(said, name) for name in Facts._fields))


_COMMANDS: Final[dict[str, Callable[[Any], Command]]] = {
    "accept_link": lambda m: links.AcceptLink(
        m.node_id, m.link_id, m.now_ms, m.session, m.reclaim_after_ms
    ),
    "hand_over_address": lambda m: links.HandOverAddress(
        *(m.node_id, m.link_id, m.now_ms),
        *(m.wanted, frozenset(m.avoided), m.reclaim_after_ms),
    ),
    "drop_link": lambda m: links.DropLink(m.node_id, m.link_id, m.reason),
    "report_facts": lambda m: updates.ReportFacts(m.node_id, m.link_id, _facts(m.facts)),
    "start_replica": lambda m: replicas.StartReplica(
        *(m.replica_id, m.version, m.network_address, m.key_check),
        replicas.AuthorityKeys(m.grpc_authority, m.network_authority),
        m.session,
        level=m.level,
    ),
    "stop_replica": lambda m: replicas.StopReplica(m.replica_id, m.session),
    "add_administrator": lambda m: administrators.AddAdministrator(m.name, m.role, m.certificate),
}


def target_message(target: Target) -> pb.Target:
    if isinstance(target, int):
        return pb.Target(count=target)
    node_id, name = target
    return pb.Target(node_id=node_id, name=name)


def target_of(message: pb.Target) -> Target:
    return (message.node_id, message.name) if message.node_id else message.count


def waiting_message(node_id: str, node: WaitingNode) -> pb.WaitingNode:
    return pb.WaitingNode(
        node_id=node_id,
        certificate=node.certificate,
        address=node.address,
        key_sha256=node.key_sha256,
        hostname=node.hostname,
        peer=node.peer,
        asked_at_ms=node.asked_at_ms,
    )


def waiting_of(message: pb.WaitingNode) -> WaitingNode:
    return WaitingNode(
        message.certificate,
        message.address,
        message.key_sha256,
        message.hostname,
        message.peer,
        message.asked_at_ms,
    )


def peer_message(peer: Peer, session: str = "") -> pb.Peer:
    return pb.Peer(
        session=session,
        host=peer.host,
        link_port=peer.port,
        bootstrap_port=peer.bootstrap_port,
    )


def peer_of(message: pb.Peer) -> Peer:
    return Peer(message.host, message.link_port, message.bootstrap_port)


def granted_of(message: pb.FromLeader) -> Granted:
    said = message.granted_ns, message.acknowledged_seq, message.waits_for
    return Granted(message.epoch, *said, frozenset(message.hands_over))


def refusal_of(error: Exception) -> pb.Refusal:
    return pb.Refusal(kind=type(error).__name__, message=str(error))


def error_of(refusal: pb.Refusal) -> Exception:
    """The error that the leader refused with: its class and text, without its facts."""
    kind = _REFUSALS.get(refusal.kind, DomainError)
    error = kind.__new__(kind)
    Exception.__init__(error, refusal.message)
    return error
