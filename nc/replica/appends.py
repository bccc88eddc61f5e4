"""Where an append runs: in a thread, or on the event loop itself.

A fast disk makes a record durable in a tenth of a millisecond; to hand the record over to a thread
and the outcome back takes half as long again. The loop can wait for such a disk, as it does for a
decision. But nobody knows beforehand how long the disk will take, and packets of links must never
wait for it. So the loop appends by itself only

    while no node has a link,
    if the last append was fast,
    and not for some time after a slow one: a hundred times as long as that took.

Queries and the connections of calls have threads of their own, and do not wait.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from nc.clock import Clock
from nc.domain.state import State
from nc.histogram import Histogram
from nc.replica.snapshots import RunBlocking

T = TypeVar("T")

# The event loop may wait for this long; a batch's decisions may take longer.
FAST_NS: Final = 1_000_000

# How many times its duration a slow append is followed by appends in the thread alone, so that slow
# ones take at most a hundredth of the loop's time.
PAUSE_FACTOR: Final = 100

# From a disk that does not wait for its platters to one that fails.
DURATION_BOUNDS_S: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.1,
    0.5,
    2.5,
)


async def in_thread(function: Callable[[], T]) -> T:
    """Run a blocking call in a thread of the default executor."""
    return await asyncio.get_running_loop().run_in_executor(None, function)


class Appends:
    """Runs appends, and watches how fast the disk is.

    Args:
        clock: times the appends.
        append_on_loop: whether any append may run on the event loop.

    Attributes:
        was_on_loop: whether the last one did.
        durations: of those that succeeded.
    """

    def __init__(self, clock: Clock, *, append_on_loop: bool) -> None:
        self._monotonic_ns = clock.monotonic_ns
        self._append_on_loop = append_on_loop
        self.was_on_loop = False
        self.durations = Histogram(DURATION_BOUNDS_S)
        self._last_was_fast = False
        self._not_before_ns = 0

    async def run(
        self, append: Callable[[], object], state: State, run_blocking: RunBlocking
    ) -> None:
        """Run the append that follows this state, where that is best; raises as it does."""
        self.was_on_loop = self._may_wait(state)
        if self.was_on_loop:
            self._timed(append)
        else:
            await run_blocking(partial(self._timed, append))

    def _may_wait(self, state: State) -> bool:
        """Whether the event loop may wait for the disk now."""
        if not self._append_on_loop or state.links:
            return False
        return self._last_was_fast and self._monotonic_ns() >= self._not_before_ns

    def _timed(self, append: Callable[[], object]) -> None:
        """Run an append, and take note of how long it took; in any thread."""
        started_ns = self._monotonic_ns()
        try:
            append()
            self.durations.observe(self._monotonic_ns() - started_ns)
        finally:
            ended_ns = self._monotonic_ns()
            duration_ns = ended_ns - started_ns
            self._last_was_fast = duration_ns <= FAST_NS
            if not self._last_was_fast:
                until_ns = ended_ns + PAUSE_FACTOR * duration_ns
                self._not_before_ns = max(self._not_before_ns, until_ns)
