"""A clock that stands while this process cannot run: callers' deadlines are measured by it.

When the machine has no CPU time to spare, or a disk blocks the queue's thread, what callers have
sent is read late. That time is the server's, not the callers'. It is found in three ways: how long
the process's threads waited for a CPU although they could have run, as the kernel counts it; how
long the queue's thread neither waited for gRPC nor used its CPU; and how much later than after
`_ROUND_NS` it called `look` again.
"""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Final

# How often to look, which takes some 10 µs a thread.
_LOOK_NS: Final = 500_000_000

# The queue's thread comes by once a second at least.
_ROUND_NS: Final = 1_250_000_000


def cpu_waits_ns() -> dict[str, int]:
    """How long each of this process's threads has waited for a CPU in all, as far as is known."""
    waits = {}
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - names alone
            try:
                with open(f"/proc/self/task/{thread}/schedstat") as file:  # noqa: PTH123 - faster
                    waits[thread] = int(file.read().split()[1])
            except (OSError, IndexError):  # it has ended, no descriptor is left, no such kernel
                continue
    return waits


class OwnTime:
    """Used in the queue's thread.

    Args:
        monotonic_ns: see `nc.clock.Clock`.
        waits_ns: as `cpu_waits_ns`.
        used_ns: how much CPU time the thread has used.

    Attributes:
        idle_ns: how long the thread has waited for gRPC; added to by who does.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        waits_ns: Callable[[], Mapping[str, int]] = cpu_waits_ns,
        used_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._cpu_waits_ns = waits_ns
        self._used_ns = used_ns
        self._lost_ns = 0
        self._looked_ns = monotonic_ns()
        self._waits: Mapping[str, int] = waits_ns()
        self._used = self._idle = self.idle_ns = 0

    def begin(self) -> None:
        """The queue's thread begins."""
        self._used = self._used_ns()

    def look(self) -> int:
        """Take out what was lost, if it is time to look; the time of the last look, in own time."""
        now_ns = self._monotonic_ns()
        if (passed_ns := now_ns - self._looked_ns) >= _LOOK_NS:
            before, self._waits = self._waits, self._cpu_waits_ns()
            waited_ns = max(
                (waited - before.get(thread, waited) for thread, waited in self._waits.items()),
                default=0,
            )
            used, idle = self._used_ns(), self.idle_ns
            blocked_ns = passed_ns - (used - self._used) - (idle - self._idle)
            self._used, self._idle, self._looked_ns = used, idle, now_ns
            lost_ns = max(waited_ns, blocked_ns, passed_ns - _ROUND_NS, 0)
            self._lost_ns += min(lost_ns, passed_ns)
        return self._looked_ns - self._lost_ns
