"""The state of a log as of some place, found from the nearest snapshot before it.

A snapshot is used if the log passes its place with the hash that it remembers; otherwise an older
one is used, or the log's beginning. A slice of a log begins with the state that its own snapshot
holds; without that snapshot no state of the slice can be computed.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from eventlog import LogReader, Record, Snapshot
from nc.domain.codec.records import Recorded, events_of
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, decode
from nc.domain.state import State
from nc.errors import OperatorError
from nc.history.events import Point, Progress, history, no_progress
from nc.history.fold import EMPTY_STATE, RunningState, state_at


class BaseMissing(OperatorError):
    """A log begins later than with event 1, and the snapshot with the state before is missing."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq  # the event before the first one
        super().__init__(
            f"the log begins with event {last_seq + 1}, and {last_seq:020d}.snapshot with the "
            "state before it is missing, or is not usable: without it events can be shown, and no "
            "state be computed; put it or the segments before back, or export the slice again"
        )


def base_of(reader: LogReader) -> State:
    """The state before a log's first event: empty, unless the log is a slice.

    Raises:
        BaseMissing: the snapshot of a slice is missing.
    """
    start = reader.start
    if start.last_seq == 0:
        return EMPTY_STATE
    for snapshot in reader.snapshots([]):
        place = snapshot.position
        if (place.last_seq, place.chain) == (start.last_seq, start.chain):
            state = _decoded(snapshot)
            if state is not None:
                return state
    raise BaseMissing(start.last_seq)


class StateAt(NamedTuple):
    state: State
    at_ns: int | None  # when its last event was recorded; None: it is before the log's first one


class _Start(NamedTuple):
    """The state where folding begins, and the records from there on, so that none is read twice."""

    base: StateAt
    records: Iterator[Record]


def nearest(reader: LogReader, points: Sequence[Point]) -> State:
    """The newest state that a snapshot, or the log's beginning, has at or before all these places.

    Raises:
        BaseMissing: there is none.
    """
    return _nearest(reader, points).base.state


def _nearest(reader: LogReader, points: Sequence[Point]) -> _Start:
    seqs = [point.seq for point in points if point.seq is not None]
    moments = [point.at_ns for point in points if point.at_ns is not None]
    for snapshot in reader.snapshots([]):
        seq = snapshot.position.last_seq
        if seq <= min(seqs, default=seq) and seq > reader.start.last_seq:
            behind = reader.read(seq - 1, markers=True)
            at_ns = _passed_at_ns(behind, snapshot)
            if at_ns is not None and at_ns <= min(moments, default=at_ns):
                state = _decoded(snapshot)
                if state is not None:
                    return _Start(StateAt(state, at_ns), behind)
    return _Start(StateAt(base_of(reader), None), reader.read())


def _decoded(snapshot: Snapshot) -> State | None:
    """The state that a snapshot holds; None if this version cannot use it."""
    if snapshot.schema != SNAPSHOT_SCHEMA:
        return None
    try:
        return decode(snapshot.payload, snapshot.position.last_seq)
    except ValueError:
        return None


def _passed_at_ns(records: Iterator[Record], snapshot: Snapshot) -> int | None:
    """Read up to a snapshot's place; None if the log does not pass it.

    Returns:
        When the last event before it was recorded.
    """
    place, at_ns = snapshot.position, None
    for record in records:
        for recorded in events_of(record):
            if recorded.seq == place.last_seq:
                at_ns = recorded.entry.recorded_at_ns
        if record.last_seq > place.last_seq:
            return None
        # a marker before that event passes a place before the snapshot's
        if record.last_seq == place.last_seq and record.chain == place.chain:
            return at_ns
    return None


class _StateSearch:
    """Finds the state at one place while a history passes it."""

    def __init__(self, point: Point, base: StateAt) -> None:
        self._point = point
        self.last_seq = base.state.seq  # the last event at or before the place
        self.at_ns = base.at_ns  # when that was recorded
        self.state: State | None = None  # up to the first event behind the place
        self.is_open = True  # a later event may have an earlier time

    def add(self, recorded: Recorded, fold: RunningState) -> None:
        if self._is_at_or_before(recorded):
            self.last_seq = recorded.seq
            self.at_ns = recorded.entry.recorded_at_ns
        elif self.state is None:
            self.state = fold.state
            self.is_open = self._point.seq is None

    def _is_at_or_before(self, recorded: Recorded) -> bool:
        seq, at_ns = self._point
        if seq is not None:
            return recorded.seq <= seq
        return at_ns is None or recorded.entry.recorded_at_ns <= at_ns


def states_at(
    reader: LogReader, points: Sequence[Point], progress: Progress = no_progress
) -> list[StateAt]:
    """The states at some places, in one pass; where the log is shorter, its last one.

    The state at a moment holds everything up to the last event recorded at or before it, also if a
    clock once was wrong: then a part is read again.

    Raises:
        BaseMissing: the log is a slice, and its snapshot is missing.
        UnknownEvent: a newer version wrote one of the events.
        LogDamaged, LogUnavailable: from the reader.
    """
    base, records = _nearest(reader, points)
    fold = RunningState(base.state)
    wanted = [_StateSearch(point, base) for point in points]
    for recorded in _events(records, progress):
        is_folded = False
        for each in wanted:
            each.add(recorded, fold)
            is_folded = is_folded or each.state is None
        if is_folded:
            fold.add(recorded)
        elif not any(each.is_open for each in wanted):
            break
    return [_finished(reader, each, fold) for each in wanted]


def _events(records: Iterable[Record], progress: Progress) -> Iterator[Recorded]:
    for record in records:
        progress(record.last_seq)
        yield from events_of(record)


def _finished(reader: LogReader, wanted: _StateSearch, fold: RunningState) -> StateAt:
    """The state up to the last event that counts, even behind some that do not."""
    state = fold.state if wanted.state is None else wanted.state
    rest = history(reader, state.seq)
    return StateAt(state_at(rest, wanted.last_seq, state), wanted.at_ns)
