"""The common parts of segment headers and snapshot headers: magic, version and crc32."""

import struct
from typing import Any, Final
from zlib import crc32

_VERSION: Final = struct.Struct("<8sI")
_CRC: Final = struct.Struct("<I")


class BadBytes(Exception):
    """Bytes that are not as expected; callers know the position, and raise LogDamaged."""

    def __init__(
        self,
        found: str,
        expected: str,
        *,
        torn: bool = False,
        newer: bool = False,
        short: bool = False,
    ) -> None:
        super().__init__(found, expected)
        self.found = found
        self.expected = expected
        self.torn = torn  # a write that was interrupted can look like this
        self.newer = newer  # a newer version of the format can look like this
        self.short = short  # the file ends before what was written to it does


def with_crc(body: bytes) -> bytes:
    """A segment's or a snapshot's header, complete with its crc32."""
    return body + _CRC.pack(crc32(body))


def decode_header(
    data: bytes, layout: struct.Struct, magic: bytes, version: int, what: str
) -> tuple[Any, ...]:
    """The fields of a segment's or a snapshot's header: those between version and crc32.

    Magic and version have the same place in every version of the format, so the version is checked
    before the checksum.

    Raises:
        BadBytes: this is no such header, or one of another version.
    """
    size_bytes = layout.size + _CRC.size
    if len(data) < size_bytes:
        raise BadBytes(f"{len(data)} bytes", f"a {what} header of {size_bytes}")
    found_magic, found_version = _VERSION.unpack_from(data)
    if found_magic != magic:
        raise BadBytes(f"{what} magic {found_magic.hex()}", magic.hex())
    if found_version != version:
        raise BadBytes(f"{what} format version {found_version}", f"{version}", newer=True)
    body = data[: layout.size]
    (stored,) = _CRC.unpack_from(data, layout.size)
    if stored != crc32(body):
        raise BadBytes(f"{what} header crc {stored:#010x}", f"{crc32(body):#010x}")
    return layout.unpack(body)[2:]
