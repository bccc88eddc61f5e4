"""Places for calls: no party takes another's, and some are kept."""

from collections import Counter
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.admission import Admission, Places, party_of

CALLS = st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans())


@st.composite
def places(draw: st.DrawFn) -> Places:
    for_all = draw(st.integers(1, 12))
    return Places(
        for_all,
        draw(st.integers(0, for_all)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 6)),
    )


@given(places(), st.lists(st.one_of(CALLS, st.integers(0, 20))))
def test_a_call_gets_a_place_exactly_when_one_is_left_for_it(
    of_port: Places, steps: list[tuple[str, bool, bool] | int]
) -> None:
    """Whatever came and went before: a share each, and the reserved places for the entitled."""
    admission, inside = Admission(of_port), list[tuple[str, bool, bool]]()
    for step in steps:
        if isinstance(step, int):
            if inside:
                party, _, is_stream = inside.pop(step % len(inside))
                admission.leave(party, is_stream=is_stream)
            continue
        party, is_reserved, is_stream = step
        of_party = Counter((call[0], call[2]) for call in inside)[party, is_stream]
        room = of_port.for_all - (0 if is_reserved else of_port.reserved)
        share = of_port.streams_for_party if is_stream else of_port.for_party
        has_place = len(inside) < room and of_party < share
        entered = admission.enter(party, is_reserved=is_reserved, is_stream=is_stream)
        assert entered == has_place
        if entered:
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
