"""All of this machine's traffic through the overlay, except for the link itself.

IPv4 goes into the device: two routes that together cover every address take precedence over the
default route, which stays. IPv6 does not cross the overlay, so it is refused, and does not leave
the machine beside it: programs get "no route" at once, and take IPv4. What is more specific stays
reachable: the machine's own networks.

Routes that are not on the device outlive this process: that to the server, and those that refuse
IPv6. They are recorded in a file before they are made, removed at the end, and after a crash at the
next start.

Everything here blocks: call it off the event loop.
"""

import errno
import json
import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final

from nc.files import OS_FILES, replace_file
from nc.net import kernel
from nc.small_files import read_small

_HALVES: Final = ("0.0.0.0/1", "128.0.0.0/1")
_IPV6_HALVES: Final = ("::/1", "8000::/1")
_IPV6: Final = Path("/proc/net/if_inet6")  # absent where the kernel has none

_SCOPE_LINK: Final = 253

Server = IPv4Address | IPv6Address


class Redirect:
    """The routes, from `begin` to `end`.

    Args:
        record: the file that holds the routes outside the device.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._inside: list[dict[str, Any]] = []  # on the device
        self._outside: list[dict[str, Any]] = []

    def begin(self, device: str, server: Server) -> None:
        """Send all traffic into a device, except to the server.

        Raises:
            KernelRefused: the kernel refuses.
            OSError: the record cannot be written.
        """
        self.end()
        with kernel.opened(f"the default route through {device}") as netlink:
            index = kernel.device_index(netlink, device)
            is_near = server.is_loopback or server.is_link_local
            outside = [] if is_near else [_route_to(netlink, server)]
            if _IPV6.exists():
                outside += [_refusal(half) for half in _IPV6_HALVES]
            replace_file(OS_FILES, self._record, json.dumps(outside).encode(), 0o600)
            self._outside = outside
            self._inside = [
                {"dst": half, "oif": index, "proto": kernel.PROTOCOL} for half in _HALVES
            ]
            _add_missing(netlink, (*self._outside, *self._inside))

    def restore(self) -> list[str]:
        """Make the routes again that are missing; returns what they were.

        Raises:
            KernelRefused: the kernel refuses.
        """
        if not self._inside:
            return []
        with kernel.opened("the default route through the overlay") as netlink:
            return _add_missing(netlink, (*self._outside, *self._inside))

    def end(self) -> None:
        """Undo `begin`, also that of a process that crashed. Idempotent.

        Raises:
            KernelRefused: the kernel refuses.
        """
        if not self._inside and not self._record.exists():
            return
        with kernel.opened("the routes of before") as netlink:
            for route in (*self._inside, *self._recorded()):
                with kernel.ignoring(errno.ESRCH, errno.ENODEV):  # gone, or gone with the device
                    netlink.route("del", **route)
            self._inside, self._outside = [], []
            self._record.unlink(missing_ok=True)

    def _recorded(self) -> list[dict[str, Any]]:
        try:
            routes = json.loads(read_small(self._record))
        except (FileNotFoundError, ValueError, RecursionError):  # not whole, so not made either
            return []
        if isinstance(routes, dict):  # version 0.1 wrote one
            return [routes]
        each = routes if isinstance(routes, list) else []
        return [route for route in each if isinstance(route, dict)]


def _add_missing(netlink: Any, routes: tuple[dict[str, Any], ...]) -> list[str]:
    return [
        f"the route to {route['dst']}"
        for route in routes
        if kernel.add_missing(netlink, "route", **route)
    ]


def _refusal(destination: str) -> dict[str, Any]:
    return {
        "dst": destination,
        "type": "unreachable",
        "family": socket.AF_INET6,
        "proto": kernel.PROTOCOL,
    }


def _route_to(netlink: Any, server: Server) -> dict[str, Any]:
    """The route by which the server is reached now, as a route to it alone."""
    family = socket.AF_INET if isinstance(server, IPv4Address) else socket.AF_INET6
    (found,) = netlink.route("get", dst=str(server), family=family)
    route = {"dst": f"{server}/{server.max_prefixlen}", "oif": found.get("oif")}
    route |= {"family": family, "proto": kernel.PROTOCOL}
    if (gateway := found.get("gateway")) is not None:
        route["gateway"] = gateway
    elif family == socket.AF_INET:
        route["scope"] = _SCOPE_LINK  # on the same network
    return route
