"""Where this machine is reached, when nothing says it."""

import contextlib
import socket
from collections.abc import Sequence
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


def seen_elsewhere(advertise: Sequence[str], other: str) -> str:
    """A sentence, if a server that took its address by itself may not be reached there.

    With several networks, that of the default route need not be the one where the others are.

    Args:
        advertise: what the server announces.
        other: address or name at which another server is reached.
    """
    towards = _address_towards(other)
    with contextlib.suppress(ConfigError):
        if not towards or ip_address(towards).is_loopback or list(advertise) != [own_address()]:
            return ""
    if towards in advertise:
        return ""
    return (
        f"this server announces {', '.join(advertise)}, its address on its default route, and "
        f"reaches {other} from {towards}: if machines are to reach it there, stop it, and start it "
        f"with --advertise {towards}"
    )


def _address_towards(host: str) -> str:
    """This machine's address on the route to another one; "" if there is none."""
    with contextlib.suppress(OSError):
        for family, kind, _, _, place in socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM):
            with contextlib.suppress(OSError), socket.socket(family, kind) as probe:
                probe.connect(place)
                return str(probe.getsockname()[0])
    return ""


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
