"""Where an append runs: in a thread, or on the event loop itself.

A fast disk makes a record durable in a tenth of a millisecond; to hand the record over to a thread
and the outcome back takes half as long again. The loop can wait for such a disk, as it does for a
decision. But nobody knows beforehand how long the disk will take, and packets of links must never
wait for it. So the loop appends by itself only

    while no node has a link, which the replica says (`may_block`),
    if the last append was fast,
    and not for some time after a slow one: a hundred times as long as that took.

Queries and the connections of calls have threads of their own, and do not wait.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from eventlog.api import EventLog
from eventlog.offloop import OffLoopLog, RunBlocking
from nc.clock import Clock

T = TypeVar("T")

# The event loop may wait for this long; a batch's decisions may take longer.
FAST_NS: Final = 1_000_000

# How many times its duration a slow append is followed by appends in the thread alone, so that slow
# ones take at most a hundredth of the loop's time.
PAUSE_FACTOR: Final = 100


async def in_thread(function: Callable[[], T]) -> T:
    """Run a blocking call in a thread of the default executor."""
    return await asyncio.get_running_loop().run_in_executor(None, function)


class LocalLog(OffLoopLog):
    """A log in a folder or in memory, for a replica; watches how fast its disk is.

    Args:
        log: closed with this one.
        clock: times the appends.
        run_blocking: runs what blocks for the disk; a simulation runs it in place.
    """

    def __init__(
        self, log: EventLog, clock: Clock, *, run_blocking: RunBlocking = in_thread
    ) -> None:
        super().__init__(log, run_blocking)
        self._monotonic_ns = clock.monotonic_ns
        self._last_was_fast = False
        self._not_before_ns = 0

    async def append(
        self, payload: bytes, count: int, expected: int, *, may_block: bool = False
    ) -> int:
        append = partial(self._timed, payload, count, expected)
        is_quick = self._last_was_fast and self._monotonic_ns() >= self._not_before_ns
        self.has_blocked = may_block and is_quick
        return append() if self.has_blocked else await self._run_blocking(append)

    def _timed(self, payload: bytes, count: int, expected: int) -> int:
        """Append, and take note of how long it took; in any thread."""
        started_ns = self._monotonic_ns()
        try:
            return self._log.append(payload, count, expected)
        finally:
            ended_ns = self._monotonic_ns()
            duration_ns = ended_ns - started_ns
            self._last_was_fast = duration_ns <= FAST_NS
            if not self._last_was_fast:
                until_ns = ended_ns + PAUSE_FACTOR * duration_ns
                self._not_before_ns = max(self._not_before_ns, until_ns)
