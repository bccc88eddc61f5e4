"""What is remembered of replicas that have started: those that run, and the last that do not."""

from typing import Final, NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.domain.events import ReplicaStarted
from nc.domain.replicas import Sessions

# How many replicas are known that do not run: where host names are made at random, each start has
# another one.
MOST_STOPPED: Final = 100


class KnownReplica(NamedTuple):
    version: str
    started_at_ms: int  # its last start; 0: not known
    level: int = 0  # which kinds of events it knows (`nc.domain.levels`); 0: not said
    ended_at_ms: int = 0  # when its last session ended; 0: it has not, or that is not known
    is_lost: bool = False  # it ended without a stop


KnownReplicas: TypeAlias = "HashTrieMap[str, KnownReplica]"  # by their ids


def evolve_started(
    known: KnownReplicas, sessions: Sessions, at_ms: int, event: ReplicaStarted
) -> KnownReplicas:
    known = known.insert(event.replica_id, KnownReplica(event.version, at_ms, event.level))
    running = set(sessions.values())
    stopped = [
        (each.started_at_ms, replica_id)
        for replica_id, each in known.items()
        if replica_id not in running and replica_id != event.replica_id
    ]
    for _, replica_id in sorted(stopped)[: max(0, len(stopped) - MOST_STOPPED)]:
        known = known.remove(replica_id)
    return known


def evolve_ended(
    known: KnownReplicas, replica_id: str, at_ms: int, *, is_lost: bool
) -> KnownReplicas:
    replica = known.get(replica_id)
    if replica is None:
        return known
    return known.insert(replica_id, replica._replace(ended_at_ms=at_ms, is_lost=is_lost))
