"""Offloads in software: completes partial checksums, and segments super-packets.

Linux leaves both to the device (`IFF_VNET_HDR`), and a frame of the offload subprotocol carries
what is left to do in its header (`nc.net.wire`). An end that takes only whole packets gets them
from here. Only TCP over IPv4 is ever larger than the MTU: nothing else is enabled on our devices.

Pure. A header comes from another machine: for any content the result is packets or `BadHeader`.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from nc.net import ipv4
from nc.net.ipv4 import checksum_sum, inverted
from nc.net.wire import VNET_HEADER_BYTES

NEEDS_CHECKSUM: Final = 1  # of the flags; the others say nothing that must be done

# `gso_type`; nothing else is enabled on our devices.
GSO_NONE: Final = 0
GSO_TCP4: Final = 1
GSO_ECN: Final = 0x80  # beside GSO_TCP4: the connection uses explicit congestion notification

_HEADER: Final = struct.Struct("<BBHHHH")
_WORD: Final = struct.Struct("!H")
_TWO_WORDS: Final = struct.Struct("!HH")
_LONG: Final = struct.Struct("!I")

_MIN_TCP_HEADER_BYTES: Final = 20
_TCP_CHECKSUM: Final = 16  # offset in the TCP header
_UDP_CHECKSUM: Final = 6  # and in the UDP header
_FIN_AND_PSH: Final = 0x09  # the last segment's alone
_CWR: Final = 0x80  # the first segment's alone
_ALL_ONES: Final = 0xFFFF

# The fewest bytes a segment may carry. It bounds what a packet of 64 KiB can be made into, and so
# what one node's frame costs the hub: 256 segments take 0.3 ms, those of 8 bytes that Linux would
# allow (TCP_MIN_GSO_SIZE) forty times as long. Every host takes 536 bytes (RFC 9293, 3.7.1).
_MIN_GSO_BYTES: Final = 256


class BadHeader(ValueError):
    """The header does not fit its packet; the packet cannot be used."""


class VnetHeader(NamedTuple):
    """Linux's `struct virtio_net_hdr`: the offloads that are left to do to a packet."""

    flags: int = 0
    gso_type: int = GSO_NONE
    header_length: int = 0  # only a hint
    gso_size: int = 0  # payload bytes of each segment
    checksum_start: int = 0  # from the packet's first byte
    checksum_offset: int = 0  # from checksum_start

    @classmethod
    def unpack(cls, frame: bytes | memoryview) -> "VnetHeader":
        """Read it from the beginning of a frame.

        Raises:
            BadHeader: the frame is shorter than a header.
        """
        try:
            return cls._make(_HEADER.unpack_from(frame))
        except struct.error:
            raise BadHeader(f"a frame of {len(frame)} bytes has no header") from None

    def pack(self) -> bytes:
        return _HEADER.pack(*self)


def require_harmless(header: VnetHeader, packet_bytes: int) -> None:
    """Check that a header's offloads can be done, and at a bounded cost.

    One node's header is passed on to another machine's kernel only after this.

    Raises:
        BadHeader: it asks for what was never enabled, for tiny segments, or for a checksum outside
            of the packet or within its IPv4 header.
    """
    kind = header.gso_type & ~GSO_ECN
    if kind not in {GSO_NONE, GSO_TCP4}:
        raise BadHeader(f"GSO type {header.gso_type} was never enabled")
    if kind == GSO_TCP4 and header.gso_size < _MIN_GSO_BYTES:
        raise BadHeader(f"segments of {header.gso_size} bytes")
    if header.flags & NEEDS_CHECKSUM:
        _require_checksum_inside(header.checksum_start, header.checksum_offset, packet_bytes)


def _require_checksum_inside(start: int, offset: int, packet_bytes: int) -> None:
    at = start + offset
    if start < ipv4.MIN_HEADER_BYTES or at + 2 > packet_bytes:
        raise BadHeader(f"no checksum at {at} of a packet of {packet_bytes} bytes")


def whole_packets(frame: bytes | memoryview) -> list[bytes]:
    """A frame of the offload subprotocol as complete packets, for an end that takes nothing else.

    Raises:
        BadHeader: the header does not fit its packet.
    """
    return segment(VnetHeader.unpack(frame), bytes(frame[VNET_HEADER_BYTES:]))


def segment(header: VnetHeader, packet: bytes) -> list[bytes]:
    """The complete packets that a packet and its header stand for, in their order.

    Raises:
        BadHeader: the header does not fit its packet.
    """
    require_harmless(header, len(packet))
    if header.gso_type & ~GSO_ECN == GSO_TCP4:
        return list(_tcp_segments(header, packet))
    if not header.flags & NEEDS_CHECKSUM:
        return [packet]
    return [complete_checksum(packet, header.checksum_start, header.checksum_offset)]


def complete_checksum(packet: bytes, start: int, offset: int) -> bytes:
    """Complete a partial checksum: so far it is the sum of the pseudo-header alone.

    Args:
        packet: an IPv4 packet.
        start: where the bytes begin that the checksum is of, to the packet's end.
        offset: where the checksum is, from there.

    Raises:
        BadHeader: these are not in the packet.
    """
    _require_checksum_inside(start, offset, len(packet))
    checksum = inverted(checksum_sum(packet[start:]))
    if checksum == 0 and offset == _UDP_CHECKSUM and packet[9] == ipv4.UDP:
        checksum = _ALL_ONES  # a UDP checksum of zero means that there is none (RFC 768)
    completed = bytearray(packet)
    _WORD.pack_into(completed, start + offset, checksum)
    return bytes(completed)


class _Layout(NamedTuple):
    """Where the parts of a TCP packet over IPv4 begin, in bytes."""

    tcp: int
    payload: int


def _layout(packet: bytes) -> _Layout:
    if (
        len(packet) < ipv4.MIN_HEADER_BYTES
        or packet[0] >> 4 != ipv4.VERSION
        or packet[9] != ipv4.TCP
    ):
        raise BadHeader("only TCP over IPv4 can be segmented")
    tcp = (packet[0] & 0x0F) * 4
    if tcp < ipv4.MIN_HEADER_BYTES or len(packet) < tcp + _MIN_TCP_HEADER_BYTES:
        raise BadHeader(f"no TCP header at {tcp} of a packet of {len(packet)} bytes")
    payload = tcp + (packet[tcp + 12] >> 4) * 4
    if payload < tcp + _MIN_TCP_HEADER_BYTES or len(packet) < payload:
        raise BadHeader(f"no payload at {payload} of a packet of {len(packet)} bytes")
    return _Layout(tcp, payload)


def _tcp_segments(header: VnetHeader, packet: bytes) -> Iterator[bytes]:
    """Cut a TCP super-packet as the kernel does (net/ipv4/tcp_offload.c, `tcp_gso_segment`)."""
    at = _layout(packet)
    (first_id,) = _WORD.unpack_from(packet, 4)
    (first_sequence,) = _LONG.unpack_from(packet, at.tcp + 4)
    flags = packet[at.tcp + 13]
    blank = _without_own_fields(packet, at)
    ip_sum = checksum_sum(blank[: at.tcp])
    tcp_sum = checksum_sum(blank[12:20]) + ipv4.TCP + checksum_sum(blank[at.tcp :])
    starts = range(at.payload, max(len(packet), at.payload + 1), header.gso_size)
    for index, start in enumerate(starts):
        payload = packet[start : start + header.gso_size]
        length, ip_id = at.payload + len(payload), (first_id + index) & _ALL_ONES
        sequence = (first_sequence + start - at.payload) & 0xFFFF_FFFF
        own_flags = flags & ~(0 if start == starts[-1] else _FIN_AND_PSH) & ~(_CWR if index else 0)
        headers = blank.copy()
        _TWO_WORDS.pack_into(headers, 2, length, ip_id)
        _WORD.pack_into(headers, 10, inverted(ip_sum + length + ip_id))
        _LONG.pack_into(headers, at.tcp + 4, sequence)
        headers[at.tcp + 13] = own_flags
        total = tcp_sum + (length - at.tcp) + (sequence >> 16) + (sequence & _ALL_ONES) + own_flags
        _WORD.pack_into(headers, at.tcp + _TCP_CHECKSUM, inverted(total + checksum_sum(payload)))
        yield bytes(headers) + payload


def _without_own_fields(packet: bytes, at: _Layout) -> bytearray:
    """Both headers with the fields zeroed that differ between segments."""
    blank = bytearray(packet[: at.payload])
    tcp = at.tcp
    for field in (
        slice(2, 6),  # IP: length, id
        slice(10, 12),  # IP: checksum
        slice(tcp + 4, tcp + 8),  # TCP: sequence number
        slice(tcp + 13, tcp + 14),  # TCP: flags
        slice(tcp + _TCP_CHECKSUM, tcp + _TCP_CHECKSUM + 2),
    ):
        blank[field] = bytes(field.stop - field.start)
    return blank
