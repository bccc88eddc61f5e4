"""Is this log a history that can have happened?

The files' own checks (checksums, hash chain, sequence numbers) are the reader's. Here is what they
cannot know: that each record holds as many events as it says, that every node moved along the state
machine's table and from where it was, that an address had one holder, that digests are of earlier
events, and in their order, and that each landmark (a snapshot, or a head that somebody kept) is a
place that this log has passed, with the state that the events lead to.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from eventlog.api import Record, Snapshot
from nc.domain.errors import IllegalTransition
from nc.domain.events import Batch, Event
from nc.domain.fsm import ConnectionState, Trigger, next_state
from nc.domain.presence import link_of
from nc.domain.state import State
from nc.projections.digest import digest
from nc.projections.snapshot import decode
from nc.projections.state import Fold, UnknownEvent

__all__ = [
    "Base",
    "Impossible",
    "Landmark",
    "Verified",
    "digested_seq",
    "landmark_of",
    "verify",
]

# How often somebody is told how far it has come.
_PROGRESS_EVENTS: Final = 20_000

_ADVICE = (
    "the log was changed after it was written, or a faulty version wrote it: compare it with a copy"
)
_DELETE_SNAPSHOT = "delete the snapshot: the log is whole without it"


class Impossible(Exception):
    """The log's bytes are as they were written, and what they say cannot have happened."""

    def __init__(self, seq: int, found: str, expected: str, advice: str = _ADVICE) -> None:
        self.seq = seq
        self.found = found
        self.expected = expected
        self.advice = advice
        super().__init__(f"event {seq}: {found}, expected {expected}; {advice}")


class Landmark(NamedTuple):
    """What somebody kept about a log: after this event its hash was this."""

    seq: int
    chain: bytes  # 32 bytes
    snapshot: Snapshot | None = None  # what the state was, if that is what was kept


class Base(NamedTuple):
    """What is taken for granted: what there was before the first event."""

    state: State
    chain: bytes  # 32 bytes


_BEGINNING: Final = Base(State(), bytes(32))


class Verified(NamedTuple):
    """What was found to be right."""

    events: int
    last_seq: int  # of the last one
    records: int
    head: bytes  # 32 bytes; zeros: the log is empty
    snapshots: int  # that have the state of a replay


def landmark_of(snapshot: Snapshot) -> Landmark:
    """The place and the state that a snapshot remembers."""
    return Landmark(snapshot.place.last_seq, snapshot.place.chain, snapshot)


def verify(
    records: Iterable[Record],
    landmarks: Iterable[Landmark] = (),
    progress: Callable[[int], None] = lambda _: None,
    base: Base = _BEGINNING,
) -> Verified:
    """Verify a whole log, or a slice of one.

    Args:
        records: all of them, markers among them.
        landmarks: what the log has to have passed.
        progress: is told a sequence number every so often.
        base: what a slice begins with.

    Raises:
        Impossible: it cannot have happened.
        UnknownEvent: a newer version wrote it.
        LogDamaged, LogUnavailable: from the reader.
    """
    verification = _Verification(landmarks, base)
    for record in records:
        if verification.add(record):
            progress(record.last_seq)
    return verification.finish()


class _Verification:
    """How far it has come."""

    def __init__(self, landmarks: Iterable[Landmark], base: Base) -> None:
        self._landmarks = sorted(landmarks, key=lambda landmark: -landmark.seq)  # next one last
        # Folding costs far more than all the rest, so it ends where nothing is left to compare.
        self._folded_until = max((a.seq for a in self._landmarks if a.snapshot), default=0)
        self._base_seq = self._seq = base.state.seq
        self._fold = Fold(base.state)
        self._course = _course_from(base.state)
        self._records = 0
        self._snapshots = 0
        self._head = base.chain
        self._heads = {self._head}  # hashes that the log has had after `_seq`

    def add(self, record: Record) -> bool:
        """Verify the next record; whether it is time to say so."""
        self._records += 1
        self._head = record.chain
        if record.count == 0:
            self._heads.add(record.chain)
            return False
        self._settle()
        self._heads = {record.chain}
        self._seq = record.last_seq
        events = _events(record)
        for seq, event in enumerate(events, record.first_seq):
            check = _CHECKS.get(event.WhichOneof("kind"))
            if check is not None:
                check(self._course, seq, event)
        if self._seq <= self._folded_until:
            self._fold.add(events)
        return record.first_seq // _PROGRESS_EVENTS < (record.last_seq + 1) // _PROGRESS_EVENTS

    def finish(self) -> Verified:
        """There are no more records."""
        self._settle()
        for seq, *_ in self._landmarks[-1:]:
            raise Impossible(self._seq, "the end of the log", f"it to reach event {seq}")
        events = self._seq - self._base_seq
        return Verified(events, self._seq, self._records, self._head, self._snapshots)

    def _settle(self) -> None:
        """Compare with the landmarks up to here, before the log goes on."""
        while self._landmarks and self._landmarks[-1].seq <= self._seq:
            seq, chain, snapshot = self._landmarks.pop()
            if seq < self._seq:
                raise Impossible(seq, f"a record that goes on to {self._seq}", "a record's end")
            if chain not in self._heads:
                raise Impossible(seq, f"head {self._head.hex()}", chain.hex())
            if snapshot is not None:
                _compare(snapshot, self._fold.finish())
                self._snapshots += 1


def _events(record: Record) -> list[Event]:
    """The events of a record, which have to be as many as it says."""
    try:
        entries = Batch.FromString(record.payload).entries
    except DecodeError:
        raise Impossible(record.first_seq, "a payload that is no Batch", "one") from None
    events = [event for entry in entries for event in entry.events]
    if len(events) != record.count:
        found = f"{len(events)} events in its record"
        raise Impossible(record.first_seq, found, f"{record.count}")
    if not all(entry.events for entry in entries):
        raise Impossible(record.first_seq, "an entry without events", "at least one")
    return events


def _compare(snapshot: Snapshot, state: State) -> None:
    """A snapshot has to hold what a replay leads to."""
    try:
        kept = decode(snapshot.payload)
    except ValueError as error:
        what = f"a snapshot with {error}"
        raise Impossible(state.seq, what, "a state", _DELETE_SNAPSHOT) from error
    if kept != state:
        what = f"a snapshot of state {digest(kept).hex()}"
        raise Impossible(state.seq, what, digest(state).hex(), _DELETE_SNAPSHOT)


def _moves() -> Iterator[tuple[int, int]]:
    """Every move that the state machine has."""
    for state, trigger in product(ConnectionState, Trigger):
        with suppress(IllegalTransition):
            yield state.value, next_state(state, trigger).value


_MOVES: Final = frozenset(_moves())
_IDLE: Final = ConnectionState.IDLE.value


def _name(state: int | None) -> str:
    if state is None:
        return "not registered"
    try:
        return ConnectionState(state).name
    except ValueError:
        return f"state {state}"


class _Course(NamedTuple):
    """Where the nodes are, as far as the checks have come."""

    states: dict[str, int]  # by the id of each node that is registered
    holders: dict[str, str]  # node id by address
    digests: list[int]  # the events that they are about


def _course_from(state: State) -> _Course:
    """Where the nodes are in a state."""
    states = {n: int(link_of(state.presence, n).state.value) for n in state.nodes}
    digests = [state.digest_seq] if state.digest_seq else []
    holders = {held.address: n for n, held in state.addresses.by_node.items() if held.address}
    return _Course(states, holders, digests)


def _unknown(_course: _Course, seq: int, _event: Event) -> None:
    raise UnknownEvent(seq)


def _registered(course: _Course, seq: int, event: Event) -> None:
    node_id = event.node_registered.node_id
    if node_id in course.states:
        raise Impossible(seq, f"node {node_id} is registered again", "another id")
    course.states[node_id] = _IDLE


def _state_changed(course: _Course, seq: int, event: Event) -> None:
    changed = event.state_changed
    node_id, source, destination = changed.node_id, changed.from_state, changed.to_state
    was = course.states.get(node_id)
    if was != source:
        found = f"node {node_id} leaves {_name(source)}"
        raise Impossible(seq, found, f"{_name(was)}, where it was")
    if (source, destination) not in _MOVES:
        found = f"node {node_id} goes from {_name(source)} to {_name(destination)}"
        raise Impossible(seq, found, "a move of the state machine")
    course.states[node_id] = destination


def _bound(course: _Course, seq: int, event: Event) -> None:
    node_id, address = event.address_bound.node_id, event.address_bound.address
    if node_id not in course.states:
        raise Impossible(seq, f"{address} is given to {node_id}", "a node that is registered")
    holder = course.holders.setdefault(address, node_id)
    if holder != node_id:
        raise Impossible(seq, f"{address} is given to {node_id}", f"{holder} to hold it")


def _released(course: _Course, seq: int, event: Event) -> None:
    node_id, address = event.address_released.node_id, event.address_released.address
    holder = course.holders.pop(address, "nobody")
    if holder != node_id:
        raise Impossible(seq, f"{node_id} gives {address} up", f"{holder} to hold it")


def _unregistered(course: _Course, seq: int, event: Event) -> None:
    node_id = event.unregistered.node_id
    was = course.states.pop(node_id, None)
    if was != _IDLE:
        found = f"node {node_id} is unregistered while {_name(was)}"
        raise Impossible(seq, found, _name(_IDLE))


def digested_seq(seq: int, event: Event, last: int) -> int:
    """The event that a DigestRecorded is about, an earlier one.

    Args:
        seq: of the DigestRecorded itself.
        event: it.
        last: the event that the one before it is about, 0 if there is none.

    Raises:
        Impossible: that event was still to come, or was not after the last one.
    """
    about = event.digest_recorded.seq
    if not last < about < seq:
        raise Impossible(seq, f"a digest of event {about}", f"one after {last} and before {seq}")
    return about


def _digested(course: _Course, seq: int, event: Event) -> None:
    last = course.digests[-1] if course.digests else 0
    course.digests.append(digested_seq(seq, event, last))


_CHECKS: Final[dict[str | None, Callable[[_Course, int, Event], None]]] = {
    None: _unknown,
    "node_registered": _registered,
    "state_changed": _state_changed,
    "address_bound": _bound,
    "address_released": _released,
    "unregistered": _unregistered,
    "digest_recorded": _digested,
}
