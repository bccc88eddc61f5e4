"""The newest events of the log, encoded once, from which all watches read.

A watch keeps its position alone, so that one that reads slowly costs no memory; the events that it
has not read are dropped like all others once there are too many. While nobody watches, nothing is
decoded.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple

from eventlog import ReadableLog
from nc.domain.codec.records import events_of
from nc.pb.admin.v1.events_pb2 import LoggedEvent, WatchEventsResponse
from nc.replica.errors import Stopping
from nc.rpc.admin.logged import NodeNames, logged

# The events that are kept: some twenty seconds of 1,000 a second.
MAX_BYTES: Final = 8 * 1024 * 1024

# What an event takes beside its bytes.
_OVERHEAD_BYTES: Final = 400

# Watches are woken at most so often: under load each gets some dozen events at a time, since a
# message costs much more than an event in it.
PAUSE_S: Final = 0.1


# Waits until an event is part of the state.
Applied = Callable[[int], Awaitable[None]]


class TailEvent(NamedTuple):
    """An event, and what filters look at.

    Attributes:
        encoded: a `WatchEventsResponse` of it alone; several behind one another are one message.
    """

    seq: int
    node_id: str
    kind: str
    actor: str
    at_ns: int
    encoded: bytes


def tail_event(message: LoggedEvent) -> TailEvent:
    encoded = WatchEventsResponse(events=(message,)).SerializeToString()
    return TailEvent(
        message.seq,
        message.node_id,
        message.kind,
        message.actor,
        message.recorded_at_ns,
        encoded,
    )


class Tail:
    """Events from `first_seq` to `last_seq`; used on the event loop.

    Args:
        log: is followed while anybody watches.
        names: of nodes.
        applied: see `Applied`; nobody is shown an event that the state does not have.
        max_bytes: more are not kept.
        pause_s: how long watches are not woken after they were.

    Attributes:
        watches: how many there are.
        last_seq: of the events.
    """

    def __init__(
        self,
        log: ReadableLog,
        names: NodeNames,
        applied: Applied,
        max_bytes: int = MAX_BYTES,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._pause_s = pause_s
        self._log = log
        self._names = names
        self._applied = applied
        self._max_bytes = max_bytes
        self._size_bytes = 0  # of all that is kept; ≤ _max_bytes
        self._events: list[TailEvent] = []
        self.watches = 0
        self._task: asyncio.Task[None] | None = None
        self._is_over = False
        self._changed = asyncio.Event()  # another one after each change
        self._woken_at = 0.0
        self._is_waking = False
        self.last_seq = 0

    @property
    def first_seq(self) -> int:
        """The first event that is kept, or comes next."""
        return self.last_seq + 1 - len(self._events)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Follow the log, at the latest from its present end on.

        Raises:
            Stopping: `stop` was called.
        """
        if self._is_over:
            raise Stopping
        if self._task is None:
            self.last_seq = self._log.last_seq
            self._task = asyncio.create_task(self._follow(), name="events_tail")
        self.watches += 1
        try:
            yield
        finally:
            self.watches -= 1
            if not self.watches:
                self._forget()

    def stop(self) -> None:
        """End all watches with Stopping."""
        self._is_over = True
        self._wake()

    def after(self, seq: int, limit: int) -> list[TailEvent]:
        """The next events behind one that is kept, or is just before those that are."""
        start = seq + 1 - self.first_seq
        return self._events[start : start + limit]

    async def wait_beyond(self, seq: int, timeout_s: float) -> bool:
        """Wait for events behind this one; False if none came in time.

        Raises:
            Stopping: `stop` was called.
            LogError: the log cannot be followed.
        """
        while not self._is_over:
            if self._task is not None and self._task.done():
                self._task.result()
            if self.last_seq > seq:
                return True
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                return False
        raise Stopping

    async def _follow(self) -> None:
        try:
            async for record in self._log.follow(self.last_seq):
                await self._applied(record.last_seq)
                for recorded in events_of(record):
                    self._add(tail_event(logged(recorded, self._names)))
                self._names.keep_state()
                self._wake_soon()
        finally:
            self._wake()

    def _add(self, event: TailEvent) -> None:
        self._events.append(event)
        self.last_seq = event.seq
        self._size_bytes += _size(event)
        if self._size_bytes > self._max_bytes:
            self._drop()

    def _drop(self) -> None:
        """Drop the oldest quarter, since to drop one by one would move all others each time."""
        count = len(self._events) // 4 + 1
        self._size_bytes -= sum(map(_size, self._events[:count]))
        del self._events[:count]

    def _forget(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._events.clear()
        self._size_bytes = 0

    def _wake_soon(self) -> None:
        """Wake the watches, at once if they were not woken just before."""
        if self._is_waking:
            return
        loop = asyncio.get_running_loop()
        wait_s = self._woken_at + self._pause_s - loop.time()
        if wait_s <= 0:
            self._wake()
        else:
            self._is_waking = True
            loop.call_later(wait_s, self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        self._woken_at = asyncio.get_running_loop().time()
        self._changed.set()
        self._changed = asyncio.Event()


def _size(event: TailEvent) -> int:
    return len(event.encoded) + _OVERHEAD_BYTES
