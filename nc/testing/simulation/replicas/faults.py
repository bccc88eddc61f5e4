"""What goes wrong in a trial: servers die, cannot reach each other or the log; the log is busy."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import first_of
from nc.testing.simulation.replicas.lines import Lines
from nc.testing.simulation.replicas.shared_log import SharedLog
from nc.testing.simulation.replicas.sites import Site

__all__ = ["Faults"]

_CALM_S: Final = 0.004
_DOWN_S: Final = (0.4, 2.0, 5.0, 12.0)
_APART_S: Final = (2.0, 12.0)  # in the longer one an election is tried, and stays open
_STOP_S: Final = 15.0
_FOR_LONG_S: Final = 1e9
_AFTER_S: Final = 20.0  # so long after it a server may still be taken for lost


class Faults:
    """Those of one trial.

    Args:
        note: tells what is done.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        shared: SharedLog,
        lines: Lines,
        chance: SeededRandom,
        note: Callable[[str], None],
        now_s: Callable[[], float],
    ) -> None:
        self._sites = sites
        self._shared = shared
        self._lines = lines
        self._chance = chance
        self._note = note
        self._now_s = now_s
        self._apart: dict[str, float] = {}  # until when servers may be out of touch
        self._kinds = (
            *(self._kill, self._kill_leader, self._stop, self._cut_log, self._cut_line),
            *(self._isolate, self._be_busy, self._lose_answers, self._lag, self._mend, self._mend),
            *(self._reset, self._reset, self._isolate_all),
        )

    async def run(self, until_s: float) -> None:
        """Make one after the other, then end all."""
        while self._now_s() < until_s:
            await asyncio.sleep(0.5 + 5 * self._chance.random())
            await self._chance.pick(self._kinds)(self._chance.pick(self._sites))
        await self._mend(self._sites[0])

    def is_in_touch(self, name: str) -> bool:
        """Whether a server has been in touch for a while."""
        return self._apart.get(name, 0.0) < self._now_s()

    def ended(self, site: Site) -> None:
        """The process of a site has ended."""
        self._be_apart(site, _AFTER_S)

    def _be_apart(self, site: Site, duration_s: float) -> None:
        until_s = self._now_s() + duration_s
        self._apart[site.name] = max(self._apart.get(site.name, 0.0), until_s)

    async def _kill(self, site: Site) -> None:
        if site.process is not None:
            self._note(f"{site.name} is killed")
            site.starts_at_s = self._now_s() + self._chance.pick(_DOWN_S)
            site.process.life.end()

    async def _kill_leader(self, _site: Site) -> None:
        for each in self._sites:
            if each.process is not None and each.process.leads:
                await self._kill(each)
                return

    async def _stop(self, site: Site) -> None:
        process = site.process
        if process is not None and process.is_up and not process.life.is_over:
            self._note(f"{site.name} is stopped")
            self._be_apart(site, _STOP_S + _AFTER_S)
            site.starts_at_s = self._now_s() + self._chance.pick(_DOWN_S)
            await first_of(process.life.run(process.stop()), asyncio.sleep(_STOP_S))
            process.life.end()

    async def _cut_log(self, site: Site) -> None:
        self._note(f"{site.name} does not reach the log")
        self._shared.cut_off.add(site.name)
        self._be_apart(site, _FOR_LONG_S)

    async def _cut_line(self, site: Site) -> None:
        self._cut(site, self._chance.pick(self._sites), both=self._chance.pick((True, False)))

    async def _isolate(self, site: Site) -> None:
        await self._cut_log(site)
        for each in self._sites:
            self._cut(site, each, both=True)

    async def _isolate_all(self, site: Site) -> None:
        for each in self._sites:
            await self._isolate(each)
        await asyncio.sleep(self._chance.pick(_APART_S))
        await self._mend(site)

    def _cut(self, source: Site, destination: Site, *, both: bool) -> None:
        if source is destination:
            return
        self._note(f"{source.name} does not reach {destination.name}, both ways: {both}")
        self._lines.cut.add((source.name, destination.name))
        if both:
            self._lines.cut.add((destination.name, source.name))
        for site in (source, destination):
            self._be_apart(site, _FOR_LONG_S)

    async def _reset(self, site: Site) -> None:
        both = self._chance.pick((True, False))
        self._note(f"connections of {site.name} are reset, and it knows: {both}")
        self._be_apart(site, _AFTER_S)
        self._lines.reset(site.name, both=both)
        if not both:
            await self._cut_log(site)

    async def _be_busy(self, _site: Site) -> None:
        duration_s = self._chance.pick(_DOWN_S)
        self._note(f"the log is busy for {duration_s} s")
        self._shared.has_majority = False
        await asyncio.sleep(duration_s)
        self._shared.has_majority = True

    async def _lose_answers(self, _site: Site) -> None:
        self._note("the log loses answers")
        self._shared.loses_answers = 0.4

    async def _lag(self, _site: Site) -> None:
        self._note("what is sent takes long")
        of_log_s, of_lines_s = self._chance.pick(((1.0, _CALM_S), (_CALM_S, 0.5)))
        self._shared.lags_s, self._lines.latency_s = of_log_s, of_lines_s

    async def _mend(self, _site: Site) -> None:
        self._note("all is mended")
        self._lines.cut.clear()
        self._shared.cut_off.clear()
        self._shared.lags_s = self._lines.latency_s = _CALM_S
        self._shared.loses_answers = 0.0
        self._shared.has_majority = True
        soon_s = self._now_s() + _AFTER_S
        self._apart = {name: min(until, soon_s) for name, until in self._apart.items()}
