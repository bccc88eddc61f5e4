"""A slice of a log says what the log says, from one record's beginning to another's end."""

import shutil
from pathlib import Path

import pytest

import eventlog
from eventlog import FileLog, LogDamaged, LogReader
from eventlog.format import SegmentHeader
from eventlog.segments import segment_name
from eventlog.slices import Slice, encode_segment, slice_of
from eventlog.testing import NoSyncDisk

COUNTS = [1, 2, 1, 3, 1, 1, 4, 1, 2, 1]  # events in the records
EVENTS = sum(COUNTS)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LogReader:
    """A log of several segments, with markers between records, at the ends of segments, too."""
    folder = tmp_path_factory.mktemp("log") / "log"
    log = eventlog.open(folder, disk=NoSyncDisk(), segment_size_bytes=600)
    for number, count in enumerate(COUNTS):
        log.append(b"%d" % number, count, log.last_seq)
        if number % 3:
            log.write_sync_marker()
    log.close()
    return LogReader(folder)


def write(folder: Path, piece: Slice) -> LogReader:
    folder.mkdir()
    header = SegmentHeader(9, piece.reader.log_id, piece.after + 1, 1, 0, piece.chain)
    path = folder / segment_name(piece.after + 1)
    path.write_bytes(b"".join(encode_segment(header, piece.records())))
    return LogReader(folder)


def test_a_slice_is_the_records_that_hold_its_events(reader: LogReader, tmp_path: Path) -> None:
    """Between any two events: whole records, with their chain, and all heads of the log."""
    assert len(reader.segments()) > 3
    records = list(reader.read())
    everything = list(reader.read(markers=True))
    for first in range(1, EVENTS + 1):
        for last in range(first, EVENTS + 1):
            kept = write(tmp_path / f"{first}-{last}", slice_of(reader, first, last))
            held = [r for r in records if r.last_seq >= first and r.first_seq <= last]
            assert list(kept.read()) == held
            assert kept.last_seq == held[-1].last_seq
            assert (kept.start.last_seq, kept.log_id) == (held[0].first_seq - 1, reader.log_id)
            heads = {r.chain for r in everything if kept.start.last_seq <= r.last_seq <= last}
            assert heads <= {kept.start.chain, *(r.chain for r in kept.read(markers=True))}


def test_reading_from_before_a_slice_is_reading_all_of_it(
    reader: LogReader, tmp_path: Path
) -> None:
    """read(n) gives the events above n that there are, also if n is before the slice."""
    kept = write(tmp_path / "slice", slice_of(reader, 5, EVENTS))
    start = kept.start.last_seq
    assert start == 4
    for after in range(EVENTS + 1):
        expected = [r for r in reader.read(after) if r.first_seq > start]
        assert list(kept.read(after)) == expected


def test_a_log_without_its_first_segments_is_read_from_where_it_begins(
    reader: LogReader, tmp_path: Path
) -> None:
    """read(n) begins at the first segment that is there, not at the newest, for any earlier n."""
    folder = Path(shutil.copytree(reader.folder, tmp_path / "later"))
    (folder / segment_name(1)).unlink()
    later = LogReader(folder)
    assert len(later.segments()) > 2
    start = later.segments()[0] - 1
    for after in range(EVENTS + 1):
        assert list(later.read(after)) == [r for r in reader.read(after) if r.first_seq > start]


def test_a_slice_of_a_slice_is_a_slice(reader: LogReader, tmp_path: Path) -> None:
    """Cutting twice is cutting once, also where the first segment is not that of event 1."""
    kept = write(tmp_path / "one", slice_of(reader, 4, EVENTS - 1))
    again = write(tmp_path / "two", slice_of(kept, 1, EVENTS))
    assert list(again.read(markers=True)) == list(kept.read(markers=True))
    assert again.start == kept.start
    inner = write(tmp_path / "three", slice_of(kept, 8, 12))
    assert list(inner.read()) == [r for r in reader.read() if r.last_seq >= 8 and r.first_seq <= 12]


def test_a_slice_beyond_the_end_is_empty(reader: LogReader) -> None:
    """No event is there, and it stands where the log ends."""
    piece = slice_of(reader, EVENTS + 5, EVENTS + 9)
    assert (piece.after, piece.last_seq) == (EVENTS, EVENTS)
    assert [record.count for record in piece.records()] == [0]  # the marker of a clean end


def open_log(folder: Path) -> FileLog:
    return eventlog.open(folder, disk=NoSyncDisk(), segment_size_bytes=600)


def test_a_whole_log_can_go_on_and_a_slice_cannot(reader: LogReader, tmp_path: Path) -> None:
    """What begins with event 1 opens for writing; what begins later is refused, and not changed."""
    whole = write(tmp_path / "whole", slice_of(reader, 1, EVENTS))
    log = open_log(whole.folder)
    assert (log.head, log.append(b"on", 1, EVENTS)) == (reader.head, EVENTS + 1)
    log.close()
    kept = write(tmp_path / "slice", slice_of(reader, 5, EVENTS))
    before = {path.name: path.read_bytes() for path in kept.folder.glob("*.seg")}
    with pytest.raises(LogDamaged, match=r"as the first segment.* can only be read"):
        open_log(kept.folder)
    assert {path.name: path.read_bytes() for path in kept.folder.glob("*.seg")} == before


def test_damage_to_a_slice_is_found(reader: LogReader, tmp_path: Path) -> None:
    """A flipped bit in a slice is as little believed as one in a log; a marker proves the last."""
    kept = write(tmp_path / "slice", slice_of(reader, 5, EVENTS))
    (path,) = kept.folder.glob("*.seg")
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogDamaged):
        list(LogReader(kept.folder).read())
