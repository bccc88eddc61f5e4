"""The replica aggregate: a replica starts, records digests of its state, and stops.

Each life of a replica's process is a session, under a random id, and every link has one as its
owner. A session ends with a stop, or, after a crash, with the next start of the same replica, or of
one that has the log to itself. Its links are dropped then, and no others: no link outlives the
process that held it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.domain.errors import AuthorityOfAnotherLog, KeyOfAnotherLog
from nc.domain.events import DigestRecorded, Event, LogRepaired, ReplicaStarted, ReplicaStopped, pb
from nc.domain.interning import shared_id
from nc.domain.levels import LEVEL
from nc.domain.links import Links, drop_owned
from nc.domain.nodes import ExpireNodes

Sessions: TypeAlias = "HashTrieMap[str, str]"  # those that have not ended → their replica's id

# The kinds of the events that begin or end sessions.
SESSION_EVENTS: Final = frozenset(
    {"replica_started", "replica_stopped", "replica_lost", "replica_removed"}
)


class AuthorityKeys(NamedTuple):
    """The hashes of the keys of both CAs; "" of one that is not known."""

    grpc: str = ""
    network: str = ""


NO_AUTHORITIES = AuthorityKeys()


def evolve_authorities(before: AuthorityKeys, event: ReplicaStarted) -> AuthorityKeys:
    return AuthorityKeys(
        event.grpc_authority or before.grpc, event.network_authority or before.network
    )


def evolve_sessions_started(sessions: Sessions, event: ReplicaStarted) -> Sessions:
    for session in ended_by(sessions.items(), event):
        sessions = sessions.remove(session)
    if not event.session:
        return sessions
    return sessions.insert(shared_id(event.session), event.replica_id)


def ended_by(sessions: Iterable[tuple[str, str]], event: ReplicaStarted) -> list[str]:
    """Those of the sessions, each with its replica's id, that a start shows to have ended."""
    is_alone = event.is_alone or not event.session
    return [session for session, owner in sessions if is_alone or owner == event.replica_id]


@dataclass(frozen=True, slots=True)
class StartReplica:
    replica_id: str
    version: str
    network_address: str  # `10.1.1.1/24`
    key_check: str = ""  # of the key that this replica makes token ids with; "": it makes none
    authorities: AuthorityKeys = NO_AUTHORITIES  # that it signs certificates with
    session: str = ""
    is_alone: bool = False  # no other replica has the log
    level: int = LEVEL  # which kinds of events it knows


@dataclass(frozen=True, slots=True)
class StopReplica:
    replica_id: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class DropSome:
    """Drop some of the links that another command would, while they are more than `most`.

    Whoever repeats it until there is no event can carry the other one out in a small record.
    """

    of: StartReplica | StopReplica | ExpireNodes
    most: int


@dataclass(frozen=True, slots=True)
class RecordDigest:
    """Record the digest of the state after one event; later versions have to reproduce it."""

    seq: int
    digest: str  # hex


def decide_start(
    links: Links,
    sessions: Sessions,
    key_check: str,
    authorities: AuthorityKeys,
    command: StartReplica,
) -> list[Event]:
    """Record ReplicaStarted, then drop the links of the sessions that have ended.

    A session begins once: who is not sure that it has asks again, and its links are not dropped.

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
    if command.session and sessions.get(command.session) == command.replica_id:
        return []
    started = ReplicaStarted(
        replica_id=command.replica_id,
        version=command.version,
        network_address=command.network_address,
        key_check=command.key_check,
        grpc_authority=command.authorities.grpc,
        network_authority=command.authorities.network,
        session=command.session,
        is_alone=command.is_alone,
        level=command.level,
    )
    ended = ended_by(sessions.items(), started)
    going_on = {session for session, _ in sessions.items()}.difference(ended)
    return [
        Event(replica_started=started),
        *drop_owned(
            links,
            lambda session: session not in going_on,
            pb.STATE_CHANGE_REASON_REPLICA_RESTARTED,
        ),
    ]


def decide_stop(links: Links, command: StopReplica) -> list[Event]:
    """Drop the session's links, then record ReplicaStopped."""
    stopped = ReplicaStopped(replica_id=command.replica_id, session=command.session)
    reason = pb.STATE_CHANGE_REASON_REPLICA_STOPPED
    return [
        *drop_owned(links, lambda session: session == command.session, reason),
        Event(replica_stopped=stopped),
    ]


def decide_drop_some(events: Iterable[Event], most: int) -> list[Event]:
    """So many of the links' ends among the events of the other command, if there are more."""
    dropped = [event for event in events if event.HasField("state_changed")]
    return dropped[:most] if len(dropped) > most else []


def decide_digest(digest_seq: int, command: RecordDigest) -> list[Event]:
    """Record the digest, unless any replica has recorded one of this event or a later one."""
    if command.seq <= digest_seq:
        return []
    recorded = DigestRecorded(seq=command.seq, digest=command.digest)
    return [Event(digest_recorded=recorded)]


@dataclass(frozen=True, slots=True)
class RecordRepair:
    """The log was repaired just now; the event becomes the first one after the cut."""

    lost_through_seq: int  # the highest sequence number known to be lost; 0: none is
    damage: str  # what was found, and where
    kept_in: str  # the folder beside the segments that has the originals


def decide_record_repair(command: RecordRepair) -> list[Event]:
    repaired = LogRepaired(
        lost_through_seq=command.lost_through_seq, damage=command.damage, kept_in=command.kept_in
    )
    return [Event(log_repaired=repaired)]
