"""A log in a folder or in memory as an `AsyncLog`: what blocks runs off the event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Protocol, TypeVar

from eventlog.api import EventLog, Limits, LogPosition, NextRecords, Record, SnapshotStore

T = TypeVar("T")


class RunBlocking(Protocol):
    """Runs a blocking call while the event loop goes on; in place, if it is known to be quick."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """What the function returns."""


class OffLoopLog:
    """An `AsyncLog` over an `EventLog`.

    Args:
        log: closed with this one.
        run_blocking: runs its appends.
    """

    def __init__(self, log: EventLog, run_blocking: RunBlocking) -> None:
        self._log = log
        self._run_blocking = run_blocking
        self.limits = Limits()
        self.has_blocked = False

    @property
    def last_seq(self) -> int:
        return self._log.last_seq

    @property
    def head(self) -> bytes:
        return self._log.head

    @property
    def snapshots(self) -> SnapshotStore:
        return self._log.snapshots

    async def append(
        self,
        payload: bytes,
        count: int,
        expected: int,
        *,
        may_block: bool = False,  # noqa: ARG002 - a subclass may know what is quick
    ) -> int:
        return await self._run_blocking(partial(self._log.append, payload, count, expected))

    async def write_sync_marker(self) -> LogPosition:
        return await self._run_blocking(self._log.write_sync_marker)

    async def sync(self) -> LogPosition:
        """As `write_sync_marker`: the log is on this machine alone."""
        return await self.write_sync_marker()

    async def probe_space(self) -> None:
        await self._run_blocking(self._log.probe_space)

    async def barrier(self) -> int:
        """The end: whoever appends to such a log does it in front of all its readers."""
        return self._log.last_seq

    def read(self, after: int = 0) -> Iterator[Record]:
        return self._log.read(after)

    def reading(self) -> NextRecords:
        return self._log.reading()

    def follow(self, after: int = 0, *, max_behind: int | None = None) -> AsyncIterator[Record]:
        return self._log.follow(after, max_behind=max_behind)

    async def watch(self) -> None:
        """For ever: whoever appends is told what is wrong."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        await self._run_blocking(self._log.close)
