"""Where this machine is reached, when nothing says it."""

import contextlib
import socket
from ipaddress import ip_address

from nc.errors import ConfigError

# Addresses beyond every local network: connecting a datagram socket sends nothing.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2000::1"))


def default_advertise(listen: str | None) -> str:
    """The address that the server listens on, if it is one; else that of the default route.

    Raises:
        ConfigError: there is neither.
    """
    bare = (listen or "").removeprefix("[").removesuffix("]")
    with contextlib.suppress(ValueError):
        if not ip_address(bare).is_unspecified:
            return bare
    return own_address()


def own_address() -> str:
    """This machine's address on its default route, of IPv4 before IPv6.

    Raises:
        ConfigError: it has none.
    """
    for family, elsewhere in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    raise ConfigError(
        "this machine has no default route, so it is not known where other machines reach it; "
        "give that address or name with --advertise (127.0.0.1: only this machine will)"
    )


def listen_address() -> str:
    """Every address of this machine, IPv6 included where there is any."""
    return "[::]" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - a server's purpose
