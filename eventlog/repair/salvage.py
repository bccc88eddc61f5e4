"""Salvage: the records behind a damage that can be read although no chain leads to them.

A record whose checksums hold was written to this segment; nothing proves that it belonged to the
log, and where. So it is only good for telling what was lost.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import (
    RECORD_HEADER_BYTES,
    RECORD_MAGIC,
    SEGMENT_HEADER_BYTES,
    decode_durable_head,
    decode_segment_header,
)
from eventlog.header_format import BadBytes
from eventlog.segments import CHUNK_BYTES, read_bytes

_SEGMENT_ID = slice(12, 16)  # of a segment's header, also of a damaged one


class Part(NamedTuple):
    """A segment from an offset on."""

    name: str
    offset: int  # in bytes


class Remnant(NamedTuple):
    """A record whose header has a good checksum."""

    first_seq: int
    count: int  # type: ignore[assignment]  # of events; hides tuple.count, of no use here
    durable_seq: int
    payload: bytes | None  # None: damaged

    @property
    def proven_seq(self) -> int:
        """The highest sequence number that it says existed."""
        return max(self.first_seq + self.count - 1, self.durable_seq)


def salvage(disk: Disk, folder: Path, log_id: bytes, part: Part) -> Iterator[Remnant]:
    """The remnants in a part of a segment, in order.

    None in a segment of another log, or where the disk cannot read.
    """
    path = folder / part.name
    try:
        header = read_bytes(disk, path, SEGMENT_HEADER_BYTES, 0, 0)
        if _is_of_another(header, log_id):
            return
        segment_id = int.from_bytes(header[_SEGMENT_ID], "little")
        offset = (part.offset + 7) & ~7
        while data := read_bytes(disk, path, CHUNK_BYTES + RECORD_HEADER_BYTES, offset, 0):
            yield from _in_chunk(disk, path, data, offset, segment_id)
            offset += CHUNK_BYTES
    except LogDamaged:
        return


def _is_of_another(header: bytes, log_id: bytes) -> bool:
    try:
        return decode_segment_header(header).log_id != log_id
    except BadBytes:
        return False  # unknown: the records have the segment's id


def _in_chunk(
    disk: Disk, path: Path, data: bytes, offset: int, segment_id: int
) -> Iterator[Remnant]:
    """Those with a header in the first CHUNK_BYTES of `data`, read at `offset`."""
    at = data.find(RECORD_MAGIC)
    while 0 <= at < CHUNK_BYTES:
        head = decode_durable_head(data, at, segment_id) if at % 8 == 0 else None
        if head is not None:
            start = offset + at + RECORD_HEADER_BYTES
            size_bytes = head.payload_bytes
            payload = read_bytes(disk, path, size_bytes, start, head.first_seq)
            is_good = len(payload) == size_bytes and crc32(payload, segment_id) == head.payload_crc
            yield Remnant(
                head.first_seq, head.count, head.durable_seq, payload if is_good else None
            )
        at = data.find(RECORD_MAGIC, at + 1)


def proven_seq(disk: Disk, folder: Path, log_id: bytes, parts: tuple[Part, ...]) -> int:
    """The highest sequence number that remnants prove to have existed; 0: they prove nothing."""
    remnants = (remnant for part in parts for remnant in salvage(disk, folder, log_id, part))
    return max((remnant.proven_seq for remnant in remnants), default=0)
