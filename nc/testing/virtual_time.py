"""An event loop in virtual time: when there is nothing to do, time jumps to the next timer.

Everything runs in one thread and in the order in which it was made ready, so a run with the same
inputs is the same run.
"""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any, Final, Protocol

# What a turn of the loop takes. As with a real clock, it is later after each: a wait for
# less than can be added to a time in seconds would never end.
_TURN_S: Final = 1e-6


class Listening(Protocol):
    async def accept(self) -> tuple[Any, tuple[str, int]]: ...


class _TimeSkipper(selectors.BaseSelector):
    """Waits for nothing: moves the loop's time instead."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.now_s = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._selector.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._selector.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._selector.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("a deadlock: every task waits, and no timer is set")
        self.now_s += timeout + _TURN_S
        return []

    def close(self) -> None:
        self._selector.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a time of its own, from 0; no sockets, no threads.

    A timer never runs before its time, not by the nanosecond that asyncio allows: whoever looks at
    the clock then would find that it is too early, and is called no more.
    """

    def __init__(self) -> None:
        self._skipper = _TimeSkipper()
        super().__init__(self._skipper)
        self._clock_resolution = 0.0

    async def sock_accept(self, sock: Any) -> tuple[Any, tuple[str, int]]:
        """Wait for a connection to a simulated port."""
        listening: Listening = sock
        return await listening.accept()

    def time(self) -> float:
        """Seconds; moves only when there is nothing else to do."""
        return self._skipper.now_s
