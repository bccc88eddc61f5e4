"""Bytes ↔ a snapshot's header, without any I/O. `README.md` is the specification."""

import struct
from typing import Final, NamedTuple
from zlib import crc32

from eventlog.api import LogPosition
from eventlog.format import BadBytes

__all__ = ["SNAPSHOT_HEADER_BYTES", "SnapshotHeader", "decode_header", "encode_header"]

SNAPSHOT_VERSION: Final = 1

# Snapshot, `<20 digits of the last event>.snapshot`
#
#   offset  size  field
#   ------  ----  ------------------------------------------------------------
#        0     8  magic             "EVLOGSNP"
#        8     4  format version    1
#       12     4  schema            the application's own, of the payload
#       16    16  log id            the log's
#       32     8  segment           the position: first seq of the segment,
#       40     8  offset            … offset in it, behind a marker or the segment's header
#       48     8  last seq          the last event that is in the snapshot
#       56    32  chain             the log's, at the position
#       88    32  segments          SHA-256 of the headers of all segments to that one, in order
#      120     8  created_ns        signed, Unix time in ns
#      128     8  payload length    bytes
#      136    32  payload hash      SHA-256
#      168     4  reserved          0
#      172     4  crc32             of bytes 0 to 171
#      176     n  payload
SNAPSHOT_HEADER_BYTES: Final = 176
_MAGIC: Final = b"EVLOGSNP"
_VERSION: Final = struct.Struct("<8sI")
_HEADER: Final = struct.Struct("<8sII16sQQQ32s32sqQ32sI")
_CRC: Final = struct.Struct("<I")


class SnapshotHeader(NamedTuple):
    schema: int
    log_id: bytes  # 16 bytes
    position: LogPosition
    segments: bytes  # SHA-256, 32 bytes
    created_ns: int
    payload_bytes: int
    payload_hash: bytes  # SHA-256, 32 bytes


def encode_header(header: SnapshotHeader) -> bytes:
    """The first 176 bytes of a snapshot."""
    schema, log_id, position, *rest = header
    body = _HEADER.pack(_MAGIC, SNAPSHOT_VERSION, schema, log_id, *position, *rest, 0)
    return body + _CRC.pack(crc32(body))


def decode_header(data: bytes) -> SnapshotHeader:
    """Decode the first bytes of a snapshot.

    Raises:
        BadBytes: this is no snapshot's header, or one of another version.
    """
    if len(data) < SNAPSHOT_HEADER_BYTES:
        raise BadBytes(f"{len(data)} bytes", f"a snapshot header of {SNAPSHOT_HEADER_BYTES}")
    magic, version = _VERSION.unpack_from(data)
    if magic != _MAGIC:
        raise BadBytes(f"snapshot magic {magic.hex()}", _MAGIC.hex())
    if version != SNAPSHOT_VERSION:
        raise BadBytes(f"snapshot version {version}", f"{SNAPSHOT_VERSION}", newer=True)
    body = data[: _HEADER.size]
    (stored,) = _CRC.unpack_from(data, _HEADER.size)
    if stored != crc32(body):
        raise BadBytes(f"snapshot header crc {stored:#010x}", f"{crc32(body):#010x}")
    _, _, schema, log_id, segment, offset, last_seq, chain, *rest, _ = _HEADER.unpack(body)
    return SnapshotHeader(schema, log_id, LogPosition(segment, offset, last_seq, chain), *rest)
