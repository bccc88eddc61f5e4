"""Where a simulated server runs: its disk, its power, and systemd, which starts it again.

Of several servers each has a site of its own, with a copy of the log that they share.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from eventlog import EventLog, LogDamaged, LogError, LogUnavailable
from eventlog.testing import CrashOutcome, PowerLoss
from nc.clock import Clock
from nc.data_folder import DataLost
from nc.domain.codec.digest import digest
from nc.domain.state import State
from nc.pki.errors import PkiError
from nc.replica.errors import Stopping, Unwritable, WriteRefused
from nc.replica.replay import replay
from nc.testing.contract.laws.cluster import NOTHING_CRASHES, ONE_CLUSTER, STARTS
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.data import Data, Part
from nc.testing.simulation.log_view import LogView
from nc.testing.simulation.loop import first_of
from nc.testing.simulation.servers import SimulatedServer
from nc.testing.simulation.several import DriftingClock

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster


# How long systemd waits before it starts a server again that has failed.
_RESTART_S: Final = 2.0


class Site:
    """Where a server runs.

    Args:
        number: of several servers; of one, 0.

    Attributes:
        process: the server, from its start to its end, while there is one.
        server: the same, while it serves; `up` is set then.
        cannot_start: the server finds its log damaged.
        failure: of its log, which ended the server; None while it serves.
    """

    def __init__(self, number: int, cluster: "Cluster") -> None:
        several = self._several = cluster.several
        self.name = "the server" if several is None else f"server {number + 1}"
        self.ip = cluster.network.addresses[number]
        self._number = number
        self._cluster = cluster
        self._clock: Clock = cluster.clock
        if several is not None:
            self._clock = DriftingClock(cluster.clock, several.log.chance)
        self.process: SimulatedServer | None = None
        self.server: SimulatedServer | None = None
        self.up = asyncio.Event()
        self.cannot_start = False
        self.failure: Exception | None = None
        self.data = Data()
        self._full_disks = 0
        self._refusal = ""
        self._down_s = _RESTART_S

    def begin(self) -> None:
        """Start a server, and start it again whenever it ends."""
        self._cluster.spawn(self._supervise())

    async def _supervise(self) -> None:
        while not self.cannot_start:
            server = await self._started()
            if server is not None:
                self.server, self._refusal, self.failure = server, "", None
                self.up.set()
                self._check_start(server)
                self._cluster.note(f"{self.name} serves, after event {self._cluster.state.seq}")
                self._cluster.spawn(self._watch_failure(server))
                self._cluster.spawn(self._watch_power(server))
                await server.life.over.wait()
                self._begin_to_settle()
            await asyncio.sleep(self._down_s)
            self._down_s = _RESTART_S

    async def _started(self) -> SimulatedServer | None:
        """Start a server; None if it ended before it served."""
        server: SimulatedServer | None = None
        cluster = self._cluster
        try:
            log = self._open_log()
            self.process = server = SimulatedServer(
                cluster, self.name, log, self._number, self._clock
            )
            if self._several is not None:
                self._several.lines.callees[self.ip] = server
            starting = server.life.run(server.start())
            await first_of(starting, server.life.over.wait(), server.power_is_lost.wait())
            server.require_power()
            await starting
        except PowerLoss:
            self._cluster.note(f"the power fails while {self.name} starts")
            self._lose(server, silently=True)
            self.data.disk = self.data.disk.crash(CrashOutcome(0.5, self._cluster.chance))
        except LogDamaged as damaged:
            self._cluster.saw(STARTS, f"{damaged}", holds=False)
            self.cannot_start = True
        except (DataLost, PkiError) as refused:
            self._report_refusal(str(refused))
            self._lose(server, silently=False)
        except (LogError, Unwritable, WriteRefused, Stopping) as error:
            self._report_refusal(str(error))
            self.failure = error
            self._lose(server, silently=False)
        else:
            return server
        return None

    def _begin_to_settle(self) -> None:
        """The others may take a while to get over what has become of this one."""
        if self._several is not None:
            self._several.begin_to_settle(self.name)

    def _open_log(self) -> EventLog | LogView:
        self.data.disk.is_full = self._full_disks > 0
        cluster, lost = self._cluster, self.data.lost
        if self._several is not None:
            copy = self.data.open_copy(cluster.clock, cluster.chance.random_bytes)
            if not self._refusal:  # else it is as it was
                cluster.note(f"{self.name} has a copy of the log up to event {copy.last_seq}")
            return LogView(self._several.log, self.ip, copy, cluster.clock.now_ns)
        log = self.data.open(cluster.clock, cluster.chance.random_bytes)
        without = ", ".join(part.value for part in lost)
        cluster.saw(ONE_CLUSTER, f"{self.name} starts without {without}", holds=not lost)
        cluster.certificates.is_replaced |= Part.CERTIFICATES in lost
        return log

    def lose_data(self, parts: tuple[Part, ...]) -> Callable[[], None] | None:
        """The machine starts anew without parts of the data; gives what puts them back."""
        if self.data.lost:
            return None
        self._cluster.note(f"{self.name}'s machine loses {', '.join(p.value for p in parts)}")
        self.end_server(silently=True, down_s=_RESTART_S)
        self.data.lose(parts)

        def put_back() -> None:
            self._cluster.note(f"{self.name}'s data is back")
            self.data.put_back()

        return put_back

    def _report_refusal(self, text: str) -> None:
        """Note it once: systemd starts the server again and again."""
        if text != self._refusal:
            self._cluster.note(f"{self.name} does not start: {text}")
        self._refusal = text

    def _check_start(self, server: SimulatedServer) -> None:
        state = server.replica.state
        if server.log.last_seq == state.seq:
            try:
                is_same = digest(state) == digest(replay(server.log, State()))
            except LogDamaged as damaged:  # before what its newest snapshot holds
                self._cluster.saw(STARTS, f"{damaged}", holds=False)
            else:
                self._cluster.saw(STARTS, "its state is not what the log amounts to", holds=is_same)

    async def _watch_failure(self, server: SimulatedServer) -> None:
        await first_of(server.replica.failed.wait(), server.life.over.wait())
        if server.replica.failed.is_set() and not server.life.is_over:
            failure = self.failure = server.replica.failure
            self._cluster.note(f"{self.name} ends: {failure}")
            holds = isinstance(failure, LogUnavailable)  # which we made so
            self._cluster.saw(NOTHING_CRASHES, f"{self.name} ends: {failure!r}", holds=holds)
            self.end_server(silently=False, down_s=_RESTART_S)

    async def _watch_power(self, server: SimulatedServer) -> None:
        await first_of(server.power_is_lost.wait(), server.life.over.wait())
        if server.power_is_lost.is_set() and not server.life.is_over:
            self.lose_power(0.5, 0, _RESTART_S)

    def lose_power(self, keep: float, seed: int, down_s: float) -> None:
        """The server's machine is off at once."""
        self.end_server(silently=True, down_s=down_s)
        self.data.disk = self.data.disk.crash(
            CrashOutcome(keep, SeededRandom(("fate", seed, self._cluster.plan.seed)))
        )

    def end_server(self, *, silently: bool, down_s: float) -> None:
        """The server's process ends at once; nothing if there is none."""
        server, self.server = self.server, None
        self.up.clear()
        if server is not None:
            self._down_s = down_s
            self._lose(server, silently=silently)

    def _lose(self, server: SimulatedServer | None, *, silently: bool) -> None:
        self.process = None
        if server is not None:
            self._cluster.network.end_life(server.life, silently=silently)
            server.life.end()
        self.data.disk.kill()

    async def stop_server(self, down_s: float) -> None:
        """The server stops cleanly, and is started again later."""
        server = self.server
        if server is None or server.is_stopping:
            return
        self._begin_to_settle()
        stopping = server.life.run(server.stop())
        await first_of(stopping, server.life.over.wait(), server.power_is_lost.wait())
        if self.server is server and not server.power_is_lost.is_set():
            self._cluster.note(f"{self.name} has stopped")
            self.end_server(silently=False, down_s=down_s)

    def fill_disk(self, by: int) -> None:
        """Count one more reason why the disk is full (1), or one less (-1)."""
        self._full_disks = max(0, self._full_disks + by)
        self.data.disk.is_full = self._full_disks > 0

    def fail_sync(self, in_steps: int) -> None:
        """One of the next syncs fails."""
        if self.data.disk.power_fails_at is None:
            self.data.disk.sync_fails_at = in_steps + self.data.disk.steps

    def mend_disk(self) -> None:
        self.fill_disk(-self._full_disks)
        self.data.disk.sync_fails_at = self.data.disk.power_fails_at = None

    @property
    def in_trouble(self) -> bool:
        """Whether the server may reject commands now (a fault is active)."""
        server = self.server
        if server is None or server.is_stopping or server.replica.failure is not None:
            return True
        if self._several is not None and self._several.is_unsettled:
            return True
        if self._several is not None and self._cluster.lacks_members:
            return True
        return self.data.disk.is_full or server.replica.lacking.is_set()
