"""Bytes ↔ segment headers and records, without any I/O.

`README.md` in this folder is the specification; the tables above the codecs repeat its layout. All
numbers are little-endian; crc32 is the one of zlib, PNG and Ethernet (polynomial 0xEDB88320).
"""

import struct
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple
from zlib import crc32

from eventlog.api import MAX_PAYLOAD_BYTES, Record
from eventlog.header_format import BadBytes, decode_header, with_crc

FORMAT_VERSION: Final = 1

# Large enough that starting a segment (a few ms) is rare, small enough that reading one to find a
# record, or copying one aside, stays well below a second.
SEGMENT_SIZE_BYTES: Final = 64 * 1024 * 1024

NO_CHAIN: Final = bytes(32)  # what the first record of a log is chained to


class RecordType(IntEnum):
    """A new type needs a new format version."""

    EVENTS = 1  # count ≥ 1, 1 byte to MAX_PAYLOAD_BYTES of payload
    MARKER = 2  # count 0, no payload: the records before it are durable


class Incomplete(Exception):
    """The buffer ends before the record does."""

    def __init__(self, needed_bytes: int) -> None:
        super().__init__(needed_bytes)
        self.needed_bytes = needed_bytes  # from the record's start


# Segment header, at offset 0 of every segment
#
#   offset  size  field
#   ------  ----  ------------------------------------------------------------
#        0     8  magic             "EVLOGSEG"
#        8     4  format version    1
#       12     4  segment id        random; crc32 of this segment's records starts from it
#       16    16  log id            random; the same in all segments of a log
#       32     8  first seq         sequence number of the first event in here; also the file's name
#       40     8  epoch             of the writer that made the segment
#       48     8  created_ns        signed, Unix time in ns
#       56    32  chain             of the last record before this segment (zeros: none)
#       88     4  size              of the file when it was made, in bytes; 0: not said
#       92     4  crc32             of bytes 0 to 91
SEGMENT_HEADER_BYTES: Final = 96
_SEGMENT_MAGIC: Final = b"EVLOGSEG"
_SEGMENT_HEADER: Final = struct.Struct("<8sII16sQQq32sI")


class SegmentHeader(NamedTuple):
    segment_id: int  # 32 random bits
    log_id: bytes  # 16 random bytes
    first_seq: int
    epoch: int
    created_ns: int
    chain: bytes  # 32 bytes
    size_bytes: int = 0  # the file's length when it was made; 0: not said


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The first 96 bytes of a segment."""
    return with_crc(_SEGMENT_HEADER.pack(_SEGMENT_MAGIC, FORMAT_VERSION, *header))


def decode_segment_header(data: bytes) -> SegmentHeader:
    """Decode the first bytes of a segment.

    Raises:
        BadBytes: this is no segment header, or one of another version.
    """
    fields = decode_header(data, _SEGMENT_HEADER, _SEGMENT_MAGIC, FORMAT_VERSION, "segment")
    return SegmentHeader(*fields)


# Record, 8-byte aligned, directly after the segment header or the record before it
#
#   offset  size  field
#   ------  ----  ------------------------------------------------------------
#        0     4  magic             C5 52 45 43 (0xC5 "REC")
#        4     4  header crc32      of bytes 8 to 87, starting from the segment id
#        8     4  payload length    bytes
#       12     4  payload crc32     of the payload, starting from the segment id
#       16     8  first seq         of its first event                          ┐
#       24     4  count             events in it                                │ the part
#       28     2  type              1 EVENTS, 2 MARKER                          │ of the header
#       30     2  reserved          0                                           │ that the chain
#       32     8  recorded_at_ns    signed, Unix time in ns                     │ covers
#       40     8  epoch             of the writer that appended it              ┘
#       48     8  durable_seq       highest sequence number known durable when this was written
#       56    32  chain             SHA-256(chain before it ‖ bytes 16 to 47 ‖ SHA-256(payload))
#       88     n  payload
#     88+n   0-7  padding           zeros, up to a multiple of 8
RECORD_HEADER_BYTES: Final = 88
RECORD_MAGIC: Final = b"\xc5REC"
_CHECKED: Final = 8  # where the bytes start that the header's crc covers
_CHAINED: Final = slice(16, 48)
_pack_prefix = struct.Struct("<4sI").pack
_pack_payload_check = struct.Struct("<II").pack
_pack_chained = struct.Struct("<QIHxxqQ").pack
_pack_durable_seq = struct.Struct("<Q").pack
_unpack_header = struct.Struct("<4sIIIQIHHqQQ32s").unpack_from
_EVENTS: Final = int(RecordType.EVENTS)
_PADDING: Final = tuple(bytes(size) for size in range(8))


class RecordHeader(NamedTuple):
    """The part of a record's header that the chain covers; it does not depend on the position."""

    first_seq: int
    count: int  # type: ignore[assignment]  # 0 in a marker; hides tuple.count, of no use here
    type: int
    recorded_at_ns: int
    epoch: int


class StoredRecord(NamedTuple):
    record: Record  # count 0 and an empty payload: a marker
    durable_seq: int
    size_bytes: int  # with header and padding


class DurableHead(NamedTuple):
    """The fields of a valid record header; the bytes around it may be anything."""

    payload_bytes: int
    payload_crc: int
    first_seq: int
    count: int  # type: ignore[assignment]  # as in RecordHeader
    durable_seq: int


def record_size_bytes(payload_bytes: int) -> int:
    """The size in a segment of a record with that payload, with header and padding."""
    return (RECORD_HEADER_BYTES + payload_bytes + 7) & ~7


def chain_record(before: bytes, header: RecordHeader, payload: bytes) -> bytes:
    """The chain hash (32 bytes) of a record that follows one with the hash `before`."""
    return sha256(before + _pack_chained(*header) + sha256(payload).digest()).digest()


def encode_record(
    before: bytes, header: RecordHeader, payload: bytes, *, durable_seq: int, segment_id: int
) -> tuple[bytes, bytes]:
    """The bytes of a record, with header and padding, and its chain hash.

    Args:
        before: the chain hash of the record before it.
        header: the part that the chain covers.
        payload: empty in a marker.
        durable_seq: the highest sequence number that is known to be durable.
        segment_id: of its segment.
    """
    packed = _pack_chained(*header)
    chain = sha256(before + packed + sha256(payload).digest()).digest()
    check = _pack_payload_check(len(payload), crc32(payload, segment_id))
    checked = check + packed + _pack_durable_seq(durable_seq) + chain
    prefix = _pack_prefix(RECORD_MAGIC, crc32(checked, segment_id))
    return b"".join((prefix, checked, payload, _PADDING[-len(payload) % 8])), chain


def decode_record(
    data: bytes, at: int, segment_id: int, next_seq: int, before: bytes
) -> StoredRecord | None:
    """Decode and verify the record at `data[at:]`.

    Args:
        data: a part of a segment.
        at: where the record starts in it.
        segment_id: the segment's.
        next_seq: what the record's first sequence number has to be.
        before: the chain hash of the record before it.

    Returns:
        The record; None where there are zeros.

    Raises:
        Incomplete: `data` ends before the record does.
        BadBytes: these bytes are not the next record.
    """
    start = at + RECORD_HEADER_BYTES
    if len(data) < start:
        raise Incomplete(RECORD_HEADER_BYTES)
    (
        magic, header_crc, length, payload_crc,
        first_seq, count, kind, reserved, recorded_at_ns, epoch, durable_seq, chain,
    ) = _unpack_header(data, at)  # fmt: skip
    if magic != RECORD_MAGIC:
        if not data[at:start].strip(b"\0"):
            return None
        raise BadBytes(f"record magic {magic.hex()}", RECORD_MAGIC.hex(), torn=True)
    _check_crc("header", data[at + _CHECKED : start], segment_id, header_crc)
    if kind != _EVENTS or not count or not 0 < length <= MAX_PAYLOAD_BYTES or reserved:
        _check_unusual(kind, count, length, reserved)
    if first_seq != next_seq or durable_seq >= first_seq:
        found = f"sequence number {first_seq}, durable_seq {durable_seq}"
        raise BadBytes(found, f"{next_seq}, and a smaller one")
    end = start + length
    size_bytes = (RECORD_HEADER_BYTES + length + 7) & ~7
    if len(data) < at + size_bytes:
        raise Incomplete(size_bytes)
    payload = data[start:end]
    _check_crc("payload", payload, segment_id, payload_crc)
    chained = data[at + _CHAINED.start : at + _CHAINED.stop]
    expected = sha256(before + chained + sha256(payload).digest()).digest()
    if chain != expected:
        raise BadBytes(f"chain {chain.hex()}", expected.hex())
    if data[end : at + size_bytes] != _PADDING[-length % 8]:
        raise BadBytes(f"padding {data[end : at + size_bytes].hex()}", "zeros")
    record = Record(first_seq, count, recorded_at_ns, epoch, chain, payload)
    return StoredRecord(record, durable_seq, size_bytes)


def chain_in(data: bytes) -> bytes:
    """The chain hash in the header of the record that `data` begins with, as it is there."""
    return bytes(data[RECORD_HEADER_BYTES - len(NO_CHAIN) : RECORD_HEADER_BYTES])


def _check_crc(what: str, data: bytes, segment_id: int, stored: int) -> None:
    crc = crc32(data, segment_id)
    if crc != stored:
        raise BadBytes(f"{what} crc {stored:#010x}", f"{crc:#010x}", torn=True)


def _check_unusual(kind: int, count: int, length: int, reserved: int) -> None:
    """Check a record that is not an EVENTS record of a valid size: only a marker is valid."""
    if kind not in {RecordType.EVENTS, RecordType.MARKER} or reserved:
        raise BadBytes(f"record type {kind}, reserved {reserved}", "1 or 2, and 0", newer=True)
    if kind == RecordType.EVENTS or count or length:
        found = f"type {kind} with {count} events in {length} bytes"
        raise BadBytes(found, "a marker with neither, or events with both")


def decode_durable_head(data: bytes, at: int, segment_id: int) -> DurableHead | None:
    """Decode the record header at `data[at:]`; None if it is not whole and valid."""
    start = at + RECORD_HEADER_BYTES
    if len(data) < start:
        return None
    magic, header_crc, *head, _, _, _, _, durable_seq, _ = _unpack_header(data, at)
    valid = magic == RECORD_MAGIC and header_crc == crc32(data[at + _CHECKED : start], segment_id)
    return DurableHead._make((*head, durable_seq)) if valid else None
