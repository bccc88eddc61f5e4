"""A TUN device's address, peer, size and route in the kernel: set, and set again when lost.

The kernel removes them with the device, however the process ends. What sends all of a machine's
traffic through the overlay is in `nc.net.redirect`.

All but `open_tun` block: call them off the event loop.
"""

import asyncio
import contextlib
import socket
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, NamedTuple

from nc.net import kernel
from nc.net.overlay import ALL, REMEDY, OverlayRefused, Wanted, find_conflict
from nc.net.tun import Tun
from nc.net.wire import MAX_FRAME_BYTES, VNET_HEADER_BYTES

# The kernel's largest super-packets must fit into a frame with their header.
_GSO_MAX_BYTES: Final = MAX_FRAME_BYTES - VNET_HEADER_BYTES

_IFF_UP: Final = 1
_SCOPE_LINK: Final = 253


class DeviceNetwork(NamedTuple):
    """What a TUN device is to have."""

    wanted: Wanted
    mtu: int


def peer_of(address: IPv4Address) -> IPv4Address:
    """The other half of an address's pair: .4 of .3, .2 of .1."""
    return address + 1 if int(address) % 2 else address - 1


def restore(device: str, network: DeviceNetwork) -> list[str]:
    """Give a device what it lacks of its address, size and route; returns what that was.

    Raises:
        OverlayRefused: it would take something from this machine.
        KernelRefused: the kernel refuses, or the device is gone.
    """
    wanted = network.wanted
    with kernel.opened(f"{wanted.interface} on {device}") as netlink:
        index = kernel.device_index(netlink, device)
        routes = kernel.local_routes(netlink, without=index)
        conflict = find_conflict(wanted, kernel.local_addresses(netlink, without=index), routes)
        if conflict is not None:
            raise OverlayRefused(conflict, remedy=REMEDY)
        return _add_missing(netlink, index, network)


def _add_missing(netlink: Any, index: int, network: DeviceNetwork) -> list[str]:
    wanted, local = network.wanted, str(network.wanted.interface.ip)
    added = []
    (link,) = netlink.get_links(index)
    is_up = bool(link["flags"] & _IFF_UP)
    # With a metric, and without a route, the peer's address may be another machine's.
    is_alone = wanted.metric is not None or not wanted.has_route
    peer = local if is_alone else str(peer_of(wanted.interface.ip))
    address = {"index": index, "local": local, "address": peer, "prefixlen": 32}
    if kernel.add_missing(netlink, "addr", family=socket.AF_INET, **address):
        added.append(f"the address {local}")
    source = local if wanted.own is None else str(wanted.own)
    own = {"index": index, "local": source, "address": source, "prefixlen": 32}
    if source != local and kernel.add_missing(netlink, "addr", family=socket.AF_INET, **own):
        added.append(f"the address {source}")
    if not is_up or link.get("mtu") != network.mtu:
        netlink.link("set", index=index, mtu=network.mtu, gso_max_size=_GSO_MAX_BYTES, state="up")
        added.append("the device's MTU and state")
    if wanted.has_route and wanted.interface.network != ALL:
        route = _route(index, wanted)
        if kernel.add_missing(netlink, "route", **route):
            added.append(f"the route to {route['dst']}")
    return added


def _route(index: int, wanted: Wanted) -> dict[str, Any]:
    """The route to the overlay, as rtnetlink wants it."""
    metric = {} if wanted.metric is None else {"priority": wanted.metric}
    return {
        "dst": str(wanted.interface.network),
        "oif": index,
        "prefsrc": str(wanted.own or wanted.interface.ip),
        "proto": kernel.PROTOCOL,
        "scope": _SCOPE_LINK,
        **metric,
    }


def change_own(device: str, network: DeviceNetwork, before: IPv4Address | None) -> None:
    """Let what this machine sends into the overlay come from another address than before.

    Args:
        device: the device.
        network: what it is to have, the own address as it is from now on.
        before: the own address until now.

    Raises:
        OverlayRefused, KernelRefused: see `restore`.
    """
    restore(device, network)
    with kernel.opened(f"the route of {device}") as netlink:
        index = kernel.device_index(netlink, device)
        if network.wanted.has_route and network.wanted.interface.network != ALL:
            netlink.route("replace", **_route(index, network.wanted))
        if before is not None and before != network.wanted.own:
            kernel.remove_address(netlink, index, str(before))


async def open_tun(network: DeviceNetwork, offload: bool) -> Tun:
    """Make a TUN device with an address, and the route to its network.

    Raises:
        TunUnavailable: there can be no device.
        OverlayRefused, KernelRefused: see `restore`.
    """
    tun = Tun(offload=offload)
    try:
        await asyncio.to_thread(configure, tun.name, network)
    except BaseException:
        tun.close()
        raise
    return tun


def configure(device: str, network: DeviceNetwork) -> None:
    """Set up a device that was just made; raises as `restore`."""
    with contextlib.suppress(OSError):  # nothing but IPv4 crosses the link
        Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").write_text("1", encoding="ascii")
    restore(device, network)
