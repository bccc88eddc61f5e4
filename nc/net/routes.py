"""A TUN device's address, peer, size and routes, in the kernel.

The kernel removes them with the device, however the process ends. There is one exception: where a
node sends all its traffic through the overlay, the server itself is still reached outside of it,
by a route on another device. That route is recorded in a file before it is made, removed at the
end, and after a crash at the next start.

All but `open_tun` block: call them off the event loop.
"""

import asyncio
import contextlib
import errno
import json
import os
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, Final

from nc.files import OS_FILES, replace_file
from nc.net.tun import Tun, TunUnavailable
from nc.net.wire import MAX_FRAME_BYTES, VNET_HEADER_BYTES

# The kernel's largest super-packets must fit into a frame with their header.
_GSO_MAX_BYTES: Final = MAX_FRAME_BYTES - VNET_HEADER_BYTES

# Marks the routes as ours ("ip route" shows it); no routing daemon has this number.
_PROTOCOL: Final = 110

# Together they cover every address, and take precedence over a default route, which stays.
_HALVES: Final = ("0.0.0.0/1", "128.0.0.0/1")


def peer_of(address: IPv4Address) -> IPv4Address:
    """The other half of an address's pair: .4 of .3, .2 of .1."""
    return address + 1 if int(address) % 2 else address - 1


def configure(device: str, interface: IPv4Interface, mtu: int) -> None:
    """Give a device its address, its peer, its size and the route to the overlay network.

    Raises:
        TunUnavailable: the kernel refuses.
    """
    local, peer = str(interface.ip), str(peer_of(interface.ip))
    with contextlib.suppress(OSError):  # nothing but IPv4 crosses the link
        Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").write_text("1", encoding="ascii")
    with _kernel(f"{interface} on {device}") as kernel:
        index = _index(kernel, device)
        kernel.link("set", index=index, mtu=mtu, gso_max_size=_GSO_MAX_BYTES)
        kernel.addr("add", index=index, local=local, address=peer, prefixlen=32)
        kernel.link("set", index=index, state="up")
        kernel.route(
            "add", dst=str(interface.network), oif=index, prefsrc=local, proto=_PROTOCOL, scope=253
        )


async def open_tun(interface: IPv4Interface, offload: bool, mtu: int) -> Tun:
    """Make a TUN device with an address, and the route to its network.

    Raises:
        TunUnavailable: not allowed, or not possible here.
    """
    tun = Tun(offload=offload)
    try:
        await asyncio.to_thread(configure, tun.name, interface, mtu)
    except BaseException:
        tun.close()
        raise
    return tun


class Redirect:
    """Sends all of this machine's traffic through the overlay, except for the link itself.

    Args:
        record: the file that holds the route outside the device.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._device_index = 0  # of the device that gets all traffic; 0: none

    def begin(self, device: str, server: IPv4Address | None) -> None:
        """Send all traffic into a device, except to the server; None: it is not reached by IPv4.

        Raises:
            TunUnavailable: the kernel refuses.
            OSError: the record cannot be written.
        """
        self.end()
        with _kernel(f"the default route through {device}") as kernel:
            index = _index(kernel, device)
            if server is not None and not server.is_loopback:
                route = _route_to(kernel, server)
                text = json.dumps(route).encode()
                replace_file(OS_FILES, self._record, text, 0o600)
                with _ignoring(errno.EEXIST):  # there is such a route already, and it stays
                    kernel.route("add", **route)
            self._device_index = index
            for half in _HALVES:
                kernel.route("add", dst=half, oif=index, proto=_PROTOCOL)

    def end(self) -> None:
        """Undo `begin`, also that of a process that crashed. Idempotent.

        Raises:
            TunUnavailable: the kernel refuses.
        """
        if not self._device_index and not self._record.exists():
            return
        with _kernel("the routes of before") as kernel:
            for half in _HALVES if self._device_index else ():
                with _ignoring(errno.ESRCH, errno.ENODEV):  # gone with the device
                    kernel.route("del", dst=half, oif=self._device_index)
            self._device_index = 0
            try:
                route = json.loads(self._record.read_bytes())
            except (FileNotFoundError, ValueError):  # ValueError: not whole, so not made either
                return
            with _ignoring(errno.ESRCH, errno.ENODEV):
                kernel.route("del", **route)
            self._record.unlink()


def _route_to(kernel: Any, server: IPv4Address) -> dict[str, Any]:
    """The route by which the server is reached now, as a route to it alone."""
    (found,) = kernel.route("get", dst=str(server))
    route = {"dst": f"{server}/32", "oif": found.get("oif"), "proto": _PROTOCOL}
    if (gateway := found.get("gateway")) is not None:
        route["gateway"] = gateway
    else:
        route["scope"] = 253  # on the same network
    return route


def _index(kernel: Any, device: str) -> int:
    indices = kernel.link_lookup(ifname=device)
    if not indices:
        raise TunUnavailable(f"the device {device} is gone")
    return int(indices[0])


@contextlib.contextmanager
def _kernel(what: str) -> Iterator[Any]:
    # An agent without a TUN device needs no routes, and the library takes 12 MB.
    from pyroute2 import IPRoute, NetlinkError  # type: ignore[import-untyped] # noqa: PLC0415

    try:
        with IPRoute() as kernel:
            yield kernel
    except NetlinkError as error:
        remedy = ""
        if error.code == errno.EEXIST:
            remedy = "; something else on this machine has it already (see ip route)"
        raise TunUnavailable(
            f"the kernel refuses {what}: {os.strerror(error.code)}{remedy}"
        ) from error


@contextlib.contextmanager
def _ignoring(*codes: int) -> Iterator[None]:
    from pyroute2 import NetlinkError  # noqa: PLC0415 - as above

    try:
        yield
    except NetlinkError as error:
        if error.code not in codes:
            raise
