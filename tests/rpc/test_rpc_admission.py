"""Places for calls: no party takes another's, and some are kept."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.admission import Pool, party_of

STEPS = st.lists(st.one_of(st.sampled_from("abcd"), st.integers(0, 20)))


@given(st.integers(1, 12), st.integers(1, 6), STEPS)
def test_a_call_gets_a_place_exactly_when_one_is_left_for_it(
    for_all: int, for_party: int, steps: list[str | int]
) -> None:
    """Whatever came and went: all calls count for the pool, a party's own against its share."""
    pool, inside = Pool(for_all, for_party), list[str]()
    for step in steps:
        if isinstance(step, int):
            if inside:
                pool.leave(inside.pop(step % len(inside)))
            continue
        has_place = len(inside) < for_all and inside.count(step) < for_party
        assert pool.enter(step) == has_place
        if has_place:
            inside.append(step)
        assert pool.taken == len(inside)


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_an_ipv4_address_is_a_party(address: IPv4Address, port: int) -> None:
    """Whatever the port, and also where the socket is an IPv6 one."""
    party = str(address)
    assert party_of(f"ipv4:{address}:{port}") == party
    assert party_of(f"ipv6:[::ffff:{address}]:{port}") == party


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1), st.integers(0, 65535))
def test_an_ipv6_network_is_a_party(address: IPv6Address, host: int, port: int) -> None:
    """All addresses that differ in the last 64 bits only are one."""
    other = IPv6Address(int(address) >> 64 << 64 | host)
    if address.ipv4_mapped is None and other.ipv4_mapped is None:
        assert party_of(f"ipv6:[{address}]:{port}") == party_of(f"ipv6:[{other}]:1")


@pytest.mark.parametrize("peer", ["unix:", "unix-abstract:x", "ipv4:odd", "ipv6:", ""])
def test_another_peer_is_a_party_of_its_own(peer: str) -> None:
    """What is no IP address is taken as it is."""
    assert party_of(peer) == peer
