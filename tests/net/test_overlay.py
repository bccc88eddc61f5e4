"""Which overlay may be set on a machine: bounds for what a server hands over, and conflicts."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nc.net.overlay import (
    LocalAddress,
    LocalRoute,
    OverlayRefused,
    Wanted,
    find_conflict,
    require_bounded,
)

INTERFACES = st.builds(
    lambda address, length: IPv4Interface((address, length)),
    st.ip_addresses(v=4),
    st.integers(0, 32),
)
# Few octets, so that networks meet.
NEAR = st.builds(
    lambda octets, length: IPv4Interface((".".join(map(str, octets)), length)),
    st.tuples(st.just(10), st.integers(0, 2), st.integers(0, 2), st.integers(1, 6)),
    st.integers(8, 30),
)
GATEWAY = IPv4Address("192.168.0.1")


def is_bounded(interface: IPv4Interface, *, may_be_all: bool = False) -> bool:
    """Whether `require_bounded` accepts it."""
    try:
        require_bounded(interface, may_be_all=may_be_all)
    except OverlayRefused:
        return False
    return True


def route(network: str, gateway: str | None = None, metric: int = 0) -> LocalRoute:
    """A route by eth0."""
    at = None if gateway is None else IPv4Address(gateway)
    return LocalRoute(IPv4Network(network), "eth0", at, metric)


@given(INTERFACES, st.booleans())
def test_what_is_accepted_is_a_machine_in_at_most_a_sixteen_millionth(
    interface: IPv4Interface, may_be_all: bool
) -> None:
    """No special address, no network larger than a /8, and all of them with consent only."""
    assume(is_bounded(interface, may_be_all=may_be_all))
    network, address = interface.network, interface.ip
    assert network.prefixlen >= 8 or (may_be_all and network.prefixlen == 0)
    special = (address.is_loopback, address.is_multicast, address.is_reserved)
    assert not any((*special, address.is_link_local, address.is_unspecified))
    if 8 <= network.prefixlen < 31:
        assert address not in (network.network_address, network.broadcast_address)


@pytest.mark.parametrize("text", ["10.1.1.3/24", "10.0.0.3/8", "100.64.0.9/10", "10.1.1.3/31"])
def test_ordinary_overlays_are_accepted(text: str) -> None:
    """As upstream servers hand them over."""
    assert is_bounded(IPv4Interface(text))


@pytest.mark.parametrize(
    "text",
    [
        "10.1.1.3/0", "10.1.1.3/1", "10.1.1.3/7", "127.0.0.1/8", "0.0.0.0/0", "224.0.0.5/4",
        "224.0.0.5/24", "255.255.255.255/32", "169.254.1.3/16", "0.0.0.3/8", "240.0.0.3/8",
        "10.1.1.0/24", "10.1.1.255/24",
    ],
)  # fmt: skip
def test_what_would_take_the_machine_over_is_refused(text: str) -> None:
    """Everything else a server could hand over."""
    assert not is_bounded(IPv4Interface(text))


def test_all_addresses_take_the_operators_word() -> None:
    """0.0.0.0/0 goes with redirectGateway alone, and its address is a machine's still."""
    assert is_bounded(IPv4Interface("10.1.1.3/0"), may_be_all=True)
    assert not is_bounded(IPv4Interface("127.0.0.1/0"), may_be_all=True)
    assert not is_bounded(IPv4Interface("10.1.1.3/1"), may_be_all=True)


@given(NEAR, st.lists(NEAR, max_size=3), st.lists(NEAR, max_size=3))
def test_an_overlay_conflicts_exactly_with_what_it_overlaps(
    overlay: IPv4Interface, addresses: list[IPv4Interface], networks: list[IPv4Interface]
) -> None:
    """By default no network on a device of the machine may overlap the overlay."""
    local = [LocalAddress(interface, "eth0") for interface in addresses]
    routes = [LocalRoute(interface.network, "eth0") for interface in networks]
    overlaps = any(i.network.overlaps(overlay.network) for i in (*addresses, *networks))
    assert (find_conflict(Wanted(overlay), local, routes) is not None) == overlaps


@given(NEAR, NEAR)
def test_a_part_of_what_a_gateway_leads_to_may_be_an_overlay(
    overlay: IPv4Interface, beyond: IPv4Interface
) -> None:
    """As long as the route is the larger one: 10.1.1.0/24 of 10.0.0.0/8, say."""
    conflict = find_conflict(
        Wanted(overlay), [], [LocalRoute(beyond.network, "eth0", gateway=GATEWAY)]
    )
    assert (conflict is not None) == beyond.network.subnet_of(overlay.network)


@given(NEAR, NEAR, st.lists(NEAR, max_size=3), st.one_of(st.none(), st.integers(1, 200)))
def test_no_accepted_overlay_takes_the_link(
    overlay: IPv4Interface, server: IPv4Interface, lan: list[IPv4Interface], metric: int | None
) -> None:
    """With any choice, a packet to the server takes a route of the machine's own.

    Independently: of the routes that lead to it, the longest prefix, then the least metric.
    """
    routes = [LocalRoute(interface.network, "eth0", metric=100) for interface in lan]
    wanted = Wanted(overlay, server.ip, metric=metric)
    assume(find_conflict(wanted, [], routes) is None)
    table = [LocalRoute(overlay.network, "overlay", metric=metric or 0), *routes]
    leading = [r for r in table if server.ip in r.network]
    if leading:
        best = min(leading, key=lambda r: (-r.network.prefixlen, r.metric, r.device == "eth0"))
        assert best.device == "eth0"


@given(NEAR, st.lists(NEAR, max_size=3))
def test_without_a_route_only_the_address_itself_conflicts(
    overlay: IPv4Interface, addresses: list[IPv4Interface]
) -> None:
    """`--no-route` takes nothing from anyone."""
    local = [LocalAddress(interface, "eth0") for interface in addresses]
    conflict = find_conflict(Wanted(overlay, has_route=False), local, [])
    assert (conflict is not None) == any(i.ip == overlay.ip for i in addresses)


def test_default_routes_are_no_conflict() -> None:
    """Neither the default route nor the two halves that a VPN sets instead."""
    routes = [route("0.0.0.0/0", "192.0.2.1"), route("0.0.0.0/1", "192.0.2.1"), route("10.0.0.0/7")]
    assert find_conflict(Wanted(IPv4Interface("10.1.1.3/24")), [], routes) is None


def test_each_conflict_says_with_what() -> None:
    """The sentence names the networks, the device and the server."""
    overlay = IPv4Interface("10.1.1.3/24")
    lan = LocalAddress(IPv4Interface("10.1.7.50/16"), "eth0")
    assert find_conflict(Wanted(overlay), [lan], []) == (
        "the overlay 10.1.1.0/24 overlaps the network of eth0 (10.1.7.50/16)"
    )
    server = IPv4Address("10.1.1.254")
    assert find_conflict(Wanted(overlay, server), [], []) == (
        "the server's address 10.1.1.254 is in the overlay 10.1.1.0/24: the link would be led into "
        "itself"
    )
