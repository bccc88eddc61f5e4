"""The kernel's network configuration, through rtnetlink. Everything here blocks."""

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Final

from nc.errors import OperatorError
from nc.net.overlay import LocalAddress, LocalRoute

# Marks routes as ours ("ip route" shows it); no routing daemon has this number.
PROTOCOL: Final = 110

_MAIN_TABLE: Final = 254
_DUMP_TRIES: Final = 5


class KernelRefused(OperatorError):
    """The kernel does not take an address or a route."""


@contextlib.contextmanager
def opened(what: str) -> Iterator[Any]:
    """pyroute2's view of the kernel; `what` is for the error.

    Raises:
        KernelRefused: the kernel refused a request within the block.
    """
    # An agent without a TUN device needs no routes, and the library takes 12 MB.
    from pyroute2 import IPRoute, NetlinkError  # type: ignore[import-untyped] # noqa: PLC0415

    try:
        with IPRoute() as kernel:
            yield kernel
    except NetlinkError as error:
        remedy = ""
        if error.code == errno.EEXIST:
            remedy = "something else on this machine has it already (see ip route)"
        problem = f"the kernel refuses {what}: {os.strerror(error.code)}"
        raise KernelRefused(problem, remedy=remedy) from error


@contextlib.contextmanager
def ignoring(*codes: int) -> Iterator[None]:
    """Ignore that the kernel refuses, for one of these reasons (errno)."""
    from pyroute2 import NetlinkError  # noqa: PLC0415 - as above

    try:
        yield
    except NetlinkError as error:
        if error.code not in codes:
            raise


def add_missing(kernel: Any, what: str, **fields: Any) -> bool:
    """Add an address or a route unless it is there; whether it was missing."""
    from pyroute2 import NetlinkError  # noqa: PLC0415 - as above

    try:
        getattr(kernel, what)("add", **fields)
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise
        return False
    return True


def remove_address(kernel: Any, index: int, address: str) -> None:
    """Remove a /32 from a device, unless it is gone."""
    from pyroute2 import NetlinkError  # noqa: PLC0415 - as above

    try:
        kernel.addr("del", index=index, local=address, prefixlen=32, family=socket.AF_INET)
    except NetlinkError as error:
        if error.code != errno.EADDRNOTAVAIL:
            raise


def device_index(kernel: Any, device: str) -> int:
    """Raises KernelRefused if there is no such device."""
    indices = kernel.link_lookup(ifname=device)
    if not indices:
        raise KernelRefused(f"the device {device} is gone")
    return int(indices[0])


def local_addresses(kernel: Any, without: int) -> list[LocalAddress]:
    """The machine's IPv4 addresses, but for those on one device."""
    names = _device_names(kernel)
    return [
        LocalAddress(
            IPv4Interface((entry.get("local") or entry.get("address"), entry["prefixlen"])),
            names.get(entry["index"], "?"),
        )
        for entry in _dump(kernel.get_addr, family=socket.AF_INET)
        if entry["index"] != without
    ]


def local_routes(kernel: Any, without: int) -> list[LocalRoute]:
    """The IPv4 routes of the main table, but for those by one device."""
    names = _device_names(kernel)
    return [
        LocalRoute(
            IPv4Network((entry.get("dst") or "0.0.0.0", entry["dst_len"])),  # noqa: S104 - a route
            names.get(entry.get("oif"), "?"),
            IPv4Address(gateway) if (gateway := entry.get("gateway")) else None,
            entry.get("priority") or 0,
        )
        for entry in _dump(kernel.get_routes, family=socket.AF_INET, table=_MAIN_TABLE)
        if entry.get("oif") != without
    ]


def _device_names(kernel: Any) -> dict[int, str]:
    return {entry["index"]: entry.get("ifname") for entry in _dump(kernel.get_links)}


def _dump(read: Callable[..., Iterable[Any]], **filters: int) -> list[Any]:
    """All entries of a table, from one moment: the kernel says if it changed meanwhile."""
    from pyroute2 import NetlinkDumpInterrupted  # noqa: PLC0415 - as above

    for _ in range(_DUMP_TRIES):
        with contextlib.suppress(NetlinkDumpInterrupted):
            return list(read(**filters))
    raise KernelRefused(
        "this machine's routes change too fast to be read; find out what changes them "
        "(ip monitor route)"
    )
