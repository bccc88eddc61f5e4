"""Ends connections from below: gRPC has no way to end one connection from the server.

A connection is found among this process's descriptors by its two addresses. A descriptor is
duplicated before its addresses are read, so that one that is reused meanwhile is never shut down.
gRPC sees that the peer is gone, and ends the connection's calls.
"""

import contextlib
import os
import socket
import stat
import threading
import time
from typing import Final

# How long peers are gathered before the next search, which takes 10 ms with a thousand connections:
# a quarter of a core at most.
_PAUSE_S: Final = 0.03


class HangUps:
    """Peers whose connections are to end; a thread ends them.

    Attributes:
        ended: how many connections were ended.
    """

    def __init__(self) -> None:
        self._wanted: set[tuple[int, str]] = set()
        self._searched: set[tuple[int, str]] = set()  # that are being ended now
        self._is_wanted = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None
        self.ended = 0

    def want(self, local_port: int, peer: str) -> None:
        """Have a connection end soon; in one thread.

        Args:
            local_port: the server's end.
            peer: the caller's end as gRPC writes it: `ipv4:192.0.2.1:4711`, `ipv6:[::1]:4711`.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="grpc-hang-up")
            self._thread.start()
        self._wanted.add((local_port, peer))
        self._is_wanted.set()

    @property
    def are_wanted(self) -> bool:
        """Whether any connection is to end."""
        return bool(self._wanted or self._searched)

    def is_wanted(self, local_port: int, peer: str) -> bool:
        """Whether this connection is to end, and has not yet; the arguments as of `want`."""
        connection = (local_port, peer)
        return connection in self._wanted or connection in self._searched

    def stop(self) -> None:
        """End the thread, if there is one."""
        self._is_over = True
        self._is_wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._is_wanted.wait() and not self._is_over:
            self._is_wanted.clear()
            self._searched = wanted = self._wanted
            self._wanted = set()
            for descriptor in _descriptors():
                with contextlib.suppress(OSError):  # it was closed, or has no peer any more
                    self.ended += _shut_down(descriptor, wanted)
            self._searched = set()
            time.sleep(_PAUSE_S)


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names alone
    except OSError:  # no descriptor is left to list them with
        return []


def _shut_down(descriptor: int, wanted: set[tuple[int, str]]) -> bool:
    """Shut a connection down if it is wanted.

    Raises:
        OSError: it is closed.
    """
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family not in {socket.AF_INET, socket.AF_INET6}:
            return False
        local, peer = connection.getsockname(), connection.getpeername()
        if (local[1], _as_grpc_writes(peer)) not in wanted:
            return False
        connection.shutdown(socket.SHUT_RDWR)
        return True


def _as_grpc_writes(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[:2]
    host = host.partition("%")[0]
    if mapped := host.removeprefix("::ffff:") if "." in host else "":
        return f"ipv4:{mapped}:{port}"
    return f"ipv6:[{host}]:{port}"
