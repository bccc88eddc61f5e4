"""Damage that takes no event away: what belongs there is known, and can be put in its place.

There are two kinds: bytes behind the last record of a segment whose successor goes on from just
that record, and a segment's header that is damaged while its first record proves what it said.
"""

from pathlib import Path

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    BadBytes,
    Incomplete,
    SegmentHeader,
    StoredRecord,
    decode_record,
    encode_segment_header,
)
from eventlog.segments import CHUNK_BYTES, read_bytes, read_segment_header, segment_name

__all__ = ["has_successor", "rebuilt_header"]

_SEGMENT_ID, _EPOCH, _CREATED_NS = slice(12, 16), slice(40, 48), slice(48, 56)  # of a header
_CRC = slice(92, 96)


def has_successor(disk: Disk, cursor: Cursor) -> bool:
    """Whether a segment begins with the next event and remembers the record before the cursor."""
    folder, first_seq = cursor.path.parent, cursor.next_seq
    if first_seq == cursor.segment:
        return False
    try:
        read_segment_header(disk, folder, first_seq, cursor.log_id, cursor.chain)
    except LogDamaged:
        return rebuilt_header(disk, folder, first_seq, cursor.log_id, cursor.chain) is not None
    return True


def rebuilt_header(
    disk: Disk, folder: Path, first_seq: int, log_id: bytes, chain: bytes
) -> SegmentHeader | None:
    """The header of a segment that has lost it, if its first record is the one that comes next.

    The record's checksums hold under no other segment id, and its chain hash after no other record.

    Args:
        disk: what the log is on.
        folder: the log's.
        first_seq: of the segment's first event.
        log_id: the log's.
        chain: of the record before the segment.
    """
    try:
        size_bytes = CHUNK_BYTES
        data = read_bytes(disk, folder / segment_name(first_seq), size_bytes, 0, first_seq)
        segment_id = int.from_bytes(data[_SEGMENT_ID], "little")
        first = _first_record(data, segment_id, first_seq, chain)
        if isinstance(first, int):
            data = read_bytes(disk, folder / segment_name(first_seq), first, 0, first_seq)
            first = _first_record(data, segment_id, first_seq, chain)
    except LogDamaged:
        return None
    if first is None or isinstance(first, int):
        return None
    said = SegmentHeader(
        segment_id,
        log_id,
        first_seq,
        int.from_bytes(data[_EPOCH], "little"),
        int.from_bytes(data[_CREATED_NS], "little", signed=True),
        chain,
    )
    if encode_segment_header(said)[_CRC] == data[_CRC]:
        return said  # it was this, to the last bit
    return said._replace(epoch=first.record.epoch, created_ns=first.record.recorded_at_ns)


def _first_record(
    data: bytes, segment_id: int, first_seq: int, chain: bytes
) -> StoredRecord | int | None:
    """The first record of a segment; the size of what has to be read for it; or None."""
    try:
        return decode_record(data, SEGMENT_HEADER_BYTES, segment_id, first_seq, chain)
    except Incomplete as incomplete:
        return SEGMENT_HEADER_BYTES + incomplete.needed_bytes
    except BadBytes:
        return None
