"""Levels: which kinds of events a version of this program knows.

A version that adds kinds has the next level. Each session says its own when it begins, and a kind
is written only while every session that goes on knows it. Whoever reads one that it does not know
ends (`nc.domain.evolve.UnknownEvent`): to skip it would give another state.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from nc.domain.events import Event
from nc.domain.replica_errors import ReplicaTooOld

if TYPE_CHECKING:
    from nc.domain.invitations import Membership
    from nc.domain.known_replicas import KnownReplica
    from nc.domain.replicas import Sessions

# Of this version.
LEVEL: Final = 2

# Of a session that said none.
FIRST_LEVEL: Final = 1

# The level from which on a kind is known; kinds that are not listed are of the first.
SINCE: Final[Mapping[str, int]] = {
    "replica_invited": 2,
    "invitation_redeemed": 2,
    "invitation_ended": 2,
    "replica_removed": 2,
}


def level_of(event: Event) -> int:
    """The level that a version must have to know this kind of event."""
    return SINCE.get(event.WhichOneof("kind") or "", FIRST_LEVEL)


def _level(replica: "KnownReplica | None") -> int:
    return FIRST_LEVEL if replica is None else max(replica.level, FIRST_LEVEL)


def require_known(events: Iterable[Event], sessions: "Sessions", members: "Membership") -> None:
    """Check that every session that goes on knows the kinds of these events.

    Raises:
        ReplicaTooOld: one does not.
    """
    needed = max(map(level_of, events), default=FIRST_LEVEL)
    if needed == FIRST_LEVEL:  # nearly always; every session knows it
        return
    known = members.replicas
    old = {each for each in sessions.values() if _level(known.get(each)) < needed}
    if old:
        raise ReplicaTooOld(
            {each: known[each].version if each in known else "" for each in sorted(old)}
        )
