"""Which addresses a network has for nodes, checked against a count by hand."""

from ipaddress import IPv4Address, IPv4Interface

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nc.domain.network import Network


def assignable(network: Network) -> list[str]:
    """All the addresses that nodes can be given, in order of their slots."""
    found = (network.address(slot) for slot in range(network.slots))
    return [address for address in found if address is not None]


def counted_by_hand(text: str) -> set[str]:
    """Odd hosts with a peer inside network and octet, without the server's neighbourhood."""
    interface = IPv4Interface(text)
    network = interface.network
    server = int(interface.ip) + (interface.ip == network.network_address)
    return {
        str(IPv4Address(number))
        for number in range(int(network.network_address), int(network.broadcast_address))
        if (number - int(network.network_address)) % 2 == 1
        and number % 256 != 255
        and number not in {server - 1, server, server + 1}
    }


@st.composite
def networks(draw: st.DrawFn, shortest: int = 8) -> str:
    """Any network that has room, with the server on any of its hosts but the last."""
    length = draw(st.integers(shortest, 29))
    size = 1 << (32 - length)
    base = draw(st.integers(0, (1 << length) - 1)) * size
    server = base + draw(st.integers(0, size - 2) | st.integers(0, 5) | st.just(size - 2))
    return f"{IPv4Address(server)}/{length}"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("10.1.1.1/24", 126),
        ("10.1.1.0/24", 126),
        ("10.1.1.1/16", 32_511),
        ("10.1.0.1/16", 32_511),
        ("10.1.1.1/29", 2),
        ("10.1.1.1/25", 62),
        ("10.1.1.129/25", 62),
        ("10.1.1.1/23", 253),
    ],
)
def test_how_many_nodes_a_network_has_room_for(text: str, count: int) -> None:
    """A /24 gives 126 nodes, a /16 really 32,511; all of them different."""
    addresses = assignable(Network.parse(text))
    assert len(addresses) == len(set(addresses)) == count


def test_the_first_addresses() -> None:
    """Nodes get .3, .5, .7 and so on up to .253; .1 is the server's."""
    addresses = assignable(Network.parse("10.1.1.1/24"))
    assert addresses == [f"10.1.1.{host}" for host in range(3, 255, 2)]


@given(networks(shortest=18))
@example("10.1.1.1/16")
@example("10.1.0.1/16")
@example("10.1.1.2/24")
@example("10.1.1.255/16")
@example("0.0.0.0/24")
@example("255.255.255.254/24")
def test_the_pool_is_what_a_count_by_hand_gives(text: str) -> None:
    """Exactly the odd hosts whose peer fits, without the server's pair, each in one slot."""
    addresses = assignable(Network.parse(text))
    assert len(addresses) == len(set(addresses))
    assert set(addresses) == counted_by_hand(text)


@given(networks(), st.data())
def test_no_address_breaks_the_laws(text: str, data: st.DataObject) -> None:
    """In any network: odd, inside, its peer inside, no .255, and neither half is the server's."""
    network = Network.parse(text)
    interface = IPv4Interface(text)
    near_an_end = st.integers(0, min(4, network.slots - 1)).map(lambda k: network.slots - 1 - k)
    slot = data.draw(st.integers(0, network.slots - 1) | near_an_end)
    address = network.address(slot)
    if address is None:
        return
    peer = IPv4Address(address) + 1
    assert int(IPv4Address(address)) % 2 == 1
    assert IPv4Address(address) in interface.network
    assert peer in interface.network
    assert peer != interface.network.broadcast_address
    assert int(peer) // 256 == int(IPv4Address(address)) // 256
    assert int(IPv4Address(address)) % 256 != 255
    assert network.server not in {int(IPv4Address(address)), int(peer)}
    assert network.slot(address) == slot


@given(networks(), st.integers(0, (1 << 32) - 1))
@example("10.1.1.1/24", int(IPv4Address("10.1.1.1")))
@example("10.1.1.1/24", int(IPv4Address("10.1.1.255")))
@example("10.1.1.1/24", int(IPv4Address("10.1.2.3")))
@example("10.1.1.1/24", int(IPv4Address("10.1.1.4")))
def test_slot_and_address_are_inverse(text: str, number: int) -> None:
    """An address is in a slot exactly if that slot gives it; foreign ones are in none."""
    network = Network.parse(text)
    inside = str(IPv4Address(network.base + number % network.size))
    for address in (inside, str(IPv4Address(number))):
        slot = network.slot(address)
        if slot is None:
            host = int(IPv4Address(address)) - network.base
            if 0 <= host < network.size and host % 2:
                own_slot = (host - 3) % network.size // 2
                assert network.address(own_slot) is None
        else:
            assert 0 <= slot < network.slots
            assert network.address(slot) == address


@given(networks())
def test_a_network_reads_back_as_it_prints(text: str) -> None:
    """What is printed parses to the same network; the network's own address means host 1."""
    network = Network.parse(text)
    assert Network.parse(str(network)) == network
    interface = IPv4Interface(text)
    stands_for_host_1 = interface.ip == interface.network.network_address
    assert network.server_address == str(interface.ip + stands_for_host_1)


@pytest.mark.parametrize(
    "text",
    ["", "10.1.1.1", "10.1.1.1/30", "10.1.1.1/32", "10.1.1.255/24", "10.1.1/24", "::1/64", "x/24"],
)
def test_what_is_not_a_network_with_room_is_refused(text: str) -> None:
    """A network without room for a node, or none at all, is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Network.parse(text)
