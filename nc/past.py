"""The past of a log: what the state was at some place, found from the nearest snapshot before it.

A snapshot is believed if the log passes its place with the hash that it remembers; otherwise an
older one is taken, or the log's beginning. A slice of a log begins with the state that its
own snapshot holds, without which nobody knows what its events amount to.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from eventlog import LogReader, Snapshot
from nc.domain.state import State
from nc.history import NOTHING, Fold, Point, Recorded, events_of, state_at
from nc.projections.snapshot import SNAPSHOT_SCHEMA, decode

__all__ = ["BaseMissing", "base_of", "history", "nearest", "states_at"]

Progress = Callable[[int], None]  # is told the sequence numbers that were reached


def _untold(_seq: int) -> None:
    """Nobody wants to know."""


class BaseMissing(Exception):
    """A log begins later than with event 1, and nothing says what there was before."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq  # the event before the first one
        super().__init__(
            f"the log begins with event {last_seq + 1}, and {last_seq:020d}.snapshot with the "
            "state before it is missing, or is not usable: without it events can be shown, and no "
            "state be told; put it or the segments before back, or export the slice again, as "
            "binary"
        )


def history(reader: LogReader, after: int = 0, progress: Progress = _untold) -> Iterator[Recorded]:
    """Every event after a sequence number."""
    for record in reader.read(after):
        progress(record.last_seq)
        for recorded in events_of(record):
            if recorded.seq > after:
                yield recorded


def base_of(reader: LogReader) -> State:
    """The state before a log's first event: nothing, unless the log is a slice.

    Raises:
        BaseMissing: it is one, and its snapshot is not there.
    """
    start = reader.start
    if start.last_seq == 0:
        return NOTHING
    for snapshot in reader.snapshots([]):
        place = snapshot.place
        if (place.last_seq, place.chain) == (start.last_seq, start.chain):
            state = _decoded(snapshot)
            if state is not None:
                return state
    raise BaseMissing(start.last_seq)


def nearest(reader: LogReader, points: Sequence[Point]) -> State:
    """The newest state that a snapshot, or the log's beginning, has at or before all these places.

    Raises:
        BaseMissing: there is none.
    """
    seqs = [point.seq for point in points if point.seq is not None]
    moments = [point.at_ns for point in points if point.at_ns is not None]
    for snapshot in reader.snapshots([]):
        seq = snapshot.place.last_seq
        if seq <= min(seqs, default=seq) and seq > reader.start.last_seq:
            at_ns = _passed_at_ns(reader, snapshot)
            if at_ns is not None and at_ns <= min(moments, default=at_ns):
                state = _decoded(snapshot)
                if state is not None:
                    return state
    return base_of(reader)


def _decoded(snapshot: Snapshot) -> State | None:
    """What a snapshot holds; None if this version cannot use it."""
    if snapshot.schema != SNAPSHOT_SCHEMA:
        return None
    try:
        state = decode(snapshot.payload)
    except ValueError:
        return None
    return state if state.seq == snapshot.place.last_seq else None


def _passed_at_ns(reader: LogReader, snapshot: Snapshot) -> int | None:
    """When the last event before a snapshot was recorded; None if it is no place of this log."""
    place, at_ns = snapshot.place, None
    behind = reader.read(place.last_seq - 1, markers=True)
    for record in takewhile(lambda r: r.first_seq <= place.last_seq + (not r.count), behind):
        for recorded in events_of(record):
            if recorded.seq == place.last_seq:
                at_ns = recorded.entry.recorded_at_ns
        if record.chain == place.chain and record.last_seq == place.last_seq:
            return at_ns
    return None


class _Wanted:
    """A place whose state is wanted, while a history passes it."""

    def __init__(self, point: Point, base: State) -> None:
        self._point = point
        self.last_seq = base.seq  # the last event that had happened there
        self.state: State | None = None  # up to the first event that had not
        self.is_open = True  # a later event may have happened there, too

    def look(self, recorded: Recorded, fold: Fold) -> None:
        """See whether the next event had happened there."""
        seq, at_ns = self._point
        if recorded.seq <= seq if seq is not None else self._by_then(recorded, at_ns):
            self.last_seq = recorded.seq
        elif self.state is None:
            self.state = fold.state
            self.is_open = seq is None

    def _by_then(self, recorded: Recorded, at_ns: int | None) -> bool:
        return at_ns is None or recorded.entry.recorded_at_ns <= at_ns


def states_at(
    reader: LogReader, points: Sequence[Point], progress: Progress = _untold
) -> list[State]:
    """The states at some places, in one pass; where the log is shorter, its last one.

    At a moment everything had happened up to the last event recorded at or before it, also if a
    clock once was wrong: then a part is read again.

    Raises:
        BaseMissing: the log is a slice, and what it begins with is not known.
        UnknownEvent: a newer version wrote one of the events.
        LogDamaged, LogUnavailable: from the reader.
    """
    base = nearest(reader, points)
    fold = Fold(base)
    wanted = [_Wanted(point, base) for point in points]
    for recorded in history(reader, base.seq, progress):
        for each in wanted:
            each.look(recorded, fold)
        if not any(each.is_open for each in wanted):
            break
        if any(each.state is None for each in wanted):
            fold.add(recorded)
    states = []
    for each in wanted:
        state = fold.state if each.state is None else each.state
        states.append(state_at(history(reader, state.seq), each.last_seq, state))
    return states
