"""An event loop in virtual time: when there is nothing to do, time jumps to the next timer.

Everything runs in one thread and in the order in which it was made ready, so a run with the same
inputs is the same run.
"""

import asyncio
from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, Protocol

# What a turn of the loop takes. As with a real clock, it is later after each: a wait for
# less than can be added to a time in seconds would never end.
_TURN_S: Final = 1e-6


class Listening(Protocol):
    async def accept(self) -> tuple[Any, tuple[str, int]]: ...


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a time of its own, from 0; no sockets, no threads.

    A timer never runs before its time, not by the nanosecond that asyncio allows: whoever looks at
    the clock then would find that it is too early, and is called no more.
    """

    _ready: deque[asyncio.Handle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []  # a heap
        self._order = count()

    async def sock_accept(self, sock: Any) -> tuple[Any, tuple[str, int]]:
        """Wait for a connection to a simulated port."""
        listening: Listening = sock
        return await listening.accept()

    def time(self) -> float:
        """Seconds; moves only when there is nothing else to do."""
        return self._now_s

    def call_at(  # type: ignore[override]  # so generic that it says nothing
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._order), timer))  # tuples compare fast
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it in the heap until its time comes."""

    def _run_once(self) -> None:
        """In place of asyncio's, which polls sockets: half of a simulation was that."""
        timers, ready = self._timers, self._ready
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise RuntimeError("a deadlock: every task waits, and no timer is set")
            self._now_s = max(self._now_s, timers[0][0])
        self._now_s += _TURN_S
        while timers and timers[0][0] < self._now_s:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):  # what they make ready runs in the next turn
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - as asyncio's own loop does
