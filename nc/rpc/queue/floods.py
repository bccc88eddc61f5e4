"""Ends connections that bring much while the process takes more and more memory.

gRPC holds each frame of a call's headers to `grpc.max_metadata_size`, but not all of them together.
Of headers that go on and on in CONTINUATION frames it keeps whatever comes, and it hands over no
call that could be refused. What tells of it is that memory grows, and how much each connection has
brought since the last look.
"""

import os
import resource
from collections.abc import Callable, Mapping
from typing import Final

from nc.rpc.queue.connections import Connection, Connections

# Growth that is looked into. Bodies that are being received take less.
_GROWTH_BYTES: Final = 32 * 1024 * 1024

# How long to the next look in any case, so that the one that follows growth is about a short time.
_LOOK_S: Final = 60.0


def resident_bytes() -> int | None:
    """How much memory the process takes; None if no descriptor is left to read that with."""
    try:
        descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return int(os.read(descriptor, 128).split()[1]) * resource.getpagesize()
    finally:
        os.close(descriptor)


class Floods:
    """Used in one thread.

    Args:
        most_brought: by the number of each port, how many bytes a connection may have brought
            since the last look when memory has grown.
        connections: of the process.
        memory_bytes: how much the process takes now.
    """

    def __init__(
        self,
        most_brought: Mapping[int, int],
        connections: Connections,
        memory_bytes: Callable[[], int | None] = resident_bytes,
    ) -> None:
        self._most_brought = most_brought
        self._connections = connections
        self._memory_bytes = memory_bytes
        self._brought: dict[Connection, int] = {}  # at the last look
        self._least_bytes = memory_bytes() or 0  # taken since the last look
        self._due_s = 0.0

    def look(self, now_s: float) -> list[Connection]:
        """End the connections that have brought too much, if it is time to look; which they were.

        A look takes some 20 µs a connection.

        Args:
            now_s: monotonic.
        """
        if (memory_bytes := self._memory_bytes()) is None:
            return []
        has_grown = memory_bytes - self._least_bytes > _GROWTH_BYTES
        if not has_grown and now_s < self._due_s:
            self._least_bytes = min(self._least_bytes, memory_bytes)
            return []
        ports, before = self._most_brought, self._brought
        self._brought = {
            each: self._connections.received_bytes(each)
            for each in self._connections
            if each.local_port in ports
        }
        self._least_bytes, self._due_s = memory_bytes, now_s + _LOOK_S
        if not has_grown:
            return []
        heavy = [
            each
            for each, bytes_ in self._brought.items()
            if bytes_ - before.get(each, 0) > ports[each.local_port]
        ]
        self._connections.end(heavy)
        return heavy
