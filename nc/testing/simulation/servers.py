"""A simulated server: one life of the whole service, put together as `nc.server` does it."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from eventlog import EventLog
from eventlog.testing import PowerLoss
from nc import log_events
from nc.clock import Clock
from nc.domain.codec.records import entries_in
from nc.domain.decide import Command
from nc.domain.network import Network as Overlay
from nc.domain.replicas import StartReplica, StopReplica
from nc.hub.hub import Hub
from nc.hub.limits import Limits
from nc.replica.replica import DiskFull, Origin, Replica, Unwritable
from nc.secrets import RequestIds, TokenIds
from nc.server.server import SWEEP_INTERVAL_S
from nc.server.tasks import Sweep, every
from nc.testing.chance import SeededRandom
from nc.testing.history import Answer
from nc.testing.operations import IssueToken, Operation
from nc.testing.simulation.loop import Life, first_of
from nc.testing.simulation.machines import listening_log
from nc.testing.simulation.network import Network
from nc.testing.targets.calls import Names
from nc.testing.targets.service import Service

T = TypeVar("T")

# A trial has some hundred events, and should have some snapshots and digests.
_SNAPSHOT_EVENTS: Final = 8
_DIGEST_EVENTS: Final = 20

_DISK_S: Final = (0.0001, 0.0005, 0.004)  # a disk's times; the last is seldom

_NEWS: Final = IssueToken("", 1)
_NEWS_ID: Final = "news"

_OUR_FAULTS: Final = {log_events.LINK_CRASHED, log_events.TASK_FAILED, log_events.RPC_CRASHED}


class SimulatedServer:
    """A replica with its ports, for as long as its process lives.

    Args:
        name: of the replica in the log.
        log: closed by a clean stop.
        network: the overlay's, as text.
        clock, token_ids: see there.
        chance: for secrets, and for how long the disk takes.
        is_broken: told of what a bug of ours left in the log.

    Attributes:
        life: its process.
        power_is_lost: set once the disk's power is.
        is_stopping: calls may be turned away.
    """

    hub: Hub

    def __init__(
        self,
        name: str,
        log: EventLog,
        network: str,
        clock: Clock,
        token_ids: TokenIds,
        chance: SeededRandom,
        is_broken: Callable[[str], None],
    ) -> None:
        self.life = Life()
        self.power_is_lost = asyncio.Event()
        self.is_stopping = False
        self._name = name
        self._log = log
        self._network = network
        self._clock = clock
        self._token_ids = token_ids
        self._chance = chance
        self._is_broken = is_broken
        self._request_ids = RequestIds(chance)
        self.service = Service(log, network, self._off_loop, clock, chance, token_ids)
        self.replica.snapshots.tail_events = _SNAPSHOT_EVENTS
        self.replica.digests.interval_events = _DIGEST_EVENTS

    @property
    def replica(self) -> Replica:
        """Where the truth is."""
        return self.service.replica

    @property
    def log(self) -> EventLog:
        """What it writes to."""
        return self._log

    async def start(self, network: Network, number: int) -> None:
        """Read the log, and serve at this server's port of a network."""
        self.replica.start()
        start = StartReplica(self._name, "0", self._network)
        await self.replica.submit(start, Origin("system", "start", "start"), internal=True)
        self.hub = Hub(
            self.replica,
            Overlay.parse(self._network),
            lambda: None,
            token_ids=self._token_ids,
            clock=self._clock,
            request_ids=self._request_ids,
            log=listening_log(self._hear),
            interconnection=True,
            limits=Limits(),
        )
        listener: Any = network.listen(self.life, number)
        self.hub.start(listener)
        sweep = Sweep(self.replica, self._submit, self._clock).sweep
        self._sweeps = asyncio.create_task(
            every(SWEEP_INTERVAL_S, sweep, listening_log(self._hear))
        )

    async def answer(self, operation: Operation, names: Names, request_id: str) -> Answer | None:
        """What a client is told; None if this life ends before."""
        task = self.life.run(self.service.carry_out(operation, names, request_id))
        await first_of(task, self.life.over.wait())
        return task.result() if task.done() and not task.cancelled() else None

    @property
    def has_news(self) -> bool:
        """Whether the log holds what matters, beyond what this server knows."""
        unread = self._log.read(self.replica.state.seq)
        return any(entry.request_id != _NEWS_ID for entry in entries_in(unread))

    async def catch_up(self) -> bool:
        """Write something, if there is news, and so learn of it; whether all is known now."""
        if not self.has_news:
            return True
        answer = await self.answer(_NEWS, Names(), _NEWS_ID)
        return answer is not None and answer.is_ok

    def require_power(self) -> None:
        """See that the power has not failed.

        Raises:
            PowerLoss: it has.
        """
        if self.power_is_lost.is_set():
            raise PowerLoss

    async def stop(self) -> None:
        """Stop cleanly."""
        self.is_stopping = True
        self._sweeps.cancel()
        await asyncio.wait([self._sweeps])
        await self.hub.stop_accepting()
        with contextlib.suppress(Unwritable, DiskFull):
            await self._submit(StopReplica(self._name), "stop")
        await self.hub.stop()
        await self.replica.stop()
        try:
            self._log.close()
        except PowerLoss:
            self.power_is_lost.set()

    async def _submit(self, command: Command, method: str) -> None:
        origin = Origin("system", method, self._request_ids.new())
        await self.replica.submit(command, origin, internal=True)

    async def _off_loop(self, function: Callable[[], T], /) -> T:
        """Run what blocks for the disk, as if another thread did while this one goes on."""
        await self._disk_works()
        if self.life.is_over:
            await asyncio.Event().wait()
        try:
            done = function()
        except PowerLoss:
            self.power_is_lost.set()
            await asyncio.Event().wait()  # for ever
            raise
        await self._disk_works()
        return done

    async def _disk_works(self) -> None:
        draw = self._chance.random()
        longest = _DISK_S[0] if draw < 0.5 else _DISK_S[1] if draw < 0.95 else _DISK_S[2]  # noqa: PLR2004 - shares
        await asyncio.sleep(longest * self._chance.random())

    def _hear(self, event: str, fields: dict[str, Any]) -> None:
        if event in _OUR_FAULTS and not self.life.is_over:
            error = sys.exc_info()[1]
            self._is_broken(f"{event}: {fields.get('message') or repr(error)}")
