"""Bytes ↔ a snapshot's header, without any I/O. `README.md` is the specification."""

import struct
from typing import Final, NamedTuple

from eventlog.api import LogPosition
from eventlog.header_format import decode_header, with_crc

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
_HEADER: Final = struct.Struct("<8sII16sQQQ32s32sqQ32sI")


class SnapshotHeader(NamedTuple):
    schema: int
    log_id: bytes  # 16 bytes
    position: LogPosition
    segments: bytes  # SHA-256, 32 bytes
    created_ns: int
    payload_bytes: int
    payload_hash: bytes  # SHA-256, 32 bytes


def encode_snapshot_header(header: SnapshotHeader) -> bytes:
    """The first 176 bytes of a snapshot."""
    schema, log_id, position, *rest = header
    return with_crc(_HEADER.pack(_MAGIC, SNAPSHOT_VERSION, schema, log_id, *position, *rest, 0))


def decode_snapshot_header(data: bytes) -> SnapshotHeader:
    """Decode the first bytes of a snapshot.

    Raises:
        BadBytes: this is no snapshot's header, or one of another version.
    """
    schema, log_id, segment, offset, last_seq, chain, *rest, _ = decode_header(
        data, _HEADER, _MAGIC, SNAPSHOT_VERSION, "snapshot"
    )
    return SnapshotHeader(schema, log_id, LogPosition(segment, offset, last_seq, chain), *rest)
