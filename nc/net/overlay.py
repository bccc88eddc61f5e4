"""Whether an overlay network may be set on this machine. Pure.

Two rules. `require_bounded`: whatever a server hands over, a node takes a network of at most a /8
of ordinary addresses; all addresses only where its operator asked for that (`redirectGateway`).
`find_conflict`: the overlay must not hide what this machine reaches already, nor the server that
the link itself goes to.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final, NamedTuple

from nc.errors import OperatorError

# A shorter prefix is a default route in effect: a VPN's 0.0.0.0/1, for example.
SHORTEST_PREFIX: Final = 8

ALL: Final = IPv4Network("0.0.0.0/0")

# Addresses of no overlay: "this network", loopback, link-local, multicast, reserved (RFC 6890).
_SPECIAL: Final = tuple(
    map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"))
)

_POINT_TO_POINT: Final = 31  # such a network has neither a number nor a broadcast address

REMEDY: Final = (
    "choose another overlay with --network-addr on the server; or on a node --route-metric N, for "
    "a route of that metric beside the machine's own, or --no-route, for none"
)


class OverlayRefused(OperatorError):
    """This overlay network must not be set on this machine."""


class LocalRoute(NamedTuple):
    """A network that the machine reaches by a device, on it or through a gateway."""

    network: IPv4Network
    device: str
    gateway: IPv4Address | None = None
    metric: int = 0


class LocalAddress(NamedTuple):
    """An address of the machine, with the network on the device."""

    interface: IPv4Interface
    device: str


class Wanted(NamedTuple):
    """What is to be set.

    Attributes:
        interface: the machine's overlay address and the overlay network.
        server: where the link goes to; None on the server, or if that is no IPv4 address.
        has_route: whether the overlay network gets a route at all.
        metric: of that route; None: the operator has not chosen one, and no overlap is accepted.
        own: a second address, which what this machine sends into the overlay comes from.
    """

    interface: IPv4Interface
    server: IPv4Address | None = None
    has_route: bool = True
    metric: int | None = None
    own: IPv4Address | None = None


def require_bounded(interface: IPv4Interface, *, may_be_all: bool = False) -> None:
    """Check that an address and its network are ones that an overlay may have.

    `may_be_all` accepts 0.0.0.0/0 as the network, too.

    Raises:
        OverlayRefused: they are not.
    """
    network, address = interface.network, interface.ip
    is_all = network == ALL and may_be_all
    if network.prefixlen < SHORTEST_PREFIX and not is_all:
        raise OverlayRefused(
            f"{interface} is too large for an overlay: its prefix must be /{SHORTEST_PREFIX} or "
            "longer"
        )
    mine = IPv4Network(address) if is_all else network
    for special in _SPECIAL:
        if special.overlaps(mine):
            raise OverlayRefused(f"{interface} cannot be an overlay: {special} is reserved")
    ends = (network.network_address, network.broadcast_address)
    if network.prefixlen < _POINT_TO_POINT and address in ends:
        raise OverlayRefused(f"{interface} is not the address of a machine in its network")


def find_conflict(
    wanted: Wanted, addresses: Iterable[LocalAddress], routes: Iterable[LocalRoute]
) -> str | None:
    """What an overlay would take from this machine, as a sentence; None: nothing.

    The addresses and routes are the machine's, without those on the overlay's own device.
    """
    overlay = wanted.interface.network
    networks = [route for route in routes if route.network.prefixlen >= SHORTEST_PREFIX]
    for interface, device in addresses:
        if interface.ip == wanted.interface.ip:
            return f"this machine has the address {interface.ip} already, on {device}"
        if _is_overlap_refused(wanted) and interface.network.overlaps(overlay):
            return f"the overlay {overlay} overlaps the network of {device} ({interface})"
    for route in networks if _is_overlap_refused(wanted) else ():
        if route.gateway is not None and route.gateway in overlay:
            return f"the gateway {route.gateway} on {route.device} is in the overlay {overlay}"
        if _hides(overlay, route):
            return f"the overlay {overlay} overlaps the route to {route.network} by {route.device}"
    if wanted.server is not None and _captures(wanted, wanted.server, networks):
        return (
            f"the server's address {wanted.server} is in the overlay {overlay}: the link would be "
            "led into itself"
        )
    return None


def _is_overlap_refused(wanted: Wanted) -> bool:
    return wanted.has_route and wanted.metric is None and wanted.interface.network != ALL


def _hides(overlay: IPv4Network, route: LocalRoute) -> bool:
    """Whether both want the same packets; a part of what lies behind a gateway may be split off."""
    if route.gateway is not None:
        return route.network.subnet_of(overlay)
    return route.network.overlaps(overlay)


def _captures(wanted: Wanted, server: IPv4Address, routes: Iterable[LocalRoute]) -> bool:
    """Whether packets to the server would go into the overlay's device."""
    overlay = wanted.interface.network
    if server == wanted.interface.ip:
        return True
    if not wanted.has_route or overlay == ALL or server not in overlay:
        return False
    own = (-overlay.prefixlen, wanted.metric or 0)
    others = [(-r.network.prefixlen, r.metric) for r in routes if server in r.network]
    return not any(other < own for other in others)  # the longest prefix, then the least metric
