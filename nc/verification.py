"""Is this log a history that can have happened?

The files' own checks (checksums, hash chain, sequence numbers) are the reader's. Here is what they
cannot know: that each record holds as many events as it says, that every node moved along the state
machine's table and from where it was, and that each landmark (a snapshot, or a head that somebody
kept) is a place that this log has passed, with the state that the events lead to.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from eventlog.api import Record, Snapshot
from nc.domain.errors import IllegalTransition
from nc.domain.events import Batch, Event
from nc.domain.fsm import ConnectionState, Trigger, next_state
from nc.domain.state import State
from nc.projections import evolve
from nc.projections.digest import digest
from nc.projections.snapshot import decode

__all__ = ["Impossible", "Landmark", "Verified", "landmark_of", "verify"]

# Events folded at once: bounds the memory that it takes.
_CHUNK_EVENTS: Final = 20_000

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


class Verified(NamedTuple):
    """What was found to be right."""

    events: int
    records: int
    head: bytes  # 32 bytes; zeros: the log is empty
    snapshots: int  # that have the state of a replay
    state: State


def landmark_of(snapshot: Snapshot) -> Landmark:
    """The place and the state that a snapshot remembers."""
    return Landmark(snapshot.place.last_seq, snapshot.place.chain, snapshot)


def verify(
    records: Iterable[Record],
    landmarks: Iterable[Landmark] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Verify a whole log.

    Args:
        records: all of them, markers among them.
        landmarks: what the log has to have passed.
        progress: is told a sequence number every so often.

    Raises:
        Impossible: it cannot have happened.
        UnknownEvent: a newer version wrote it.
        LogDamaged, LogUnavailable: from the reader.
    """
    verification = _Verification(landmarks)
    for record in records:
        if verification.add(record):
            progress(record.last_seq)
    return verification.finish()


class _Verification:
    """How far it has come."""

    def __init__(self, landmarks: Iterable[Landmark]) -> None:
        self._landmarks = sorted(landmarks, key=lambda landmark: -landmark.seq)  # next one last
        self._state = State()
        self._chunk: list[Event] = []
        self._nodes: dict[str, int] = {}  # the state of each that is registered
        self._seq = 0
        self._records = 0
        self._snapshots = 0
        self._head = bytes(32)
        self._heads = {self._head}  # hashes that the log has had after `_seq`

    def add(self, record: Record) -> bool:
        """Verify the next record; whether a chunk is complete."""
        self._records += 1
        self._head = record.chain
        if record.count == 0:
            self._heads.add(record.chain)
            return False
        self._settle()
        self._heads = {record.chain}
        self._seq = record.last_seq
        for seq, event in enumerate(_events(record), record.first_seq):
            check = _CHECKS.get(event.WhichOneof("kind"))
            if check is not None:
                check(self._nodes, seq, event)
            self._chunk.append(event)
        if len(self._chunk) < _CHUNK_EVENTS:
            return False
        self._fold()
        return True

    def finish(self) -> Verified:
        """There are no more records."""
        self._settle()
        for seq, *_ in self._landmarks[-1:]:
            raise Impossible(self._seq, "the end of the log", f"it to reach event {seq}")
        self._fold()
        return Verified(self._seq, self._records, self._head, self._snapshots, self._state)

    def _fold(self) -> None:
        self._state = evolve(self._state, self._chunk)
        self._chunk = []

    def _settle(self) -> None:
        """Compare with the landmarks up to here, before the log goes on."""
        while self._landmarks and self._landmarks[-1].seq <= self._seq:
            seq, chain, snapshot = self._landmarks.pop()
            if seq < self._seq:
                raise Impossible(seq, f"a record that goes on to {self._seq}", "a record's end")
            if chain not in self._heads:
                raise Impossible(seq, f"head {self._head.hex()}", chain.hex())
            if snapshot is not None:
                self._fold()
                _compare(snapshot, self._state)
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
    expected = digest(state).hex()
    try:
        found = f"state {digest(decode(snapshot.payload)).hex()}"
    except ValueError as error:
        found = str(error)
    if found != f"state {expected}":
        what = f"a snapshot with {found}"
        raise Impossible(state.seq, what, f"state {expected}", _DELETE_SNAPSHOT)


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


def _registered(nodes: dict[str, int], seq: int, event: Event) -> None:
    node_id = event.node_registered.node_id
    if node_id in nodes:
        raise Impossible(seq, f"node {node_id} is registered again", "another id")
    nodes[node_id] = _IDLE


def _state_changed(nodes: dict[str, int], seq: int, event: Event) -> None:
    changed = event.state_changed
    node_id, source, destination = changed.node_id, changed.from_state, changed.to_state
    was = nodes.get(node_id)
    if was != source:
        found = f"node {node_id} leaves {_name(source)}"
        raise Impossible(seq, found, f"{_name(was)}, where it was")
    if (source, destination) not in _MOVES:
        found = f"node {node_id} goes from {_name(source)} to {_name(destination)}"
        raise Impossible(seq, found, "a move of the state machine")
    nodes[node_id] = destination


def _unregistered(nodes: dict[str, int], seq: int, event: Event) -> None:
    node_id = event.unregistered.node_id
    was = nodes.pop(node_id, None)
    if was != _IDLE:
        found = f"node {node_id} is unregistered while {_name(was)}"
        raise Impossible(seq, found, _name(_IDLE))


_CHECKS: Final[dict[Any, Callable[[dict[str, int], int, Event], None]]] = {
    "node_registered": _registered,
    "state_changed": _state_changed,
    "unregistered": _unregistered,
}
