"""IPv4 packets as this code builds them, against a builder that shares nothing with it."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from nc.net.ipv4 import build_packet
from tests.support.plain_packets import ip_packet

ADDRESSES = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))


@given(
    source=ADDRESSES,
    destination=ADDRESSES,
    payload=st.binary(max_size=1400),
    protocol=st.integers(0, 255),
    packet_id=st.integers(0, 0xFFFF),
    ttl=st.integers(0, 255),
)
def test_both_builders_agree(
    source: str, destination: str, payload: bytes, protocol: int, packet_id: int, ttl: int
) -> None:
    """Header, checksum and payload are the same bytes."""
    assert build_packet(
        source, destination, payload, protocol=protocol, packet_id=packet_id, ttl=ttl
    ) == ip_packet(source, destination, protocol, payload, ip_id=packet_id, ttl=ttl)
