"""The clocks of a simulated cluster: one time, and machines whose clocks are wrong."""

import asyncio
from typing import Final

from nc.clock import Clock
from nc.testing.seeded_random import SeededRandom
from nc.testing.targets.in_process import START_MS

_NS_PER_MS: Final = 1_000_000


class ClusterTime:
    """The time by every clock that is right: it goes on with the loop.

    It begins somewhere within a second, since expiries are whole seconds, and sweeps are not.

    Attributes:
        jumped_ms: by how much it has jumped.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: object) -> None:
        self._loop = loop
        self.jumped_ms = int(SeededRandom(("clock", seed)).random() * 1000)

    def now_ns(self) -> int:
        return (START_MS + self.jumped_ms) * _NS_PER_MS + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return round(self._loop.time() * 1e9)


class MachineClock:
    """One machine's clock.

    Attributes:
        offset_ms: by how much it is ahead of the cluster's time; setting it is a step.
    """

    def __init__(self, time: Clock) -> None:
        self._time = time
        self.offset_ms = 0
        self.monotonic_ns = time.monotonic_ns

    def now_ns(self) -> int:
        return self._time.now_ns() + self.offset_ms * _NS_PER_MS
