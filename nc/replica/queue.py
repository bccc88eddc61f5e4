"""Those who wait: commands that nobody has decided yet, and how long to wait for more of them.

While a batch is being made durable the next one gathers here: that is the group commit. On a fast
disk that is a short while, so whoever takes the next batch waits until as many have come as the
last time, for a moment at the most; a lone caller never waits.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from nc.domain.decide import Command
from nc.domain.events import Event
from nc.replica.batch import Origin
from nc.replica.errors import Overloaded

__all__ = ["MAX_WAITING_COMMANDS", "CommandQueue", "Waiting"]

# Waiting commands beyond this are refused at once. A command waits for the batch under way and the
# one before its own, so this bounds memory, not the wait.
MAX_WAITING_COMMANDS = 4096

# How long a batch may wait to become as large as the one before it. Callers who send their next
# request when they have an answer come together then, and what is done once a batch is shared: with
# 64 of them 1.7 times as many commands a second, each answered in half the time.
GATHER_S = 0.004


class Waiting(NamedTuple):
    """A command, and whoever waits for what it leads to."""

    command: Command
    origin: Origin
    reply: "asyncio.Future[list[Event]]"


class CommandQueue:
    """The queue of one writer, in the order in which they came.

    Args:
        max_commands: more are refused.
    """

    def __init__(self, max_commands: int = MAX_WAITING_COMMANDS) -> None:
        self.max_commands = max_commands
        self._waiting: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._enough = 1  # the writer sleeps until so many wait
        self._last_batch = 1  # how many the last batch held

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def add(
        self, command: Command, origin: Origin, *, is_ours: bool = False
    ) -> "asyncio.Future[list[Event]]":
        """Let a command wait; returns what will be told of it.

        Raises:
            Overloaded: too many wait, and it is not the server's own.
        """
        if len(self._waiting) >= self.max_commands and not is_ours:
            raise Overloaded
        reply: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(command, origin, reply))
        if len(self._waiting) >= self._enough:
            self._wake.set()
        return reply

    def wake(self) -> None:
        """End the writer's sleep, whatever it sleeps for."""
        self._wake.set()

    async def sleep(self, at_most_s: float | None = None) -> None:
        """Sleep until enough commands wait, somebody wakes us, or the time is over."""
        self._wake.clear()
        timer = None
        if at_most_s is not None:
            timer = asyncio.get_running_loop().call_later(at_most_s, self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    async def gather(self) -> None:
        """Let as many commands come together as the last time, for a moment at the most."""
        if len(self._waiting) < self._last_batch:
            self._enough = self._last_batch
            await self.sleep(GATHER_S)
            self._enough = 1

    def answer(self, outcomes: list[list[Event] | Exception]) -> None:
        """Tell those who have waited longest what became of their commands, one outcome each."""
        self._last_batch = len(outcomes)
        for outcome in outcomes:
            reply = self._waiting.popleft().reply
            if reply.done():  # its caller has gone away
                continue
            if isinstance(outcome, Exception):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)

    def refuse(self, error: type[Exception]) -> None:
        """Tell everyone who waits the same."""
        for waiting in self._waiting:
            if not waiting.reply.done():
                waiting.reply.set_exception(error())
        self._waiting.clear()
