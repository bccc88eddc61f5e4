"""What happens to a server: its power, its process, its disk."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nc.testing.simulation.actions import Action

if TYPE_CHECKING:
    from nc.testing.simulation.executor import Executor

_POWER_HOLDS_S: Final = 1.0  # an idle disk takes no steps


@dataclass(frozen=True, slots=True)
class CutPower(Action):
    """A server's power fails at so many steps of its disk from then on, or a second later."""

    at_step: int
    keep: float  # the share of what was not synced that is kept
    seed: int  # of the chance in it
    down_s: int
    replica: int = 0

    def begin(self, on: "Executor") -> None:
        disk = on.cluster.site_of(self.replica).data.disk
        disk.power_fails_at = disk.steps + self.at_step
        on.do(self._cut(on))

    async def _cut(self, on: "Executor") -> None:
        site = on.cluster.site_of(self.replica)
        server = site.server
        if server is None:
            return
        try:
            async with asyncio.timeout(_POWER_HOLDS_S):
                await server.power_is_lost.wait()
        except TimeoutError:
            pass
        if site.server is server:
            on.cluster.note(f"{site.name}'s power fails")
            site.lose_power(self.keep, self.seed, self.down_s)


@dataclass(frozen=True, slots=True)
class KillServer(Action):
    """A server's process ends at once; its kernel closes its connections."""

    down_s: int
    replica: int = 0

    def begin(self, on: "Executor") -> None:
        site = on.cluster.site_of(self.replica)
        if site.server is not None:
            on.cluster.note(f"{site.name}'s process is killed")
            site.end_server(silently=False, down_s=self.down_s)


@dataclass(frozen=True, slots=True)
class RestartServer(Action):
    """A server stops cleanly, and starts again."""

    down_s: int
    replica: int = 0

    def begin(self, on: "Executor") -> None:
        on.do(on.cluster.site_of(self.replica).stop_server(self.down_s))


@dataclass(frozen=True, slots=True)
class FillDisk(Action):
    for_s: int
    replica: int = 0

    def begin(self, on: "Executor") -> None:
        site = on.cluster.site_of(self.replica)
        on.cluster.note(f"{site.name}'s disk is full for {self.for_s} s")
        site.fill_disk(1)
        on.until(self.for_s, lambda: site.fill_disk(-1))


@dataclass(frozen=True, slots=True)
class FailSync(Action):
    """One of the next syncs of a server's disk fails; of a log in memory, its next append."""

    in_steps: int  # of a log in memory: odd, what it was to write is there all the same
    replica: int = 0

    def begin(self, on: "Executor") -> None:
        on.cluster.site_of(self.replica).fail_sync(self.in_steps)
