"""The replica aggregate: a replica starts, records digests of its state, and stops.

A start without a stop before it follows a crash. Both drop every link: no link outlives the process
that held it.
"""

from dataclasses import dataclass
from typing import NamedTuple

from nc.domain.errors import AuthorityOfAnotherLog, KeyOfAnotherLog
from nc.domain.events import DigestRecorded, Event, ReplicaStarted, ReplicaStopped, pb
from nc.domain.links import Links, drop_all


class AuthorityKeys(NamedTuple):
    """The hashes of the keys of both CAs; "" of one that is not known."""

    grpc: str = ""
    network: str = ""


NO_AUTHORITIES = AuthorityKeys()


def evolve_authorities(before: AuthorityKeys, event: ReplicaStarted) -> AuthorityKeys:
    return AuthorityKeys(
        event.grpc_authority or before.grpc, event.network_authority or before.network
    )


@dataclass(frozen=True, slots=True)
class StartReplica:
    replica_id: str
    version: str
    network_address: str  # `10.1.1.1/24`
    key_check: str = ""  # of the key that this replica makes token ids with; "": it makes none
    authorities: AuthorityKeys = NO_AUTHORITIES  # that it signs certificates with


@dataclass(frozen=True, slots=True)
class StopReplica:
    replica_id: str


@dataclass(frozen=True, slots=True)
class RecordDigest:
    """Record the digest of the state after one event; later versions have to reproduce it."""

    seq: int
    digest: str  # hex


def decide_start(
    links: Links, key_check: str, authorities: AuthorityKeys, command: StartReplica
) -> list[Event]:
    """Record ReplicaStarted, then drop the links that the log still has.

    Raises:
        KeyOfAnotherLog: the log's token ids were made with another key.
        AuthorityOfAnotherLog: the log's certificates were signed with another CA key.
    """
    if key_check and command.key_check not in ("", key_check):
        raise KeyOfAnotherLog
    for name, known, given in zip(
        AuthorityKeys._fields, authorities, command.authorities, strict=True
    ):
        if known and given not in ("", known):
            raise AuthorityOfAnotherLog(name)
    started = ReplicaStarted(
        replica_id=command.replica_id,
        version=command.version,
        network_address=command.network_address,
        key_check=command.key_check,
        grpc_authority=command.authorities.grpc,
        network_authority=command.authorities.network,
    )
    return [
        Event(replica_started=started),
        *drop_all(links, pb.STATE_CHANGE_REASON_REPLICA_RESTARTED),
    ]


def decide_stop(links: Links, command: StopReplica) -> list[Event]:
    """Drop every link, then record ReplicaStopped."""
    stopped = ReplicaStopped(replica_id=command.replica_id)
    return [
        *drop_all(links, pb.STATE_CHANGE_REASON_REPLICA_STOPPED),
        Event(replica_stopped=stopped),
    ]


def decide_digest(digest_seq: int, command: RecordDigest) -> list[Event]:
    """Record the digest, unless any replica has recorded one of this event or a later one."""
    if command.seq <= digest_seq:
        return []
    recorded = DigestRecorded(seq=command.seq, digest=command.digest)
    return [Event(digest_recorded=recorded)]
