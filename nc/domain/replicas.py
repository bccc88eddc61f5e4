"""A replica's own life: it starts, it records now and then what its state amounts to, it stops.

A start without a stop before it follows a crash. Both leave every node idle: no link outlives the
process that held it.
"""

from dataclasses import dataclass

from nc.domain.errors import KeyOfAnotherLog
from nc.domain.events import DigestRecorded, Event, ReplicaStarted, ReplicaStopped, pb
from nc.domain.presence import Presence, drop_all


@dataclass(frozen=True, slots=True)
class StartReplica:
    """This replica begins to serve."""

    replica_id: str
    version: str
    network_address: str  # `10.1.1.1/24`
    key_check: str = ""  # of the key that this replica makes token ids with; "": it makes none


@dataclass(frozen=True, slots=True)
class StopReplica:
    """This replica stops cleanly."""

    replica_id: str


@dataclass(frozen=True, slots=True)
class RecordDigest:
    """Record what the log amounted to after one of its events, for later versions to be held to."""

    seq: int
    digest: str  # hex


def decide_start(presence: Presence, key_check: str, command: StartReplica) -> list[Event]:
    """Say so, and that the links which the log shows are gone.

    Raises:
        KeyOfAnotherLog: the log's token ids were made with another key.
    """
    if key_check and command.key_check not in ("", key_check):
        raise KeyOfAnotherLog
    started = ReplicaStarted(
        replica_id=command.replica_id,
        version=command.version,
        network_address=command.network_address,
        key_check=command.key_check,
    )
    return [
        Event(replica_started=started),
        *drop_all(presence, pb.STATE_CHANGE_REASON_REPLICA_RESTARTED),
    ]


def decide_stop(presence: Presence, command: StopReplica) -> list[Event]:
    """Close the books."""
    stopped = ReplicaStopped(replica_id=command.replica_id)
    return [
        *drop_all(presence, pb.STATE_CHANGE_REASON_REPLICA_STOPPED),
        Event(replica_stopped=stopped),
    ]


def decide_digest(digest_seq: int, command: RecordDigest) -> list[Event]:
    """Record it, unless that was done for this event or a later one, by whichever replica."""
    if command.seq <= digest_seq:
        return []
    recorded = DigestRecorded(seq=command.seq, digest=command.digest)
    return [Event(digest_recorded=recorded)]
