"""IPv4 headers and the Internet checksum (RFC 791, 3.1; RFC 1071). Pure."""

import struct
from ipaddress import IPv4Address
from typing import Final

VERSION: Final = 4
MIN_HEADER_BYTES: Final = 20
TCP: Final = 6
UDP: Final = 17

_HEADER: Final = struct.Struct("!BBHHHBBH4s4s")
_WORD: Final = struct.Struct("!H")
_CHECKSUM_AT: Final = 10
_ALL_ONES: Final = 0xFFFF


def build_packet(
    source: str | IPv4Address,
    destination: str | IPv4Address,
    payload: bytes,
    *,
    protocol: int = UDP,
    packet_id: int = 0,
    ttl: int = 64,
) -> bytes:
    """A packet that may not be fragmented: a header without options, its checksum, the payload."""
    header = bytearray(
        _HEADER.pack(
            VERSION << 4 | MIN_HEADER_BYTES // 4,
            0,
            MIN_HEADER_BYTES + len(payload),
            packet_id,
            0x4000,
            ttl,
            protocol,
            0,
            IPv4Address(source).packed,
            IPv4Address(destination).packed,
        )
    )
    _WORD.pack_into(header, _CHECKSUM_AT, inverted(checksum_sum(header)))
    return bytes(header) + payload


def checksum_sum(data: bytes | bytearray | memoryview) -> int:
    """The Internet checksum's sum of 16-bit words, ones' complement, before it is inverted.

    One division of the whole as a number: 2^16 leaves 1 over after division by 65535, so that the
    remainder is the sum of the words. Of data that are not all zero the sum is never zero.
    """
    number = int.from_bytes(data, "big")
    if len(data) % 2:
        number <<= 8  # padded to a whole word
    return number % _ALL_ONES or (_ALL_ONES if number else 0)


def inverted(total: int) -> int:
    """A sum of words as the checksum that goes into a packet."""
    return ~(total % _ALL_ONES or (_ALL_ONES if total else 0)) & _ALL_ONES
