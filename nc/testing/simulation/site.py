"""Where the simulated server runs: its disk, its power, and systemd, which starts it again."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

import eventlog
from eventlog import EventLog, LogDamaged, LogError, MemoryLog
from eventlog.simulation import Fate, PowerLoss, SimulatedDisk
from nc.clock import Clock
from nc.domain.state import State
from nc.projections.digest import digest
from nc.refusals import DiskFull, Stopping, Unwritable
from nc.replay import replay
from nc.secrets import TokenIds
from nc.testing.chance import SeededChance
from nc.testing.laws import Law
from nc.testing.simulation.acts import Plan
from nc.testing.simulation.laws import NOTHING_CRASHES, STARTS
from nc.testing.simulation.network import Network
from nc.testing.simulation.servers import SimulatedServer

FOLDER: Final = Path("/log")
_SEGMENT_BYTES: Final = 8192  # so that a life fills several

# How long systemd waits before it starts a server again that has failed.
_RESTART_S: Final = 2.0


class Owner(Protocol):
    """Whose server it is."""

    @property
    def last_seq(self) -> int:
        """The last event in the log, as far as it can be seen."""

    def tell(self, text: str) -> None:
        """A line of the chronicle."""

    def saw(self, law: Law, what: str, *, holds: bool) -> None:
        """A law had something to say."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that goes on by itself."""


class Site:
    """Where the server runs.

    Args:
        owner: told of what happens.
        plan, network, clock, token_ids, chance: see there.

    Attributes:
        server: the one that serves, while one does; `up` is set then.
        rival: the other replica, where the log is shared.
        disk: under the log, unless it is in memory.
        cannot_start: the server finds its log damaged.
    """

    def __init__(
        self,
        owner: Owner,
        plan: Plan,
        network: Network,
        clock: Clock,
        token_ids: TokenIds,
        chance: SeededChance,
    ) -> None:
        self._owner = owner
        self._plan = plan
        self._network = network
        self._clock = clock
        self._token_ids = token_ids
        self._chance = chance
        self.server: SimulatedServer | None = None
        self.rival: SimulatedServer | None = None
        self.up = asyncio.Event()
        self.cannot_start = False
        self.disk = SimulatedDisk()
        self._memory = MemoryLog(clock.now_ns)
        self._full_disks = 0
        self._down_s = _RESTART_S

    def begin(self) -> None:
        """Let there be a server, whatever happens to it."""
        self._owner.spawn(self._supervise())

    async def _supervise(self) -> None:
        while not self.cannot_start:
            server = await self._started()
            if server is not None:
                self.server = server
                self.up.set()
                self._check_start(server)
                self._owner.tell(f"the server serves, after event {self._owner.last_seq}")
                self._owner.spawn(self._watch_failure(server))
                self._owner.spawn(self._watch_power(server))
                await server.life.over.wait()
            await asyncio.sleep(self._down_s)
            self._down_s = _RESTART_S

    async def _started(self) -> SimulatedServer | None:
        """A server that has come so far as to serve; None: it did not."""
        server: SimulatedServer | None = None
        try:
            server = self._make_server(self._open_log())
            starting = server.life.run(server.start(self._network))
            await first_of(starting, server.life.over.wait(), server.power_is_lost.wait())
            server.require_power()
            await starting
        except PowerLoss:
            self._owner.tell("the power fails while the server starts")
            self._lose(server, silently=True)
            self.disk = self.disk.crash(Fate(0.5, self._chance))
        except LogDamaged as damaged:
            self._owner.saw(STARTS, f"{damaged}", holds=False)
            self.cannot_start = True
        except (LogError, Unwritable, DiskFull, Stopping) as error:
            self._owner.tell(f"the server does not start: {error}")
            self._lose(server, silently=False)
        else:
            return server
        return None

    def _open_log(self) -> EventLog:
        self.disk.is_full = self._full_disks > 0
        if self._plan.is_shared:
            log = self._memory.peer()
            log.is_full = self._full_disks > 0
            return log
        return eventlog.open(
            FOLDER,
            now_ns=self._clock.now_ns,
            random_bytes=self._chance.random_bytes,
            disk=self.disk,
            segment_size_bytes=_SEGMENT_BYTES,
        )

    def _make_server(self, log: EventLog) -> SimulatedServer:
        def is_broken(what: str) -> None:
            self._owner.saw(NOTHING_CRASHES, what, holds=False)

        network, chance = self._plan.network, self._chance
        return SimulatedServer(log, network, self._clock, self._token_ids, chance, is_broken)

    def start_rival(self) -> None:
        """Another replica begins to follow the shared log, and to write to it."""
        rival = self._make_server(self._memory.peer())
        rival.life.do(rival.replica.start)
        self.rival = rival

    def _check_start(self, server: SimulatedServer) -> None:
        state = server.replica.state
        if server.log.last_seq == state.seq:
            is_same = digest(state) == digest(replay(server.log, State()))
            self._owner.saw(STARTS, "its state is not what the log amounts to", holds=is_same)

    async def _watch_failure(self, server: SimulatedServer) -> None:
        await first_of(server.replica.failed.wait(), server.life.over.wait())
        if server.replica.failed.is_set() and not server.life.is_over:
            self._owner.tell(f"the server ends: {server.replica.failure}")
            self.end_server(silently=False, down_s=_RESTART_S)

    async def _watch_power(self, server: SimulatedServer) -> None:
        await first_of(server.power_is_lost.wait(), server.life.over.wait())
        if server.power_is_lost.is_set() and not server.life.is_over:
            self.lose_power(0.5, 0, _RESTART_S)

    def lose_power(self, keep: float, seed: int, down_s: float) -> None:
        """The server's machine is off at once."""
        self.end_server(silently=True, down_s=down_s)
        if not self._plan.is_shared:
            self.disk = self.disk.crash(Fate(keep, SeededChance(("fate", seed, self._plan.seed))))

    def end_server(self, *, silently: bool, down_s: float) -> None:
        """The server's process ends at once; nothing if there is none."""
        server, self.server = self.server, None
        self.up.clear()
        if server is not None:
            self._down_s = down_s
            self._lose(server, silently=silently)

    def _lose(self, server: SimulatedServer | None, *, silently: bool) -> None:
        if server is not None:
            self._network.end_life(server.life, silently=silently)
            server.life.end()
            if self._plan.is_shared:
                server.log.close()
        self.disk.kill()

    async def stop_server(self, down_s: float) -> None:
        """The server stops cleanly, and is started again later."""
        server = self.server
        if server is None or server.is_stopping:
            return
        stopping = server.life.run(server.stop())
        await first_of(stopping, server.life.over.wait(), server.power_is_lost.wait())
        if self.server is server and not server.power_is_lost.is_set():
            self._owner.tell("the server has stopped")
            self.end_server(silently=False, down_s=down_s)

    def fill_disk(self, by: int) -> None:
        """There is no room any more (1), or there is again (-1)."""
        self._full_disks = max(0, self._full_disks + by)
        self.disk.is_full = self._full_disks > 0
        if self.server is not None and isinstance(self.server.log, MemoryLog):
            self.server.log.is_full = self.disk.is_full

    @property
    def in_trouble(self) -> bool:
        """Whether the server may turn commands away, as things are."""
        server = self.server
        if server is None or server.is_stopping or server.replica.failure is not None:
            return True
        return self.disk.is_full or server.replica.full.is_set()


async def first_of(*work: "asyncio.Task[Any] | Coroutine[Any, Any, Any]") -> None:
    """Wait for the first; the others' waiting is given up, but for tasks."""
    tasks = [w if isinstance(w, asyncio.Task) else asyncio.create_task(w) for w in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, given in zip(tasks, work, strict=True):
            if task is not given:
                task.cancel()
