"""Damage that is repaired without losing an event, because the bytes that belong there are known.

There are two kinds: bytes behind the last record of a segment whose successor follows on just that
record, and a damaged segment header whose content is proven by the segment's first record.
"""

from pathlib import Path
from typing import NamedTuple

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    Incomplete,
    SegmentHeader,
    StoredRecord,
    decode_record,
    encode_segment_header,
)
from eventlog.header_format import BadBytes
from eventlog.repair.plan import TO_THE_END, WriteSegment
from eventlog.segments import CHUNK_BYTES, read_bytes, read_segment_header, segment_name

# Where a segment's header has its fields.
_SEGMENT_ID, _EPOCH, _CREATED_NS = slice(12, 16), slice(40, 48), slice(48, 56)
_SIZE_BYTES, _CRC = slice(88, 92), slice(92, 96)


class SegmentFix(NamedTuple):
    """A damage, and the step that repairs it."""

    damage: LogDamaged
    step: WriteSegment
    header: SegmentHeader | None = None  # the segment's new one, if that is the repair


def fix_rest(damage: LogDamaged, segment: int, end: int) -> SegmentFix:
    """Cut what follows a segment's records, which end at that offset."""
    name = segment_name(segment)
    return SegmentFix(damage, WriteSegment(name, b"", name, 0, end))


def fix_header(damage: LogDamaged, header: SegmentHeader) -> SegmentFix:
    name, head = segment_name(header.first_seq), encode_segment_header(header)
    step = WriteSegment(name, head, name, SEGMENT_HEADER_BYTES, TO_THE_END)
    return SegmentFix(damage, step, header)


def has_successor(disk: Disk, cursor: Cursor) -> bool:
    """Whether a segment begins with the cursor's next event and has its chain hash."""
    folder, first_seq = cursor.path.parent, cursor.next_seq
    if first_seq == cursor.segment:
        return False
    try:
        read_segment_header(disk, folder, first_seq, cursor.log_id, cursor.chain)
    except LogDamaged:
        return rebuild_header(disk, folder, first_seq, cursor.log_id, cursor.chain) is not None
    return True


def rebuild_header(
    disk: Disk, folder: Path, first_seq: int, log_id: bytes, chain: bytes
) -> SegmentHeader | None:
    """The header of a segment whose first record follows on `chain`; None if it does not.

    The record's checksums hold under no other segment id, and its chain hash after no other record.
    """
    path = folder / segment_name(first_seq)
    try:
        data = read_bytes(disk, path, CHUNK_BYTES, 0, first_seq)
        segment_id = int.from_bytes(data[_SEGMENT_ID], "little")
        first = _first_record(data, segment_id, first_seq, chain)
        if isinstance(first, int):
            data = read_bytes(disk, path, first, 0, first_seq)
            first = _first_record(data, segment_id, first_seq, chain)
    except LogDamaged:
        return None
    if first is None or isinstance(first, int):
        return None
    epoch = int.from_bytes(data[_EPOCH], "little")
    created_ns = int.from_bytes(data[_CREATED_NS], "little", signed=True)
    size_bytes = int.from_bytes(data[_SIZE_BYTES], "little")
    header = SegmentHeader(segment_id, log_id, first_seq, epoch, created_ns, chain, size_bytes)
    if encode_segment_header(header)[_CRC] == data[_CRC]:
        return header  # as it was written, to the last bit
    return header._replace(
        epoch=first.record.epoch, created_ns=first.record.recorded_at_ns, size_bytes=0
    )


def _first_record(
    data: bytes, segment_id: int, first_seq: int, chain: bytes
) -> StoredRecord | int | None:
    """The first record of a segment; the bytes that have to be read for it; or None."""
    try:
        return decode_record(data, SEGMENT_HEADER_BYTES, segment_id, first_seq, chain)
    except Incomplete as incomplete:
        return SEGMENT_HEADER_BYTES + incomplete.needed_bytes
    except BadBytes:
        return None
