"""A replica's own life: it starts, and it stops.

A start without a stop before it follows a crash. Both leave every node idle: no link outlives the
process that held it.
"""

from dataclasses import dataclass

from nc.domain.events import Event, ReplicaStarted, ReplicaStopped, pb
from nc.domain.presence import Presence, drop_all


@dataclass(frozen=True, slots=True)
class StartReplica:
    """This replica begins to serve."""

    replica_id: str
    version: str
    network_address: str  # `10.1.1.1/24`


@dataclass(frozen=True, slots=True)
class StopReplica:
    """This replica stops cleanly."""

    replica_id: str


def decide_start(presence: Presence, command: StartReplica) -> list[Event]:
    """Say so, and that the links which the log shows are gone."""
    started = ReplicaStarted(
        replica_id=command.replica_id,
        version=command.version,
        network_address=command.network_address,
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
