"""Salvage: what can still be read behind a damage, where no chain leads to it any more.

A record whose checksums hold was written by somebody, in this segment; whether it belonged to the
log, and where, nothing proves. So this is for telling people what was lost, and for nothing else.
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
    BadBytes,
    decode_segment_header,
    read_claim,
)
from eventlog.segments import CHUNK_BYTES, read_bytes

__all__ = ["Part", "Remnant", "proven_seq", "salvage"]

_SEGMENT_ID = slice(12, 16)  # of a segment's header, also of one that does not check out


class Part(NamedTuple):
    """A file of the log from an offset on."""

    name: str
    offset: int  # in bytes


class Remnant(NamedTuple):
    """A record header that checks out by itself."""

    first_seq: int
    count: int  # type: ignore[assignment]  # of events; hides tuple.count, of no use here
    durable_seq: int
    payload: bytes | None  # None: it does not check out

    @property
    def proven_seq(self) -> int:
        """The highest sequence number that existed, if this is to be believed."""
        return max(self.first_seq + self.count - 1, self.durable_seq)


def salvage(disk: Disk, folder: Path, log_id: bytes, part: Part) -> Iterator[Remnant]:
    """The remnants of records in a part of a log's segment, in order.

    There are none in a segment of another log, or where the disk cannot read.
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
        return False  # whose it was is not known: its records will tell


def _in_chunk(
    disk: Disk, path: Path, data: bytes, offset: int, segment_id: int
) -> Iterator[Remnant]:
    """Those whose headers begin in the first CHUNK_BYTES of `data`, which begins at `offset`."""
    at = data.find(RECORD_MAGIC)
    while 0 <= at < CHUNK_BYTES:
        claim = read_claim(data, at, segment_id) if at % 8 == 0 else None
        if claim is not None:
            start = offset + at + RECORD_HEADER_BYTES
            size_bytes = claim.payload_bytes
            payload = read_bytes(disk, path, size_bytes, start, claim.first_seq)
            is_good = len(payload) == size_bytes and crc32(payload, segment_id) == claim.payload_crc
            yield Remnant(
                claim.first_seq, claim.count, claim.durable_seq, payload if is_good else None
            )
        at = data.find(RECORD_MAGIC, at + 1)


def proven_seq(disk: Disk, folder: Path, log_id: bytes, parts: tuple[Part, ...]) -> int:
    """The highest sequence number that remnants prove to have existed; 0: they prove nothing."""
    remnants = (remnant for part in parts for remnant in salvage(disk, folder, log_id, part))
    return max((remnant.proven_seq for remnant in remnants), default=0)
