"""Long work on the event loop, in small slices and a bounded number at a time.

A slice takes a few milliseconds at the most, and between two slices everything else has its turn:
a thread would hold the interpreter for longer, and whoever answers queries would wait for it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import Final, TypeVar

from nc.rpc.admin.errors import TooMuchWork

T = TypeVar("T")

# Things of a microsecond or two each.
SLICE: Final = 1000


async def in_slices(items: Iterable[T], size: int = SLICE) -> AsyncIterator[list[T]]:
    """The items, some at a time; others run between."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
        await asyncio.sleep(0)


class Turns:
    """Lets some calls of a kind work, and some wait.

    Args:
        what: they are to do, for the refusal of others.
        working: how many may work at once, each with the memory of an answer.
        waiting: how many may wait for that.
    """

    def __init__(self, what: str, working: int, waiting: int) -> None:
        self._what = what
        self._places = asyncio.Semaphore(working)
        self._most_waiting = waiting
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for a place, and have it.

        Raises:
            TooMuchWork: too many wait.
        """
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise TooMuchWork(
                f"too many requests to {self._what} wait already; try again in a moment"
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


class Pacer:
    """Gives one task at a time the time for a slice, however many have long work to do."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for this task's turn; others that have nothing to do with it run before."""
        async with self._lock:
            await asyncio.sleep(0)
