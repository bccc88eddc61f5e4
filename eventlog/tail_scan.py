"""The bytes behind the last record of a segment: an unfinished append, or damage.

A crash interrupts only an append that has not returned, so bad bytes behind all durable records are
no damage. A record header further on that says that a record here was durable proves the opposite.
And no crash shortens a file: one that ends where zeros should follow was not copied to its end.
"""

from typing import Final, NamedTuple

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.format import RECORD_HEADER_BYTES, RECORD_MAGIC, decode_durable_head
from eventlog.header_format import BadBytes
from eventlog.segments import CHUNK_BYTES, read_bytes

_NO_BYTES: Final = bytes(CHUNK_BYTES)


class TailScan(NamedTuple):
    """A summary of the bytes behind the offset where a cursor stopped."""

    end: int  # offset after the last byte that is not zero; 0: only zeros
    durable_seq: int  # the highest in a valid record header; 0: there is none
    proven_at: int  # offset of that header
    file_bytes: int  # the length of the file


def scan_rest(disk: Disk, cursor: Cursor) -> TailScan:
    """Search the rest of a cursor's segment for bytes that are not zero, and for record headers.

    Raises:
        LogDamaged: the disk cannot read it.
        LogUnavailable: this process cannot read it.
    """
    end = durable_seq = proven_at = 0
    file_bytes = offset = cursor.offset
    size_bytes = CHUNK_BYTES + RECORD_HEADER_BYTES
    while data := read_bytes(disk, cursor.path, size_bytes, offset, cursor.next_seq):
        if data[:CHUNK_BYTES] != _NO_BYTES[: len(data)]:
            end = offset + len(data.rstrip(b"\0"))
            at = data.find(RECORD_MAGIC)
            while at >= 0:
                head = decode_durable_head(data, at, cursor.header.segment_id)
                if head and head.durable_seq > durable_seq and (offset + at) % 8 == 0:
                    durable_seq, proven_at = head.durable_seq, offset + at
                at = data.find(RECORD_MAGIC, at + 1)
        file_bytes = offset + len(data)
        offset += CHUNK_BYTES
    return TailScan(end, durable_seq, proven_at, file_bytes)


def proof_of_damage(cursor: Cursor, rest: TailScan) -> BadBytes | None:
    """What no crash explains behind a cursor in the last segment; None: a crash explains all."""
    stop = cursor.stop or missing_end(cursor, rest)
    if stop is not None and not stop.torn:
        return stop
    if rest.durable_seq < cursor.next_seq:
        return None
    proof = f"the header at offset {rest.proven_at} says {rest.durable_seq} was durable"
    found, expected = (stop.found, stop.expected) if stop else ("zeros", "a record")
    return BadBytes(found, f"{expected}: {proof}")


def missing_end(cursor: Cursor, rest: TailScan) -> BadBytes | None:
    """What is wrong with a file that ends with its last record; None: records may end there.

    A writer keeps a file as long as it was made, so that zeros follow its records. A segment whose
    header does not say its length may end with its last record: that of an export, of a repair, or
    of an older writer whose disk was full.
    """
    if rest.file_bytes > cursor.offset or cursor.header.size_bytes <= rest.file_bytes:
        return None
    found = f"the end of the file after {rest.file_bytes} of {cursor.header.size_bytes} bytes"
    expected = "a record, or zeros to the end: the events after this place are missing"
    return BadBytes(found, expected, short=True)


def bad_end_of_sealed(cursor: Cursor, rest: TailScan) -> BadBytes | None:
    """What is wrong where a cursor stopped in a sealed segment: only zeros may follow there."""
    if cursor.stop is None and rest.end:
        found = f"bytes that are not zero, up to offset {rest.end}"
        return BadBytes(found, "a record, or zeros to the end")
    return cursor.stop
