"""Proof of damage: what lies behind the place where the records of the last segment end.

A crash interrupts writes that nobody was promised, so bad bytes behind everything durable are no
damage. A record header further on that says a record at this place was durable proves the opposite.
"""

from typing import Final, NamedTuple

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.format import RECORD_HEADER_BYTES, RECORD_MAGIC, BadBytes, read_claim
from eventlog.segments import CHUNK_BYTES, read_bytes

__all__ = ["TailScan", "proof_of_damage", "scan_rest"]

_NO_BYTES: Final = bytes(CHUNK_BYTES)


class TailScan(NamedTuple):
    """What lies behind the place where a cursor stopped."""

    end: int  # offset after the last byte that is not zero; 0: only zeros
    durable_seq: int  # the highest that a valid record header claims; 0: none
    claimed_at: int  # offset of that header


def scan_rest(disk: Disk, cursor: Cursor) -> TailScan:
    """Look through the rest of a cursor's segment for proof of what is durable.

    Raises:
        LogDamaged: the disk cannot read it.
        LogUnavailable: this process cannot read it.
    """
    end = durable_seq = claimed_at = 0
    offset, size_bytes = cursor.offset, CHUNK_BYTES + RECORD_HEADER_BYTES
    while data := read_bytes(disk, cursor.path, size_bytes, offset, cursor.next_seq):
        if data[:CHUNK_BYTES] != _NO_BYTES[: len(data)]:
            end = offset + len(data.rstrip(b"\0"))
            at = data.find(RECORD_MAGIC)
            while at >= 0:
                claim = read_claim(data, at, cursor.header.segment_id)
                if claim and claim.durable_seq > durable_seq and (offset + at) % 8 == 0:
                    durable_seq, claimed_at = claim.durable_seq, offset + at
                at = data.find(RECORD_MAGIC, at + 1)
        offset += CHUNK_BYTES
    return TailScan(end, durable_seq, claimed_at)


def proof_of_damage(cursor: Cursor, rest: TailScan) -> BadBytes | None:
    """What a crash cannot explain where a cursor stopped in the last segment; None: it can."""
    stop = cursor.stop
    if stop is not None and not stop.torn:
        return stop
    if rest.durable_seq < cursor.next_seq:
        return None
    proof = f"the header at offset {rest.claimed_at} says {rest.durable_seq} was durable"
    found, expected = (stop.found, stop.expected) if stop else ("zeros", "a record")
    return BadBytes(found, f"{expected}: {proof}")
