"""What the state was: however it is found, it is the fold of what was before."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventlog
from eventlog.format import SegmentHeader
from eventlog.slices import encode_start, slice_of
from eventlog.snapshots import snapshot_name
from eventlog.testing import NoSyncDisk
from nc.domain.codec.records import Recorded
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, encode
from nc.domain.events import Batch, Entry, Event, Unregistered
from nc.domain.state import State
from nc.history.as_of import BaseMissing, StateAt, base_of, nearest, states_at
from nc.history.events import Point, history
from nc.history.fold import EMPTY_STATE, RunningState, state_at
from tests.support.sliced_log import Entries, batches, events_in, write_batches, write_slice
from tests.support.written_log import BETA, EVENTS, leave_snapshot, write_story

pauses = st.lists(st.booleans(), max_size=9)


def expected_seq(events: list[Recorded], point: Point, start_seq: int = 0) -> int:
    """The last event that had happened there."""
    if point.at_ns is None:
        return min(point.seq or 0, start_seq + len(events))
    then = [seq for seq, entry, _ in events if entry.recorded_at_ns <= point.at_ns]
    return max(then, default=start_seq)


def at_ns(events: list[Recorded], seq: int) -> int | None:
    """When an event was recorded."""
    return events[seq - 1].entry.recorded_at_ns if seq else None


def state(reader: eventlog.LogReader, point: Point) -> State:
    """The state at one place."""
    return states_at(reader, [point])[0].state


def folded(events: list[Recorded], seq: int) -> State:
    """The state after an event, from the first one on."""
    return state_at(events, seq)


@given(batches, pauses, st.booleans(), st.lists(st.integers(0, 30), min_size=1, max_size=3))
def test_states_are_folds_wherever_the_folding_began(
    records: list[Entries], rests: list[bool], keeps: bool, places: list[int]
) -> None:
    """With snapshots or without, clocks that jump or not, several places in one pass or each."""
    with TemporaryDirectory() as folder:
        reader = write_batches(Path(folder) / "log", records, rests, keeps)
        events = events_in(reader)
        points = [Point(seq=min(place, len(events))) for place in places]
        points += [Point(at_ns=place) for place in places]
        seqs = [expected_seq(events, point) for point in points]
        expected = [StateAt(folded(events, seq), at_ns(events, seq)) for seq in seqs]
        assert states_at(reader, points) == expected
        assert [states_at(reader, [point])[0] for point in points] == expected


@settings(max_examples=40)
@given(batches, pauses, st.data())
def test_a_slice_tells_the_states_that_its_log_told(
    records: list[Entries], rests: list[bool], data: st.DataObject
) -> None:
    """From its own base on: the same states, and the same events, as in the log it was cut from."""
    with TemporaryDirectory() as folder:
        reader = write_batches(Path(folder) / "log", records, rests)
        events = events_in(reader)
        first = data.draw(st.integers(1, len(events)))
        last = data.draw(st.integers(first, len(events)))
        piece = slice_of(reader, first, last)
        base = folded(events, piece.after)
        kept = write_slice(Path(folder) / "slice", piece, base)
        assert base_of(kept) == base
        assert list(history(kept)) == events[piece.after : piece.last_seq]
        for seq in range(piece.after, piece.last_seq + 1):
            assert state(kept, Point(seq=seq)) == folded(events, seq)
        moment = Point(at_ns=data.draw(st.integers(0, 20)))
        seq = expected_seq(list(history(kept)), moment, piece.after)
        assert state(kept, moment) == folded(events, seq)


@settings(max_examples=40)
@given(batches, st.integers(0, 12), st.integers(0, 12))
def test_a_fold_goes_along_and_knows_its_place(
    records: list[Entries], before: int, again: int
) -> None:
    """Events before its base, or that it has seen, are passed over; nothing is changed."""
    events = [
        Recorded(seq, entry, event)
        for seq, (entry, event) in enumerate(
            ((entry, event) for batch in records for entry in batch for event in entry.events), 1
        )
    ]
    fold = RunningState(state_at(events, before))
    assert list(fold.through(events)) == events
    assert list(fold.through(events[again:])) == events[again:]
    assert fold.state == state_at(events, len(events))
    gappy = RunningState(EMPTY_STATE)
    assert list(gappy.through([*events[:again], *events[again + 1 :]]))[:1] == (
        events[:1] if again else events[1:2]
    )
    assert gappy.state == state_at(events, again)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The story's log, without its snapshot."""
    folder = write_story(tmp_path / "data")
    for path in folder.glob("*.snapshot"):
        path.unlink()
    return folder


def snapshot_at(folder: Path, state: State) -> None:
    """Leave a snapshot at the log's end that says that this is the state."""
    log = eventlog.open(folder, disk=NoSyncDisk())
    leave_snapshot(log, state)
    log.close()


def test_the_nearest_snapshot_is_where_folding_begins(log: Path) -> None:
    """The log's own newest snapshot is taken, and only for what is not before it."""
    reader = eventlog.LogReader(log)
    last = state(reader, Point(seq=EVENTS))
    assert nearest(reader, [Point(seq=EVENTS)]) == EMPTY_STATE
    snapshot_at(log, last)
    for point, expected in (
        (Point(seq=EVENTS), last),
        (Point(seq=EVENTS - 1), EMPTY_STATE),
        (Point(at_ns=2**63), last),
        (Point(at_ns=0), EMPTY_STATE),
    ):
        assert nearest(reader, [point]) == expected
    assert nearest(reader, [Point(seq=EVENTS), Point(seq=3)]) == EMPTY_STATE


def test_a_marker_before_a_snapshots_last_event_does_not_hide_the_snapshot(log: Path) -> None:
    """Not even where the events before it cannot be read: the states from it on are computed."""
    before = state(eventlog.LogReader(log), Point(seq=EVENTS))
    writer = eventlog.open(log, disk=NoSyncDisk())
    writer.write_sync_marker()
    batch = Batch(entries=[Entry(events=[Event(unregistered=Unregistered(node_id=BETA))])])
    writer.append(batch.SerializeToString(), 1, EVENTS)
    writer.close()
    reader = eventlog.LogReader(log)
    last = state(reader, Point(seq=EVENTS + 1))
    assert last != before
    snapshot_at(log, last)
    assert nearest(reader, [Point(seq=EVENTS + 1)]) == last
    segment = min(log.glob("*.seg"))
    segment.write_bytes(segment.read_bytes()[:-1] + b"?")
    assert state(eventlog.LogReader(log), Point(seq=EVENTS + 1)) == last


def test_a_snapshot_that_the_log_does_not_pass_is_not_believed(log: Path) -> None:
    """One with another hash, one of another schema, one that is damaged: the events decide."""
    reader = eventlog.LogReader(log)
    last = state(reader, Point(seq=EVENTS))
    lie = State(seq=EVENTS)
    path = log / snapshot_name(EVENTS)
    header = SegmentHeader(1, reader.log_id, EVENTS + 1, 1, 0, bytes(32))
    path.write_bytes(encode_start(header, SNAPSHOT_SCHEMA, b"".join(encode(lie))))
    assert state(reader, Point(seq=EVENTS)) == last
    header = header._replace(chain=reader.head)
    path.write_bytes(encode_start(header, SNAPSHOT_SCHEMA + 1, b"".join(encode(lie))))
    assert state(reader, Point(seq=EVENTS)) == last
    path.write_bytes(encode_start(header, SNAPSHOT_SCHEMA, b"".join(encode(State(seq=3)))))
    assert state(reader, Point(seq=EVENTS)) == last
    path.write_bytes(encode_start(header, SNAPSHOT_SCHEMA, b"".join(encode(lie))))
    assert state(reader, Point(seq=EVENTS)) == lie  # this one the log cannot tell


def test_a_log_that_begins_later_needs_its_snapshot(log: Path) -> None:
    """Without the state before it, events are read and no state is told: the file is named."""
    first, *later = sorted(log.glob("*.seg"))
    first.unlink()
    reader = eventlog.LogReader(log)
    start_seq = int(later[0].stem) - 1
    assert [each.seq for each in history(reader)] == list(range(start_seq + 1, EVENTS + 1))
    header = SegmentHeader(1, reader.log_id, start_seq + 1, 1, 0, bytes(32))
    lie = encode_start(header, SNAPSHOT_SCHEMA, b"".join(encode(State(seq=start_seq))))
    (log / snapshot_name(start_seq)).write_bytes(lie)  # of a log with another past
    for ask in (
        base_of,
        lambda r: nearest(r, [Point(seq=9)]),
        lambda r: states_at(r, [Point(seq=9)]),
    ):
        with pytest.raises(BaseMissing, match=snapshot_name(start_seq)):
            ask(reader)
    shutil.rmtree(log)
