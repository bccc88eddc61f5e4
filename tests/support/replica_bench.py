"""A replica on a bench: the test decides what time it is, and when an append gets through."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from eventlog import EventLog, MemoryLog
from eventlog.offloop import RunBlocking
from nc.domain.codec.records import entries_in, entries_of
from nc.domain.decide import Command
from nc.domain.events import Entry, Event
from nc.domain.evolve import evolve_entries
from nc.domain.state import State
from nc.domain.tokens import IssueToken, RedeemToken
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.queue import MAX_WAITING_COMMANDS
from nc.replica.replica import Replica
from nc.testing.virtual_time import VirtualLoop
from tests.support.histories import NOW_MS

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_S = 60  # virtual seconds; only turns a hang into a failure
TURNS = 30  # of the event loop: more than any task here takes to come to rest

ORIGIN = Origin("system", "test", "request")


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test in virtual time: no timer of a replica fires because a machine is slow."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), TIMEOUT_S))

    return run


async def settle() -> None:
    """Let every task go on until it waits for something that the test holds."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


class ManualClock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.ns = 1_800_000_000_000_000_000

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return self.ns

    def monotonic_ns(self) -> int:
        """Nanoseconds; as far as the test is concerned, it never goes back."""
        return self.ns


class Gate:
    """Where a replica's appends pass; while it is held, each waits until it is let through."""

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.passed = 0

    async def __call__(self, append: Callable[[], T], /) -> T:
        """Take the place of the thread in which a replica appends."""
        if self.held:
            self.waiting.append(asyncio.get_running_loop().create_future())
            await self.waiting[-1]
        await asyncio.sleep(0)  # as a thread would, it lets the loop go on
        self.passed += 1
        return append()

    async def let_one_through(self) -> None:
        """The append that waits longest happens."""
        self.waiting.popleft().set_result(None)
        await settle()

    async def open(self) -> None:
        """All appends happen, from now on without waiting."""
        self.held = False
        while self.waiting:
            await self.let_one_through()


def issue(token_id: str) -> IssueToken:
    """Issue a token that never expires."""
    return IssueToken(token_id, -1, NOW_MS)


def redeem(token_id: str, node_id: str) -> RedeemToken:
    return RedeemToken(token_id, node_id, (), NOW_MS)


@asynccontextmanager
async def running(
    log: EventLog,
    gate: RunBlocking | None = None,
    clock: ManualClock | None = None,
    max_waiting_commands: int = MAX_WAITING_COMMANDS,
) -> AsyncIterator[Replica]:
    """A replica that has started, and is stopped at the end."""
    gate, clock = gate or Gate(), clock or ManualClock()
    replica = Replica(
        LocalLog(log, clock, run_blocking=gate),
        clock,
        run_blocking=gate,
        max_waiting_commands=max_waiting_commands,
    )
    replica.start()
    yield replica
    if isinstance(gate, Gate):
        gate.held = False
    await replica.stop()


def submit(
    replica: Replica, *commands: Command, origin: Origin = ORIGIN
) -> list["asyncio.Task[list[Event]]"]:
    """Start to submit each of the commands; they wait in this order."""
    return [asyncio.create_task(replica.submit(command, origin)) for command in commands]


async def outcomes(tasks: list["asyncio.Task[list[Event]]"]) -> list[type[BaseException] | int]:
    """What became of the commands: the kind of the error, or how many events there were."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(r) if isinstance(r, BaseException) else len(r) for r in results]


def batches(log: MemoryLog) -> list[list[Entry]]:
    """The entries of each of the log's records."""
    return [list(entries_of(record)) for record in log.read()]


def replayed(log: MemoryLog) -> State:
    return evolve_entries(State(), entries_in(log.read()))
