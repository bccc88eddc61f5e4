"""A machine of a trial, and the process of the server on it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from eventlog import MemoryLog
from nc.clock import Clock
from nc.domain.events import Event
from nc.domain.levels import LEVEL, level_of
from nc.domain.network import Network
from nc.replica.role import Role
from nc.rpc.methods import Methods
from nc.secrets import TokenIds
from nc.server.parts import Cluster
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import Life
from nc.testing.simulation.network import Listener
from nc.testing.simulation.replicas.lines import Lines, SimulatedLine
from nc.testing.simulation.replicas.messages import Message
from nc.testing.simulation.replicas.shared_log import LogView, SharedLog
from nc.testing.targets.in_process import START_MS
from nc.testing.targets.server import LocalServer

__all__ = ["DriftingClock", "Process", "Site", "World"]


class World(NamedTuple):
    """What all servers of a trial have in common; `hear` gets their log lines."""

    shared: SharedLog
    lines: Lines
    token_ids: TokenIds
    chance: SeededRandom
    hear: Callable[[object, str, Any], str]


class DriftingClock:
    """A machine's clock, which goes a little too fast or too slow."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rate: float, ahead_s: float) -> None:
        self._loop = loop
        self._rate = rate
        self._ahead_s = ahead_s

    def monotonic_ns(self) -> int:
        return round((self._loop.time() * self._rate + self._ahead_s) * 1e9)

    def now_ns(self) -> int:
        return START_MS * 1_000_000 + self.monotonic_ns()


@dataclass
class Site:
    """A machine, with what outlives a process on it; `level` is of the version that it has."""

    name: str
    clock: Clock
    level: int = LEVEL
    copy: MemoryLog = field(default_factory=MemoryLog)
    known: list[Message] = field(default_factory=list)
    process: "Process | None" = None
    starts_at_s: float = 0.0


class Process(LocalServer):
    """One server's process.

    Attributes:
        life: ends with it.
        links: that it accepted, by node: link and session.
        is_up: it has started.
    """

    def __init__(self, world: World, site: Site) -> None:
        self.life = Life()
        self.links: dict[str, tuple[str, str]] = {}
        self.is_up = False
        self.view = LogView(world.shared, site.name, site.copy, site.known)
        cluster = Cluster(
            lambda: self.view.records,
            lambda address: SimulatedLine(world.lines, site.name, address.partition(":")[0]),
        )
        super().__init__(
            name=site.name,
            log=self.view,
            cluster=cluster,
            level=site.level,
            shares_log=True,
            follows_log=True,
            network=Network.parse("10.1.1.1/24"),
            token_ids=world.token_ids,
            clock=site.clock,
            secrets=world.chance,
            logger=structlog.wrap_logger(structlog.ReturnLogger(), processors=[world.hear]),
            listen_for_links=lambda: Listener(self.life),
            run_blocking=_in_place,
            append_on_loop=False,
            advertised=(site.name,),
        )
        self._level = site.level
        self.replica.observe(self._read)

    def _read(self, events: Sequence[Event]) -> None:
        """End at an event that this version does not know."""
        if any(level_of(event) > self._level for event in events):
            self.life.end()

    @property
    def methods(self) -> Methods:
        return self.server.methods

    @property
    def role(self) -> Role:
        membership = self.server.membership
        if membership is None:
            raise RuntimeError("a server of a cluster has one")
        return membership.role

    @property
    def leads(self) -> bool:
        return self.is_up and not self.life.is_over and self.role.replica.leads

    async def serve(self) -> None:
        """Run until it fails, or its life ends."""
        reading = asyncio.create_task(self.view.run())
        await self.start()
        self.is_up = True
        await asyncio.wait([reading])  # a background task that dies cancels this one


async def _in_place(function: Callable[[], Any], /) -> Any:
    return function()
