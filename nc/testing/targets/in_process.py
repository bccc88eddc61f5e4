"""The network controller in this process, where time is virtual, the disk simulated, chance seeded.

The same operations give the same history, byte for byte but for the keys in certificates. On the
simulated disk a crash loses what was not synced; in memory nothing is lost, and with a `rival` the
last operation of every round of several is carried out by another replica of the same log, while an
append of the first is under way.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import eventlog
from eventlog import EventLog, LogError, MemoryLog
from eventlog.testing import CrashOutcome, PowerLoss, SimulatedDisk
from nc.domain.codec.digest import digest
from nc.domain.codec.records import entries_in
from nc.domain.state import State
from nc.replica.replay import replay
from nc.secrets import SECRET_KEY_BYTES, TokenIds
from nc.testing.chance import SeededRandom
from nc.testing.history import Answer, LogView
from nc.testing.model import Moment, at
from nc.testing.operations import Crash, IssueToken
from nc.testing.targets.calls import Names
from nc.testing.targets.service import Service
from nc.testing.targets.target import Ability, Reply, Request, ServerGone
from nc.testing.virtual_time import VirtualLoop

T = TypeVar("T")

START_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z

_FOLDER = Path("/log")
_SEGMENT_BYTES = 8192  # so that a history fills several

# With a pause this long the replica has marked its log durable.
_REST_S = 0.1


class ManualClock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return self.now_ms * 1_000_000

    def monotonic_ns(self) -> int:
        """The same: nothing here asks for how long something took."""
        return self.now_ns()


class InProcess:
    """A target: this package's own network controller, without sockets.

    Args:
        on_disk: whether the log is on a simulated disk, which can crash; in memory otherwise.
        rival: whether another replica writes to the same log; for a log in memory.
    """

    def __init__(self, *, on_disk: bool = True, rival: bool = False) -> None:
        if on_disk and rival:
            raise ValueError("a log on a disk has one writer: a rival needs on_disk=False")
        self._on_disk = on_disk
        self._has_rival = rival
        self._loop = VirtualLoop()
        self._is_closed = False

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset(Ability)

    def begin(self, network: str) -> str:
        """A new server, on nothing."""
        self._disk = SimulatedDisk()
        self._memory = MemoryLog()
        self._clock = ManualClock()
        self._chance = SeededRandom("server")
        self._token_ids = TokenIds(self._chance.random_bytes(SECRET_KEY_BYTES))
        self._names = Names()
        self._network = network
        self._rival_request: Request | None = None
        self._start()
        return network

    def perform(self, requests: Sequence[Request]) -> list[Reply]:
        """Carry operations out; see `Target.perform`."""
        return self._run(self._perform(requests))

    def perform_and_crash(self, requests: Sequence[Request], crash: Crash) -> list[Reply]:
        """Lose the power while they are carried out, or after it; see `Target`."""
        self._disk.power_fails_at = self._disk.steps + crash.at_step
        replies = self._run(self._perform(requests))
        self._abandon()
        self._disk = self._disk.crash(CrashOutcome(crash.keep, SeededRandom(crash.seed)))
        self._come_back(replies)
        return replies

    def restart(self, network: str) -> None:
        """Stop cleanly, and start again."""
        self._run(self._service.stop())
        self._log.close()
        self._abandon()
        self._network = network or self._network
        self._come_back()

    def wait(self, ms: int) -> None:
        """Move the clock, and let the replica come to rest."""
        self._clock.now_ms += ms
        self._run(asyncio.sleep(_REST_S))

    def now(self) -> Moment:
        """Exactly."""
        return at(self._clock.now_ms)

    def log(self) -> LogView:
        """Everything in the log, and what it amounts to.

        Raises:
            ServerGone: it cannot be read, so that no server would start on it.
        """
        try:
            records = list(self._log.read())
            replayed = replay(self._log, State())
        except LogError as error:
            raise ServerGone(str(error)) from error
        entries = list(entries_in(records))
        return LogView(entries, digest(self._service.replica.state), digest(replayed))

    def end(self) -> None:
        """Forget the server."""
        self._abandon()

    def close(self) -> None:
        """Forget the loop, too."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)

    def _start(self) -> None:
        self._log = self._open_log()
        self._service = self._serve(self._log)
        self._power_lost = asyncio.Event()
        self._run(self._service.start())

    def _come_back(self, replies: Sequence[Reply] = ()) -> None:
        try:
            self._start()
        except LogError as error:
            raise ServerGone(str(error), replies) from error

    def _open_log(self) -> EventLog:
        if not self._on_disk:
            return self._memory.peer()
        return eventlog.open(
            _FOLDER,
            now_ns=self._clock.now_ns,
            random_bytes=self._chance.random_bytes,
            disk=self._disk,
            segment_size_bytes=_SEGMENT_BYTES,
        )

    def _serve(self, log: EventLog) -> Service:
        return Service(
            log, self._network, self._off_loop, self._clock, self._chance, self._token_ids
        )

    def _abandon(self) -> None:
        """End every task where it stands, as the end of the process does."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._run(asyncio.wait(tasks))
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # it is nobody's any more

    async def _off_loop(self, function: Callable[[], T], /) -> T:
        """Run what blocks for the disk in place; once the power is gone, for ever."""
        await asyncio.sleep(0)
        if self._rival_request is not None:
            await self._let_rival_write()
        try:
            return function()
        except PowerLoss:
            self._power_lost.set()
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never

    async def _perform(self, requests: Sequence[Request]) -> list[Reply]:
        if self._has_rival and len(requests) > 1:
            return await self._perform_with_rival(requests)
        return await self._perform_together(requests)

    async def _perform_together(self, requests: Sequence[Request]) -> list[Reply]:
        tasks = [asyncio.create_task(self._answer(self._service, request)) for request in requests]
        answered = asyncio.create_task(_all(tasks))
        dead = asyncio.create_task(self._power_lost.wait())
        await asyncio.wait([answered, dead], return_when=asyncio.FIRST_COMPLETED)
        dead.cancel()
        return [Reply(self.now(), task.result() if task.done() else None) for task in tasks]

    async def _answer(self, service: Service, request: Request) -> Answer:
        for _ in range(request.turns):
            await asyncio.sleep(0)
        answer = await service.carry_out(request.operation, self._names, request.request_id)
        self._names.remember(request.operation, answer)
        return answer

    async def _perform_with_rival(self, requests: Sequence[Request]) -> list[Reply]:
        """The last of them through another replica, while the first one's append is under way."""
        *ours, self._rival_request = requests
        replies = await self._perform_together(ours)
        if self._rival_request is not None:  # there was no append
            await self._let_rival_write()
        replies.append(self._rival_reply)
        # A write of its own lets the first replica know what the other one wrote.
        await self._service.carry_out(IssueToken("", 1), self._names, "catch-up")
        return replies

    async def _let_rival_write(self) -> None:
        request, self._rival_request = self._rival_request, None
        if request is None:
            return
        log = self._memory.peer()
        rival = self._serve(log)
        rival.replica.start()
        self._rival_reply = Reply(self.now(), await self._answer(rival, request))
        await rival.replica.stop()
        log.close()


async def _all(tasks: Sequence["asyncio.Task[Answer]"]) -> None:
    """Wait for each of them, however it ends."""
    if tasks:
        await asyncio.wait(tasks)
