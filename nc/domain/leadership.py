"""Leadership: which of several replicas decides and appends, and which are taken for lost.

A replica leads from its LeaderElected to the next one. That is a record like any other: of two
replicas that stand at a time the log takes one, and whoever was replaced finds that out at its next
append. Each election has the epoch after the last one's, so that nobody is elected over a leader
that it does not know.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from nc.domain.errors import ElectionLost, LeaderKept, SessionEnded
from nc.domain.events import Event, LeaderElected, ReplicaLost, ReplicaStarted, pb
from nc.domain.levels import LEVEL
from nc.domain.links import Links, drop

if TYPE_CHECKING:
    from nc.domain.replicas import Sessions


class Leader(NamedTuple):
    """Who was elected last."""

    session: str = ""  # "": nobody was
    epoch: int = 0
    address: str = ""  # where other replicas reach it
    level: int = 0
    awaits_start: bool = False  # its session has not begun: it was elected first

    def event(self) -> LeaderElected:
        return LeaderElected(
            session=self.session, epoch=self.epoch, address=self.address, level=self.level
        )


NO_LEADER: Final = Leader()


@dataclass(frozen=True, slots=True)
class StandForElection:
    """Lead, as the one after the leader that is known.

    Attributes:
        last_seq: the last event that its replica knew when it stood; None: any.
    """

    session: str
    epoch: int
    address: str
    level: int = LEVEL
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class LoseReplica:
    """A replica was silent for too long: end its session."""

    session: str


@dataclass(frozen=True, slots=True)
class DropUnowned:
    """Drop links whose session has ended, some at a time."""

    most: int


def evolve_elected(event: LeaderElected, *, awaits_start: bool) -> Leader:
    return Leader(event.session, event.epoch, event.address, event.level, awaits_start)


def evolve_started(leader: Leader, event: ReplicaStarted) -> Leader:
    return leader._replace(awaits_start=leader.awaits_start and leader.session != event.session)


def decide_election(leader: Leader, seq: int, command: StandForElection) -> list[Event]:
    """Elect the one who stands; the level never falls.

    Raises:
        ElectionLost: another one was elected meanwhile; or the leader goes on, and has appended
            something. It may be that the one who stands was lost, whom it then asks no more.
    """
    if command.last_seq not in (None, seq) or command.epoch != leader.epoch + 1:
        raise ElectionLost
    elected = LeaderElected(
        session=command.session,
        epoch=command.epoch,
        address=command.address,
        level=max(leader.level, command.level),
    )
    return [Event(leader_elected=elected)]


def decide_loss(leader: Leader, sessions: "Sessions", command: LoseReplica) -> list[Event]:
    """End the session; no event if it has ended.

    Raises:
        LeaderKept: it is the leader's own.
    """
    if command.session == leader.session:
        raise LeaderKept
    if command.session not in sessions:
        return []
    return [Event(replica_lost=ReplicaLost(session=command.session))]


def require_going_on(sessions: "Sessions", session: str) -> None:
    """Check that a session may begin something.

    Raises:
        SessionEnded: it may not; its replica begins a new one.
    """
    if session not in sessions:
        raise SessionEnded


def decide_drop_unowned(links: Links, sessions: "Sessions", command: DropUnowned) -> list[Event]:
    """Drop the first of them, sorted by node id: equal maps may differ in their order."""
    chosen = islice(sorted(unowned(links, sessions)), command.most)
    reason = pb.STATE_CHANGE_REASON_REPLICA_LOST
    return [event for node_id in chosen for event in drop(links, node_id, reason)]


def unowned(links: Links, sessions: "Sessions") -> Iterable[str]:
    """The nodes whose link is of a session that has ended."""
    return (
        node_id for node_id, link in links.items() if link.session and link.session not in sessions
    )
