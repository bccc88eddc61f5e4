"""Ends connections that bring much while memory grows, and those that bring some, unanswered.

gRPC holds each frame of a call's headers to `grpc.max_metadata_size`, but not all of them together.
Of headers that go on and on in CONTINUATION frames it keeps whatever comes, and it hands over no
call that could be refused. What tells of it is that memory grows, and how much each connection has
brought since the last look. Many that bring little each are recognised by what the server sends: an
honest caller is soon answered; one whose headers do not end never is.
"""

import os
import resource
from collections.abc import Callable, Mapping
from typing import Final

from nc.rpc.queue.connections import Connection, Connections, Traffic

# Growth that is looked into. Bodies that are being received take less.
_GROWTH_BYTES: Final = 32 * 1024 * 1024

# How long to the next look in any case, so that the one that follows growth is about a short time.
_LOOK_S: Final = 60.0

# An honest caller that brings more than `_BROUGHT_BYTES` gets more than `_ANSWER_BYTES` within
# `_ANSWER_S`: its calls are refused after ten seconds without a message, and of a message that is
# longer gRPC says that the rest may come. A TLS ping has some 40 bytes, and comes once a minute.
_ANSWER_S: Final = 15.0
_BROUGHT_BYTES: Final = 16 * 1024
_ANSWER_BYTES: Final = 128

_NONE: Final = Traffic(0, 0)


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
        self._before: dict[Connection, Traffic] = {}  # at the last look
        self._long_before: dict[Connection, Traffic] = {}  # at `_long_before_s`
        self._long_before_s = 0.0
        self._least_bytes = memory_bytes() or 0  # taken since the last look
        self._due_s = 0.0
        self._close_until_s = 0.0  # so long, looks come every `_ANSWER_S`: newcomers take two

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
        before = self._before
        self._before = {
            each: self._connections.traffic(each)
            for each in self._connections
            if each.local_port in self._most_brought
        }
        ended = self._unanswered(now_s)
        if has_grown:
            ended |= self._heavy(before)
        if has_grown or ended:
            self._close_until_s = now_s + 2 * _ANSWER_S
        self._least_bytes = memory_bytes
        self._due_s = now_s + (_ANSWER_S if now_s < self._close_until_s else _LOOK_S)
        self._connections.end(ended)
        return list(ended)

    def _heavy(self, before: Mapping[Connection, Traffic]) -> set[Connection]:
        """Those that have brought too much since the last look."""
        return {
            each
            for each, now in self._before.items()
            if now.received - before.get(each, _NONE).received > self._most_brought[each.local_port]
        }

    def _unanswered(self, now_s: float) -> set[Connection]:
        """Those that have brought something, and got no answer for `_ANSWER_S`; if that is over."""
        if now_s - self._long_before_s < _ANSWER_S:
            return set()
        before, self._long_before, self._long_before_s = self._long_before, self._before, now_s
        return {
            each
            for each, now in self._before.items()
            if (then := before.get(each)) is not None  # else it has just come
            and now.received - then.received > _BROUGHT_BYTES
            and now.sent - then.sent <= _ANSWER_BYTES
        }
