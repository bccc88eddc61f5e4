"""Logs written by hand, with what the writer does not write yet, and with well-placed damage."""

from pathlib import Path
from typing import Any

import pytest

import eventlog
from eventlog import Disk, FileLog, LogDamaged, LogReader
from eventlog.format import (
    NO_CHAIN,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    RecordHeader,
    RecordType,
    SegmentHeader,
    encode_record,
    encode_segment_header,
)
from eventlog.segments import CHUNK_BYTES
from eventlog.testing import InterceptedDisk, NoSyncDisk, abandon


def open_log(folder: Path, disk: Disk | None = None, segment_size_bytes: int = 1200) -> FileLog:
    return eventlog.open(folder, disk=disk or NoSyncDisk(), segment_size_bytes=segment_size_bytes)


class Writer:
    """Writes a segment as a later version will: with markers."""

    def __init__(self, folder: Path) -> None:
        self.segment_id = 5
        self.chain = NO_CHAIN
        self.last_seq = 0
        header = SegmentHeader(self.segment_id, bytes(16), 1, 1, 7, self.chain)
        self.data = encode_segment_header(header)
        self.path = folder / f"{1:020d}.seg"

    def put(self, payload: bytes) -> None:
        """Append an event, or a marker if there is no payload."""
        count, kind = (1, RecordType.EVENTS) if payload else (0, RecordType.MARKER)
        record, self.chain = encode_record(
            self.chain,
            RecordHeader(self.last_seq + 1, count, kind, 7, 1),
            payload,
            durable_seq=self.last_seq,
            segment_id=self.segment_id,
        )
        self.last_seq += count
        self.data += record

    def flip(self, offset: int) -> None:
        """Change one byte of the file."""
        data = bytearray(self.path.read_bytes())
        data[offset] ^= 0xFF
        self.path.write_bytes(data)

    def save(self, size: int = 1200) -> None:
        self.path.write_bytes(self.data.ljust(size, b"\0"))


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """A log that begins with a marker, and has two between its events."""
    writer = Writer(tmp_path)
    for data in (b"", b"one", b"two", b"", b"", b"three"):
        writer.put(data)
    return writer


def writes_of_opening(folder: Path) -> list[tuple[bytes, int]]:
    """What is written, and at which offsets, when a log is opened and closed."""
    writes: list[tuple[bytes, int]] = []

    def note(operation: str, *arguments: Any) -> None:
        if operation == "pwrite":
            writes.append(arguments[1:])

    open_log(folder, InterceptedDisk(note)).close()
    return writes


def test_markers_are_accepted_and_skipped(tmp_path: Path, writer: Writer) -> None:
    """A log with markers, also at its end, reads as its events; the chain goes on through them."""
    writer.put(b"")
    writer.save()
    reader = LogReader(tmp_path)
    assert [record.payload for record in reader.read()] == [b"one", b"two", b"three"]
    assert (reader.last_seq, reader.head) == (3, writer.chain)
    log = open_log(tmp_path)
    assert (log.recovery, log.last_seq, log.head) == (None, 3, writer.chain)
    log.append(b"four", 1, 3)
    log.close()
    log = open_log(tmp_path)
    assert [r.payload for r in log.read()] == [b"one", b"two", b"three", b"four"]
    assert [record.first_seq for record in log.read(2)] == [3, 4]
    assert [record.payload for record in reader.read(3)] == [b"four"]
    log.close()


def test_a_marker_protects_the_last_record(tmp_path: Path, writer: Writer) -> None:
    """Damage to a last record that a marker calls durable is refused, not cut."""
    last = len(writer.data) - 4  # three bytes are padding
    writer.put(b"")
    writer.save()
    writer.flip(last)
    with pytest.raises(LogDamaged, match="payload crc"):
        open_log(tmp_path)
    with pytest.raises(LogDamaged, match="payload crc"):
        list(LogReader(tmp_path).read())


def test_a_torn_marker_is_cut(tmp_path: Path, writer: Writer) -> None:
    """A marker that was not written whole takes no event with it."""
    writer.put(b"")
    writer.save()
    writer.flip(len(writer.data) - 1)
    log = open_log(tmp_path)
    assert log.recovery is not None
    assert log.append(b"four", 1, 3) == 4
    log.close()


def test_markers_are_a_part_of_the_chain(tmp_path: Path) -> None:
    """A log from which a marker was taken is refused."""
    writer = Writer(tmp_path)
    writer.put(b"one")
    kept = writer.data
    writer.put(b"")
    start = len(writer.data)
    writer.put(b"two")
    writer.data = kept + writer.data[start:]
    writer.save()
    with pytest.raises(LogDamaged, match="chain"):
        open_log(tmp_path)


def test_a_segment_with_markers_only_is_enlarged(tmp_path: Path) -> None:
    """A record that does not fit behind markers stays in their segment: its name is taken."""
    writer = Writer(tmp_path)
    writer.put(b"")
    writer.save(len(writer.data))
    log = open_log(tmp_path, segment_size_bytes=200)
    log.append(bytes(300), 1, 0)
    log.append(bytes(300), 1, 1)
    abandon(log)
    assert [path.name for path in sorted(tmp_path.glob("*.seg"))] == [
        f"{1:020d}.seg",
        f"{2:020d}.seg",
    ]
    assert [len(record.payload) for record in LogReader(tmp_path).read()] == [300, 300]
    assert writer.path.read_bytes().startswith(writer.data)


def test_the_last_marker_is_written_again(tmp_path: Path, writer: Writer) -> None:
    """No record says that the last marker is durable, and the chain needs it: it is written too."""
    start = len(writer.data)
    writer.put(b"")
    writer.save()
    assert writes_of_opening(tmp_path)[1:] == [(writer.data[start:], start)]


def test_what_may_not_be_durable_is_written_again(tmp_path: Path) -> None:
    """The last record, which no later one calls durable, is written again, and only that."""
    writer = Writer(tmp_path)
    writer.put(b"one")
    start = len(writer.data)
    writer.put(b"two")
    writer.save()
    assert writes_of_opening(tmp_path)[1:] == [
        (writer.data[start:], start)
    ]  # after the lock's process id


@pytest.mark.parametrize("before_boundary", [0, 8, 40, 88, 96])
def test_proof_is_found_wherever_it_lies(tmp_path: Path, before_boundary: int) -> None:
    """A header that proves damage is found, also where one read ends and the next begins."""
    writer = Writer(tmp_path)
    writer.put(bytes(CHUNK_BYTES - before_boundary - RECORD_HEADER_BYTES))
    writer.put(b"proof")
    writer.save(len(writer.data))
    writer.flip(SEGMENT_HEADER_BYTES)
    with pytest.raises(LogDamaged, match="1 was durable"):
        open_log(tmp_path)
