"""Offload in software, against a model that adds up word by word."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nc.net.ipv4 import checksum_sum
from nc.net.offload import (
    GSO_ECN,
    GSO_TCP4,
    NEEDS_CHECKSUM,
    BadHeader,
    VnetHeader,
    complete_checksum,
    segment,
    whole_packets,
)
from nc.net.wire import PLAIN_VNET_HEADER
from tests.support.plain_packets import (
    TcpFields,
    checksums_hold,
    ones_complement_sum,
    read_tcp,
    tcp_packet,
    udp_packet,
)

FIN, PSH, CWR = 0x01, 0x08, 0x80

addresses = st.integers(1, 2**32 - 1).map(
    lambda number: ".".join(str(octet) for octet in number.to_bytes(4, "big"))
)
options = st.integers(0, 10).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
packets = st.builds(
    TcpFields,
    addresses,
    addresses,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.integers(0, 0xFF),
    options,
    options,
    st.binary(max_size=3000) | st.just(bytes(range(256)) * 20),
)
# Well-formed or not; large packets and small segments are the costly ones.
headers = st.builds(
    VnetHeader,
    st.sampled_from((0, NEEDS_CHECKSUM, 2, 3)),
    st.sampled_from((0, GSO_TCP4, GSO_TCP4 | GSO_ECN, 3, 4, 5, GSO_ECN)),
    st.integers(0, 0xFFFF),
    st.integers(0, 2000),
    st.integers(0, 200),
    st.integers(0, 200),
)


def super_packet(fields: TcpFields, gso_size: int) -> tuple[VnetHeader, bytes]:
    """What a TUN device gives for a TCP packet that is larger than the MTU."""
    packet = tcp_packet(fields, partial=True)
    tcp = 20 + len(fields.ip_options)
    header_length = tcp + 20 + len(fields.tcp_options)
    return VnetHeader(NEEDS_CHECKSUM, GSO_TCP4, header_length, gso_size, tcp, 16), packet


@given(st.binary(max_size=200))
@example(b"")
@example(bytes(7))
@example(b"\xff" * 6)
@example(b"\xff\xff\x00\x01")
def test_the_fast_sum_is_the_slow_sum(data: bytes) -> None:
    """One division gives what adding word by word gives."""
    assert checksum_sum(data) == ones_complement_sum(data)


@given(packets, st.integers(256, 1500))
def test_segments_are_those_of_the_model(fields: TcpFields, gso_size: int) -> None:
    """Each segment is, byte for byte, the packet that the model makes of its part of the payload.

    So lengths, ids, sequence numbers, flags and all checksums are right, and the payloads put
    together are the payload.
    """
    header, packet = super_packet(fields, gso_size)
    count = max(1, math.ceil(len(fields.payload) / gso_size))
    expected = []
    for index in range(count):
        flags = fields.flags
        flags &= 0xFF if index == count - 1 else ~(FIN | PSH)
        flags &= 0xFF if index == 0 else ~CWR
        part = fields._replace(
            ip_id=(fields.ip_id + index) % 2**16,
            sequence=(fields.sequence + index * gso_size) % 2**32,
            flags=flags,
            payload=fields.payload[index * gso_size : (index + 1) * gso_size],
        )
        expected.append(tcp_packet(part))
    segments = segment(header, packet)
    assert segments == expected
    assert all(map(checksums_hold, segments))
    assert b"".join(read_tcp(piece).payload for piece in segments) == fields.payload


@given(packets)
def test_a_partial_tcp_checksum_is_completed(fields: TcpFields) -> None:
    """What the kernel left to the device comes out as if it had never been left."""
    partial, whole = tcp_packet(fields, partial=True), tcp_packet(fields)
    start = 20 + len(fields.ip_options)
    assert complete_checksum(partial, start, 16) == whole
    header = VnetHeader(NEEDS_CHECKSUM, checksum_start=start, checksum_offset=16)
    assert segment(header, partial) == [whole]


@given(addresses, addresses, st.binary(max_size=1500))
@example("0.0.0.1", "0.0.0.2", b"\xd8\x9c\xff\xdf")
def test_a_partial_udp_checksum_is_completed(source: str, destination: str, data: bytes) -> None:
    """As for TCP; and one that would be zero, which says that there is none, is all ones."""
    partial = udp_packet(source, destination, data, partial=True)
    completed = complete_checksum(partial, 20, 6)
    assert completed == udp_packet(source, destination, data)
    assert completed[26:28] != bytes(2)


def test_a_udp_checksum_of_zero_is_all_ones() -> None:
    """The one payload word that makes the sum all ones: never `no checksum`."""
    bare = udp_packet("10.0.0.1", "10.0.0.2", bytes(2))
    partial = udp_packet("10.0.0.1", "10.0.0.2", bare[26:28], partial=True)
    assert complete_checksum(partial, 20, 6)[26:28] == b"\xff\xff"


PLAIN_SEGMENT = tcp_packet(TcpFields("10.0.0.1", "10.0.0.2", 1, 1, 0x10, b"", b"", bytes(2000)))


@given(headers, st.binary(max_size=200) | packets.map(tcp_packet))
@example(VnetHeader(NEEDS_CHECKSUM, GSO_TCP4), PLAIN_SEGMENT)
@example(VnetHeader(NEEDS_CHECKSUM, GSO_TCP4, gso_size=1), PLAIN_SEGMENT)
@example(VnetHeader(NEEDS_CHECKSUM, GSO_TCP4, gso_size=255), PLAIN_SEGMENT)
def test_whatever_a_header_says_the_answer_is_packets_or_bad_header(
    header: VnetHeader, packet: bytes
) -> None:
    """A hostile header costs what its packet costs: nothing else is raised, the output bounded."""
    try:
        pieces = segment(header, packet)
    except BadHeader:
        return
    assert pieces
    assert len(pieces) <= 1 + len(packet) // 256
    assert sum(map(len, pieces)) <= len(packet) + 120 * len(pieces)


@given(packets)
def test_nothing_left_to_do_changes_nothing(fields: TcpFields) -> None:
    """The plain header brings back the packet as it is."""
    packet = tcp_packet(fields)
    assert whole_packets(PLAIN_VNET_HEADER + packet) == [packet]


@given(headers)
def test_a_header_is_read_as_it_was_written(header: VnetHeader) -> None:
    """Ten bytes, and back."""
    assert len(header.pack()) == len(PLAIN_VNET_HEADER)
    assert VnetHeader.unpack(header.pack() + b"packet") == header


@pytest.mark.parametrize("length", range(10))
def test_a_frame_too_short_for_a_header_is_refused(length: int) -> None:
    """No bytes are made up."""
    with pytest.raises(BadHeader):
        whole_packets(bytes(length))
