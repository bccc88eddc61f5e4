"""Ports: having them, and saying in a sentence why one cannot be had."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable
from typing import Final

from nc.errors import OperatorError

# Connections that the kernel holds for us until we accept them; it may allow fewer.
_BACKLOG: Final = 4096

_REMEDIES: Final = {
    errno.EADDRINUSE: "stop what uses it, or choose another port",
    errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another port",
}


class PortUnavailable(OperatorError):
    """A port cannot be listened on."""

    def __init__(self, address: str, reason: str, number: int | None = None) -> None:
        self.address = address
        remedy = _REMEDIES.get(number or 0, "choose another port")
        super().__init__(
            f"cannot listen on {address}: {reason}; {remedy} (see network-controller serve --help)"
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; `[::]` means every address, those of IPv4 included.

    Args:
        host: an address, IPv6 in brackets.
        port: its number, 0 for any that is free.

    Raises:
        PortUnavailable: somebody else has it, or it may not be had.
    """
    bare_host = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # As gRPC does: a connection of before that lingers is no reason to fail.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((bare_host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise PortUnavailable(f"{host}:{port}", reason.lower(), error.errno) from error
    return listener


def try_ports(host: str, ports: Iterable[int]) -> None:
    """See that each port can be had, before anything is made.

    Raises:
        PortUnavailable: the first that cannot, and why.
    """
    with contextlib.ExitStack() as held:  # all of them at once: no port can be had twice
        for port in ports:
            held.enter_context(listen(host, port))
