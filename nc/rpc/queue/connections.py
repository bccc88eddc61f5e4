"""Looks at this process's TCP connections, and ends some: gRPC has no way to end one.

Descriptors are looked at one after the other, as a duplicate, so that one that is closed and used
for something else meanwhile is never taken for what it was. The duplicate has a descriptor that is
kept for it, and so there is one also when none is left.
"""

import contextlib
import ctypes
import os
import resource
import socket
import struct
from collections.abc import Container, Iterable, Iterator
from typing import Final, NamedTuple

# `tcpi_bytes_acked` and `tcpi_bytes_received` of Linux' `struct tcp_info`,
# include/uapi/linux/tcp.h.
_TCP_INFO_BYTES: Final = 136
_BYTES_ACKED_AT: Final = 120

# The first byte of it, the state: established, or only the caller has shut it down;
# include/net/tcp_states.h.
_OPEN: Final = {1, 8}

# Linux' `SO_ATTACH_FILTER`, `SO_DETACH_FILTER`, and a filter that drops everything: a `struct
# sock_filter` with `BPF_RET | BPF_K` of no bytes, in a `struct sock_fprog`; linux/filter.h.
_ATTACH_FILTER: Final = 26
_DETACH_FILTER: Final = 27
_DROP_ALL: Final = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))
_INSTRUCTION_BYTES: Final = 8
_FILTER: Final = struct.pack("@HP", 1, ctypes.addressof(_DROP_ALL))

# A `struct linger`: when gRPC or we close the connection, the kernel sends a reset and forgets it.
# Otherwise it would wait for an acknowledgement, which the filter drops, and the caller would learn
# of the end a minute later or not at all.
_RESET: Final = struct.pack("@ii", 1, 0)


def may_filter() -> bool:
    """Whether this process may have the kernel filter what comes on TCP connections.

    Newer kernels, such as Linux 6.18.44, ask for CAP_NET_ADMIN, in the user namespace that the
    network namespace is of. They ask for nothing to take a filter away.
    """
    with socket.socket() as tried:
        try:
            tried.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _FILTER)
        except OSError:
            return False
    return True


class Connection(NamedTuple):
    """One connection: the server's end, and the caller's.

    Attributes:
        host: an address; a link-local one with the number of its interface, `fe80::1%2`.
    """

    descriptor: int
    local_port: int
    host: str
    port: int

    @property
    def peer(self) -> str:
        """As gRPC writes it: `ipv4:192.0.2.1:4711`, `ipv6:[::1]:4711`."""
        if "." not in self.host:
            return f"ipv6:[{self.host}]:{self.port}"
        return f"ipv4:{self.host.removeprefix('::ffff:')}:{self.port}"


class Traffic(NamedTuple):
    """What has come on a connection, and what its caller has got; bytes."""

    received: int
    sent: int


class Connections:
    """Used in one thread."""

    def __init__(self) -> None:
        self._nothing = socket.socket(socket.AF_UNIX)
        duplicate = os.dup(self._nothing.fileno())
        # Of the family with the longest addresses, so that it can be asked for those of any.
        self._looked_at = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, duplicate)

    def close(self) -> None:
        self._looked_at.close()
        self._nothing.close()

    def __iter__(self) -> Iterator[Connection]:
        """Every connection that this process has not shut down; some 10 µs for each."""
        for descriptor in self._others():
            with contextlib.suppress(OSError):  # no socket, or it has no peer
                connection = self._look_at(descriptor)
                if connection is not None and self._state() in _OPEN:
                    yield connection
        self._look_away()

    def traffic(self, connection: Connection) -> Traffic:
        """How much there was on it until now; none if it has ended."""
        try:
            if self._look_at(connection.descriptor) != connection:
                return Traffic(0, 0)
            level, option = socket.IPPROTO_TCP, socket.TCP_INFO
            info = self._looked_at.getsockopt(level, option, _TCP_INFO_BYTES)
        except OSError:
            return Traffic(0, 0)
        finally:
            self._look_away()
        sent, received = struct.unpack_from("=QQ", info, _BYTES_ACKED_AT)
        return Traffic(received, sent)

    def silence(self, connection: Connection) -> bool:
        """Have the kernel drop whatever comes on it; False if that cannot be.

        It ends by `end`, or when gRPC closes it; the caller gets a reset at once.
        """
        try:
            if self._look_at(connection.descriptor) == connection:
                self._looked_at.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self._looked_at.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _FILTER)
                return True
        except OSError:
            pass
        finally:
            self._look_away()
        return False

    def end(self, connections: Iterable[Connection]) -> int:
        """Shut them down, unless they have ended; gRPC then closes them. How many there were."""
        ended = 0
        for connection in connections:
            with contextlib.suppress(OSError):
                if self._look_at(connection.descriptor) == connection:
                    with contextlib.suppress(OSError):  # most have no filter
                        self._looked_at.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
                    self._looked_at.shutdown(socket.SHUT_RDWR)
                    ended += 1
        self._look_away()
        return ended

    def filter_listeners(self, ports: Container[int], program: bytes) -> int:
        """Have the kernel run a filter on what new connections begin with; how many have it.

        Args:
            ports: whose.
            program: its instructions, `struct sock_filter` each; none of them: no filter.
        """
        instructions = ctypes.create_string_buffer(program)
        count = len(program) // _INSTRUCTION_BYTES
        option = _ATTACH_FILTER if program else _DETACH_FILTER
        value = struct.pack("@HP", count, ctypes.addressof(instructions))
        filtered = 0
        for descriptor in self._others():
            with contextlib.suppress(OSError):  # no socket, or one without a filter
                os.dup2(descriptor, self._looked_at.fileno(), inheritable=False)
                if (
                    self._looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                    and isinstance(name := self._looked_at.getsockname(), tuple)
                    and name[1] in ports
                ):
                    self._looked_at.setsockopt(socket.SOL_SOCKET, option, value)
                    filtered += 1
        self._look_away()
        return filtered

    def _others(self) -> list[int]:
        own = {self._nothing.fileno(), self._looked_at.fileno()}
        return [descriptor for descriptor in open_descriptors() if descriptor not in own]

    def _look_at(self, descriptor: int) -> Connection | None:
        """What it is now; None if that is no TCP connection.

        Raises:
            OSError: nor any other.
        """
        os.dup2(descriptor, self._looked_at.fileno(), inheritable=False)
        local, peer = self._looked_at.getsockname(), self._looked_at.getpeername()
        if not (isinstance(local, tuple) and isinstance(peer, tuple) and isinstance(peer[0], str)):
            return None
        host, interface = peer[0].partition("%")[0], peer[3:]
        return Connection(
            descriptor, local[1], f"{host}%{interface[0]}" if any(interface) else host, peer[1]
        )

    def _state(self) -> int:
        return self._looked_at.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]

    def _look_away(self) -> None:
        """Keep no connection open."""
        os.dup2(self._nothing.fileno(), self._looked_at.fileno(), inheritable=False)


def open_descriptors() -> Iterable[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names alone
    except OSError:  # no descriptor is left to list them with
        return range(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
