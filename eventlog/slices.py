"""Slices: some of a log's records as a log of their own, for an export.

Sequence numbers, times, epochs and chain hashes are the log's, so a head of the log is one of the
slice. All records are in one segment, with an id of its own, that ends with the last record. A
slice that begins after event 1 can only be read.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from eventlog.api import LogPosition, Record
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    RecordHeader,
    RecordType,
    SegmentHeader,
    encode_record,
    encode_segment_header,
)
from eventlog.reader import LogReader
from eventlog.snapshot_format import SnapshotHeader, encode_snapshot_header


class Slice(NamedTuple):
    """Whole records of a log, with all the markers around them."""

    reader: LogReader
    after: int  # the last event before
    chain: bytes  # the hash of the record that it is in, 32 bytes
    last_seq: int  # the last event in it; `after`: it holds none

    def records(self) -> Iterator[Record]:
        """The records and markers, in order.

        Raises:
            LogDamaged, LogUnavailable: from the reader.
        """
        # From one event further back: markers behind it may be in the segment before.
        for record in self.reader.read(max(self.after - 1, 0), markers=True):
            if record.first_seq > self.last_seq + (not record.count):
                return
            if record.first_seq > self.after:
                yield record


def slice_of(reader: LogReader, first_seq: int, last_seq: int) -> Slice:
    """The slice of all records with these events; the records at its ends may hold more.

    Args:
        reader: of the log.
        first_seq: of the first event; the log's first one if that is later.
        last_seq: of the last event, ≥ `first_seq` - 1; the log's last one if that is earlier.

    Raises:
        LogDamaged, LogUnavailable: from the reader.
    """
    start = reader.start
    after, chain = start.last_seq, start.chain
    if first_seq - 1 > after:
        first = next(reader.read(first_seq - 1), None)
        after = reader.last_seq if first is None else first.first_seq - 1
    if after > start.last_seq:
        chain = next(reader.read(after - 1)).chain
    last = next(reader.read(last_seq - 1), None) if last_seq > after else None
    return Slice(reader, after, chain, reader.last_seq if last is None else last.last_seq)


def encode_segment(header: SegmentHeader, records: Iterable[Record]) -> Iterator[bytes]:
    """The bytes of a segment with these records, in parts.

    The chain is computed from the header's; for the log's own records it is as it was.
    """
    yield encode_segment_header(header)
    chain = header.chain
    for record in records:
        kind = RecordType.EVENTS if record.count else RecordType.MARKER
        first_seq, count, recorded_at_ns, epoch, _, payload = record
        about = RecordHeader(first_seq, count, kind, recorded_at_ns, epoch)
        data, chain = encode_record(
            chain, about, payload, durable_seq=first_seq - 1, segment_id=header.segment_id
        )
        yield data


def encode_start(header: SegmentHeader, schema: int, payload: bytes) -> bytes:
    """The bytes of the snapshot from which a slice starts.

    Args:
        header: of the slice's segment.
        schema: how the application wrote the payload.
        payload: the application's state there.
    """
    position = LogPosition(
        header.first_seq, SEGMENT_HEADER_BYTES, header.first_seq - 1, header.chain
    )
    segments = sha256(encode_segment_header(header)).digest()
    hashed = sha256(payload).digest()
    about = SnapshotHeader(
        schema, header.log_id, position, segments, header.created_ns, len(payload), hashed
    )
    return encode_snapshot_header(about) + payload
