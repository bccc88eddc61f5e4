"""IPv4 packets and their checksums, word by word as RFC 791, 768, 793 and 1071 say it: the model.

Slow, and written without looking at `nc.net.offload`, which is compared with it.
"""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

TCP, UDP = 6, 17


class TcpFields(NamedTuple):
    """What of a TCP packet matters here."""

    source: str
    destination: str
    ip_id: int
    sequence: int
    flags: int
    tcp_options: bytes
    ip_options: bytes
    payload: bytes


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071, section 1: add the words, and carry around."""
    total = 0
    for index in range(0, len(data), 2):
        total += int.from_bytes(data[index : index + 2].ljust(2, b"\0"), "big")
        if total > 0xFFFF:
            total = (total & 0xFFFF) + 1
    return total


def checksum(data: bytes) -> int:
    return 0xFFFF - ones_complement_sum(data)


def ip_packet(
    source: str,
    destination: str,
    protocol: int,
    body: bytes,
    *,
    ip_id: int = 0,
    options: bytes = b"",
    ttl: int = 64,
) -> bytes:
    """An IPv4 packet with its header's checksum; options are padded by the caller."""
    length = 20 + len(options) + len(body)
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | (5 + len(options) // 4),
        0,
        min(length, 0xFFFF),
        ip_id,
        0x4000,
        ttl,
        protocol,
        0,
        IPv4Address(source).packed,
        IPv4Address(destination).packed,
    )
    head += options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def pseudo_header(packet: bytes) -> bytes:
    """What a TCP or UDP checksum is of beside the segment itself."""
    body_length = len(packet) - (packet[0] & 15) * 4
    return packet[12:20] + struct.pack("!BBH", 0, packet[9], body_length)


def tcp_packet(fields: TcpFields, *, partial: bool = False) -> bytes:
    """A TCP packet; with `partial`, its checksum is the sum of the pseudo-header alone."""
    segment = struct.pack(
        "!HHIIBBHHH",
        40_000,
        443,
        fields.sequence,
        0x01020304,
        (5 + len(fields.tcp_options) // 4) << 4,
        fields.flags,
        0x7000,
        0,
        0,
    )
    segment += fields.tcp_options + fields.payload
    packet = ip_packet(
        fields.source,
        fields.destination,
        TCP,
        segment,
        ip_id=fields.ip_id,
        options=fields.ip_options,
    )
    return with_checksum(packet, 16, partial=partial)


def udp_packet(source: str, destination: str, payload: bytes, *, partial: bool = False) -> bytes:
    """A UDP packet; with `partial`, its checksum is the sum of the pseudo-header alone."""
    datagram = struct.pack("!HHHH", 5000, 6000, 8 + len(payload), 0) + payload
    return with_checksum(ip_packet(source, destination, UDP, datagram), 6, partial=partial)


def with_checksum(packet: bytes, offset: int, *, partial: bool) -> bytes:
    """Fill in the checksum, which is zero, at an offset in the part after the IP header."""
    start = (packet[0] & 15) * 4
    if partial:
        value = ones_complement_sum(pseudo_header(packet))
    else:
        value = checksum(pseudo_header(packet) + packet[start:])
        if value == 0 and packet[9] == UDP:
            value = 0xFFFF
    at = start + offset
    return packet[:at] + struct.pack("!H", value) + packet[at + 2 :]


def checksums_hold(packet: bytes) -> bool:
    """Whether the IP header and its TCP or UDP segment add up, and the length is right."""
    start = (packet[0] & 15) * 4
    length = int.from_bytes(packet[2:4], "big")
    return (
        length == len(packet)
        and ones_complement_sum(packet[:start]) == 0xFFFF
        and ones_complement_sum(pseudo_header(packet) + packet[start:]) == 0xFFFF
    )


def read_tcp(packet: bytes) -> TcpFields:
    """Take a TCP packet apart."""
    start = (packet[0] & 15) * 4
    data = start + (packet[start + 12] >> 4) * 4
    return TcpFields(
        str(IPv4Address(packet[12:16])),
        str(IPv4Address(packet[16:20])),
        int.from_bytes(packet[4:6], "big"),
        int.from_bytes(packet[start + 4 : start + 8], "big"),
        packet[start + 13],
        packet[start + 20 : data],
        packet[20:start],
        packet[data:],
    )
