"""Sockets that listen, and errors that name what to do where one cannot be had."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from nc.errors import OperatorError

# Connections that the kernel holds for us until we accept them; it may allow fewer.
_BACKLOG: Final = 4096

_OWNER_ONLY: Final = 0o600

_REMEDIES: Final = {
    errno.EADDRINUSE: "stop what uses it, or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address: choose another with --listen",
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


class SocketUnavailable(OperatorError):
    """A Unix socket cannot be made."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; `[::]` means every address, those of IPv4 included.

    Args:
        host: an address, IPv6 in brackets.
        port: its number, 0 for any that is free.

    Raises:
        PortUnavailable: another program has it, or this one may not have it.
    """
    bare_host = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # As gRPC does: a connection of the process before, in TIME_WAIT, is no reason to fail.
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


def try_ports(listeners: Iterable[tuple[str, int]]) -> None:
    """Check that all these addresses and ports can be listened on at once.

    Raises:
        PortUnavailable: for the first that cannot.
    """
    with contextlib.ExitStack() as held:
        for host, port in listeners:
            held.enter_context(listen(host, port))


def listen_unix(path: Path) -> socket.socket:
    """A Unix socket at `path`, for its owner only; one that is there is replaced.

    Raises:
        SocketUnavailable: it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.fchmod(listener.fileno(), _OWNER_ONLY)  # Linux gives the name the socket's own mode
    try:
        path.unlink(missing_ok=True)
        with short_name(path) as name:
            listener.bind(name)
    except OSError as error:
        listener.close()
        raise SocketUnavailable(
            f"{path} cannot be made: {error.strerror}",
            remedy="choose another folder with --data-dir",
        ) from error
    return listener


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name for a Unix socket's path by way of an open folder: it may have 107 bytes only."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
