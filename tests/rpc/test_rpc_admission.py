"""Places for calls: no party takes another's, and some are kept."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.admission import Admission, Places, Pool, party_of

PLACES = st.fixed_dictionaries(
    {pool: st.builds(Places, st.integers(1, 12), st.integers(1, 6)) for pool in Pool}
)
CALLS = st.tuples(st.sampled_from(Pool), st.sampled_from("abcd"))


@given(PLACES, st.lists(st.one_of(CALLS, st.integers(0, 20))))
def test_a_call_gets_a_place_exactly_when_one_is_left_for_it(
    places: dict[Pool, Places], steps: list[tuple[Pool, str] | int]
) -> None:
    """Whatever came and went: calls of its own pool count, those of its party against its share."""
    admission, inside = Admission(places), list[tuple[Pool, str]]()
    for step in steps:
        if isinstance(step, int):
            if inside:
                admission.leave(*inside.pop(step % len(inside)))
            continue
        pool, _ = step
        of_pool = sum(call[0] is pool for call in inside)
        has_place = of_pool < places[pool].for_all and inside.count(step) < places[pool].for_party
        assert admission.enter(*step) == has_place
        if has_place:
            inside.append(step)
        assert admission.taken == len(inside)


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
