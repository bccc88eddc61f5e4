"""The queue of undecided commands, and the group-commit delay.

While a batch is being made durable, the next one gathers here. Where the disk is fast that time is
short, so the writer waits for as many commands as the last batch had, for `GATHER_S` at the most; a
single caller never waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nc.domain.decide import Command
from nc.domain.events import Event
from nc.replica.batch import Origin
from nc.replica.errors import OutcomeOpen, Overloaded

# More commands are refused. A command waits for the batch that is being written and for the one
# before its own, so this bounds memory, not the wait.
MAX_WAITING_COMMANDS = 4096

# How long a batch waits to become as large as the one before it. Callers that send their next
# request when they have an answer are batched together then: with 64 of them 1.7 times as many
# commands a second, each answered in half the time.
GATHER_S = 0.004


class Waiting(NamedTuple):
    """A command, and the future that its caller awaits."""

    command: Command
    origin: Origin
    reply: "asyncio.Future[list[Event]]"


class CommandQueue:
    """First in, first out, for one writer.

    Args:
        max_commands: more are refused.
    """

    def __init__(self, max_commands: int = MAX_WAITING_COMMANDS) -> None:
        self.max_commands = max_commands
        self._waiting: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._enough = 1  # `add` wakes the writer at this length
        self._last_batch = 1  # how many commands the last batch had

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def commands(self) -> Iterator[tuple[Command, Origin]]:
        return ((waiting.command, waiting.origin) for waiting in self._waiting)

    def add(
        self, command: Command, origin: Origin, *, internal: bool = False
    ) -> "asyncio.Future[list[Event]]":
        """Queue a command; the future gets its events or its error.

        Raises:
            Overloaded: the queue is full, and the command is not internal.
        """
        if len(self._waiting) >= self.max_commands and not internal:
            raise Overloaded
        reply: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(command, origin, reply))
        if len(self._waiting) >= self._enough:
            self._wake.set()
        return reply

    def wake(self) -> None:
        """End the writer's sleep at once."""
        self._wake.set()

    async def sleep(self, at_most_s: float | None = None) -> None:
        """Sleep until enough commands are queued, `wake` is called, or the time is over."""
        self._wake.clear()
        timer = None
        if at_most_s is not None:
            timer = asyncio.get_running_loop().call_later(at_most_s, self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    async def gather(self) -> None:
        """Wait for as many commands as the last batch had, for `GATHER_S` at the most."""
        if len(self._waiting) < self._last_batch:
            self._enough = self._last_batch
            await self.sleep(GATHER_S)
            self._enough = 1

    def answer(self, outcomes: list[list[Event] | Exception]) -> None:
        """Remove the first commands and resolve their replies, one outcome each."""
        for reply, outcome in zip(self.take(len(outcomes)), outcomes, strict=True):
            resolve(reply, outcome)

    def take(self, count: int) -> "list[asyncio.Future[list[Event]]]":
        """Remove the first commands; returns their replies."""
        self._last_batch = count
        return [self._waiting.popleft().reply for _ in range(count)]

    def leave_open(self, count: int) -> None:
        """Tell the first commands that their outcome is not known for now."""
        self.answer([OutcomeOpen() for _ in range(count)])

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Fail all queued commands."""
        for waiting in self._waiting:
            if not waiting.reply.done():
                waiting.reply.set_exception(error())
        self._waiting.clear()


def resolve(reply: "asyncio.Future[list[Event]]", outcome: list[Event] | Exception) -> None:
    """Resolve a reply, unless its caller was cancelled."""
    if reply.done():
        return
    if isinstance(outcome, Exception):
        reply.set_exception(outcome)
    else:
        reply.set_result(outcome)
