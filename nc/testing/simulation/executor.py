"""Carries out the actions of a plan on a cluster, and ends what lasts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nc.testing.simulation.cluster import Cluster

_LONGEST_CALL_S: Final = 120  # a server may be down for a while


class Executor:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._under_way: dict[asyncio.Task[Any], None] = {}
        self._endings: dict[asyncio.TimerHandle, Callable[[], None]] = {}

    def do(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._under_way[task] = None
        task.add_done_callback(self._under_way.pop)

    def until(self, seconds: float, end: Callable[[], None]) -> None:
        """End something that lasts after a time, or when all faults end."""

        def ended() -> None:
            self._endings.pop(timer, None)
            end()

        timer = asyncio.get_running_loop().call_later(seconds, ended)
        self._endings[timer] = end

    async def repair(self) -> None:
        """End every fault that lasts, and wait until all calls have been answered."""
        for timer, end in list(self._endings.items()):
            timer.cancel()
            end()
        self._endings.clear()
        self.cluster.note("every fault is over")
        self.cluster.network.mend_all()
        for site in self.cluster.sites:
            site.mend_disk()
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=_LONGEST_CALL_S)
