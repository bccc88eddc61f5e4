"""How late the event loop is: what everything that it does waits at least."""

import asyncio
from typing import Final

from nc.clock import Clock
from nc.histogram import Histogram

INTERVAL_S: Final = 0.25
BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class LoopLag:
    """Wakes up again and again, and notes how much later than it wanted to.

    Attributes:
        lags: of the wake-ups.
    """

    def __init__(self, clock: Clock) -> None:
        self._monotonic_ns = clock.monotonic_ns
        self.lags = Histogram(BOUNDS_S)

    async def keep(self) -> None:
        while True:
            due_ns = self._monotonic_ns() + int(INTERVAL_S * 1e9)
            await asyncio.sleep(INTERVAL_S)
            self.lags.observe(max(0, self._monotonic_ns() - due_ns))
