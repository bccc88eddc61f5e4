"""The server in this process, where time is virtual, the disk simulated, and chance seeded.

The same operations give the same history, byte for byte but for the keys in certificates. On the
simulated disk a crash loses what was not synced; in memory nothing is lost, and with a `rival` the
last operation of every round of several is carried out by another replica of the same log, while an
append of the first is under way.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import eventlog
from eventlog import EventLog, LogError, MemoryLog
from eventlog.testing import CrashOutcome, PowerLoss, SimulatedDisk
from nc.domain.codec.digest import digest
from nc.domain.codec.records import entries_in
from nc.domain.limits import NodeLimits
from nc.domain.litekube_import import ImportedNode
from nc.domain.network import Network
from nc.domain.state import State
from nc.replica.replay import replay
from nc.secrets import SECRET_KEY_BYTES, TokenIds
from nc.testing.contract import operations as ops
from nc.testing.contract.happenings import Crash
from nc.testing.contract.history import Answer, LogView
from nc.testing.contract.mistakes import ALIKE
from nc.testing.contract.overlay import assignable
from nc.testing.contract.values import (
    DATABASE,
    ENDED,
    LOST,
    NO_LIMITS,
    Limits,
    Moment,
    at,
    imported_nodes,
)
from nc.testing.seeded_random import SeededRandom
from nc.testing.targets.calls import Names
from nc.testing.targets.linkless import LinklessServer
from nc.testing.targets.server import LIFETIME, certificates_of, imported_certificates
from nc.testing.targets.target import Ability, Reply, Request, ServerGone
from nc.testing.virtual_time import VirtualLoop

T = TypeVar("T")

START_MS: Final = 1_800_000_000_000  # 2027-01-15T08:00:00Z

_FOLDER: Final = Path("/log")
_SEGMENT_BYTES: Final = 8192  # so that a history fills several

# With a pause this long the replica has marked its log durable.
_PAUSE_S: Final = 0.1


class ManualClock:
    """A clock that moves only when it is set."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def now_ns(self) -> int:
        return self.now_ms * 1_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns()


class _AlikeIds(TokenIds):
    """Ids that begin alike, so that a short reference may mean several things."""

    def id_of(self, token: str) -> str:
        return ALIKE + super().id_of(token)[len(ALIKE) :]


class InProcess:
    """A target: this package's own server, without sockets.

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
        self._loop.set_exception_handler(self._background_failed)
        self._is_closed = False

    @property
    def abilities(self) -> frozenset[Ability]:
        # the rival's links have no session in the log, and end as any other server starts
        return frozenset(Ability) - ({Ability.MEMBERSHIP} if self._has_rival else set())

    def begin(self, network: str, limits: Limits = NO_LIMITS) -> str:
        """A new server, on an empty log."""
        self._disk = SimulatedDisk()
        self._memory = MemoryLog()
        self._clock = ManualClock()
        self._chance = SeededRandom("server")
        self._token_ids = _AlikeIds(self._chance.random_bytes(SECRET_KEY_BYTES))
        self._names = Names(imported_certificates(), limits.imported)
        lost_id = self._token_ids.id_of(self._names.token(LOST))
        self._names.give(LOST, *certificates_of(lost_id, LOST, LIFETIME))
        self._names.give(ENDED, *certificates_of(lost_id, LOST, timedelta(days=1)))
        self._network = network
        self._limits = limits
        self._rival_request: Request | None = None
        self._start()
        if limits.imported:
            self._run(self._import(limits.imported))
        return network

    async def _import(self, count: int) -> None:
        """Import nodes, the first of them with the last address of the network."""
        pool = assignable(self._network)
        nodes = [
            ImportedNode(self._token_ids.id_of(self._names.token(name)), "")
            for name in imported_nodes(count)
        ]
        nodes[0] = nodes[0]._replace(address=pool[-1] if pool else "")
        await self._server.bring(DATABASE, tuple(nodes), "import")

    def perform(self, requests: Sequence[Request]) -> list[Reply]:
        replies = self._run(self._perform(requests))
        if self._failure:
            raise ServerGone(self._failure, replies)
        return replies

    def perform_and_crash(self, requests: Sequence[Request], crash: Crash) -> list[Reply]:
        """Cut the power while operations run, or after them; see `Mortal`."""
        self._disk.power_fails_at = self._disk.steps + crash.at_step
        replies = self._run(self._perform(requests))
        self._abandon()
        self._disk = self._disk.crash(CrashOutcome(crash.keep, SeededRandom(crash.seed)))
        self._come_back(replies)
        return replies

    def restart(self, network: str) -> None:
        self._run(self._server.stop())
        self._log.close()
        self._abandon()
        self._network = network or self._network
        self._come_back()

    def wait(self, ms: int) -> None:
        """Move the clock, and let background work end."""
        self._clock.now_ms += ms
        self._run(asyncio.sleep(_PAUSE_S))

    def now(self) -> Moment:
        return at(self._clock.now_ms)

    def log(self) -> LogView:
        """All events of the log, and the state that they lead to.

        Raises:
            ServerGone: it cannot be read, so that no server would start on it.
        """
        try:
            records = list(self._log.read())
            replayed = replay(self._log, State())
        except LogError as error:
            raise ServerGone(str(error)) from error
        entries = list(entries_in(records))
        return LogView(entries, digest(self._server.replica.state), digest(replayed))

    def end(self) -> None:
        self._abandon()

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)

    def _start(self) -> None:
        self._failure = ""
        self._log = self._open_log()
        self._server = self._make_server(self._log)
        self._power_lost = asyncio.Event()
        self._run(self._server.start())

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

    def _make_server(self, log: EventLog, *, rival: bool = False) -> LinklessServer:
        return LinklessServer(
            is_recorded=not rival,
            log=log,
            network=Network.parse(self._network),
            node_limits=NodeLimits(self._limits.max_nodes, self._limits.reclaim_after_ms),
            clock=self._clock,
            secrets=self._chance,
            token_ids=self._token_ids,
            run_blocking=self._run_blocking,
        )

    def _background_failed(self, _loop: object, context: dict[str, Any]) -> None:
        self._failure = f"{context['message']}: {context.get('exception')!r}"

    def _abandon(self) -> None:
        """Cancel every task at once, as the end of the process does."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._run(asyncio.wait(tasks))
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # the process has ended, and its error with it

    async def _run_blocking(self, function: Callable[[], T], /) -> T:
        """Run a blocking disk call in place; after the power failed, never return."""
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
        tasks = [asyncio.create_task(self._answer(self._server, each)) for each in requests]
        answered = asyncio.create_task(_all(tasks))
        dead = asyncio.create_task(self._power_lost.wait())
        await asyncio.wait([answered, dead], return_when=asyncio.FIRST_COMPLETED)
        dead.cancel()
        return [Reply(self.now(), task.result() if task.done() else None) for task in tasks]

    async def _answer(self, server: LinklessServer, request: Request) -> Answer | None:
        for _ in range(request.turns):
            await asyncio.sleep(0)
        answer = await server.carry_out(request.operation, self._names, request.request_id)
        if answer is not None:
            self._names.remember(request.operation, answer)
        return answer

    async def _perform_with_rival(self, requests: Sequence[Request]) -> list[Reply]:
        """The last of them through another replica, while the first one's append is under way."""
        *ours, self._rival_request = requests
        replies = await self._perform_together(ours)
        if self._rival_request is not None:  # there was no append
            await self._let_rival_write()
        replies.append(self._rival_reply)
        # With a write of its own the first replica learns what the other one wrote.
        await self._server.ports.call(ops.IssueToken("", 1), self._names, "catch-up")
        return replies

    async def _let_rival_write(self) -> None:
        request, self._rival_request = self._rival_request, None
        if request is None:
            return
        log = self._memory.peer()
        rival = self._make_server(log, rival=True)
        await rival.start()
        self._rival_reply = Reply(self.now(), await self._answer(rival, request))
        await rival.stop()
        log.close()


async def _all(tasks: Sequence["asyncio.Task[Answer | None]"]) -> None:
    """Wait for each of them, also for one that fails."""
    if tasks:
        await asyncio.wait(tasks)
