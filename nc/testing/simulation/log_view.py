"""What one server knows of a log that others keep, with a copy of it on its disk.

An append may be lost on its way, or done and its answer lost; it is repeated until its outcome is
known, or open. What a server reads may be out of date for as long as it is cut off. What its copy
loses at a power cut it reads again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, NamedTuple, NoReturn, TypeVar

from eventlog.api import Limits, LogPosition, NextRecords, Record, SnapshotStore, check_appendable
from eventlog.copies import FolderCopy
from eventlog.errors import LogBusy, LogLacking, LogRewound, LogUnavailable, SequenceConflict
from eventlog.format import NO_CHAIN
from eventlog.testing import PowerLoss
from nc.testing.simulation.lines import LATENCY_S
from nc.testing.simulation.messages import Message, next_record
from nc.testing.simulation.shared_log import SharedLog, Trouble

__all__ = ["LogView"]

T = TypeVar("T")

_NAME: Final = "nats://simulated"

BUSY_AFTER_S: Final = 10.0
_TRY_S: Final = 1.5
_LOST: Final = 0.4  # of the answers
_LOOK_S: Final = 0.05
_SYNC_COPY_S: Final = 5.0


class _Pending(NamedTuple):
    message: Message
    after: int


class LogView:
    """What one server knows of the log.

    Args:
        shared: the log.
        name: the server's address.
        copy: what earlier processes have read, or what is left of that.
        now_ns: Unix time in nanoseconds.

    Attributes:
        power_is_lost: set once the power of the copy's disk is.

    Raises:
        LogRewound: the log does not have the copy's end.
    """

    def __init__(
        self, shared: SharedLog, name: str, copy: FolderCopy, now_ns: Callable[[], int]
    ) -> None:
        self._shared = shared
        self.name = name
        self._copy = copy
        self._now_ns = now_ns
        self.power_is_lost = asyncio.Event()
        self._appending = asyncio.Lock()
        self._pending: _Pending | None = None
        self._number = 0
        self._writer = f"{name}/{copy.last_seq}/{shared.chance.random()}"
        self.limits = Limits(64 * 1024)
        self.has_blocked = False
        self.failure: LogUnavailable | None = None
        self._failed = asyncio.Event()
        self._is_closed = False
        chains = [NO_CHAIN, *(message.record.chain for message in shared.messages)]
        if copy.head not in chains:
            raise LogRewound(_NAME, f"it does not have event {copy.last_seq} as its copy has it")
        self._chains = chains[1 : chains.index(copy.head) + 1]  # of the messages that were read

    @property
    def records(self) -> int:
        return len(self._chains)

    @property
    def last_seq(self) -> int:
        return self._copy.last_seq

    @property
    def head(self) -> bytes:
        return self._copy.head

    @property
    def snapshots(self) -> SnapshotStore:
        return self._copy.snapshots

    async def run(self) -> None:
        """Read what comes, with its delay, for ever."""
        shared = self._shared
        while True:
            changed, there = shared.changed, len(shared.messages)
            if shared.reaches(self.name) and self.records < there:
                await asyncio.sleep(shared.lags_s * shared.chance.random())
                await self._read(there)  # it lags, and comes no slower for that
            elif shared.reaches(self.name):
                await self._read(0)
                await changed.wait()
            else:
                await asyncio.sleep(_LOOK_S)

    async def keep_copy(self) -> None:
        """Sync the copy now and then, for ever."""
        while True:
            await asyncio.sleep(_SYNC_COPY_S)
            await self.sync()

    async def append(
        self, payload: bytes, count: int, expected: int, *, may_block: bool = False
    ) -> int:
        del may_block
        check_appendable(payload, count, self.limits.payload_bytes)
        async with self._appending:
            await self._settle()
            if expected != self.last_seq:
                raise SequenceConflict(expected, self.last_seq)
            if not await self._publish(payload, count):
                raise SequenceConflict(expected, self.last_seq)
            return expected + count

    async def write_sync_marker(self) -> LogPosition:
        async with self._appending:
            await self._settle()
            while not self._copy.is_marked:
                await self._publish(b"", 0)
        return await self.sync()

    async def sync(self) -> LogPosition:
        try:
            return await self._on_disk(self._copy.sync)
        except LogUnavailable as error:
            self._fail(error)

    async def barrier(self) -> int:
        async with self._appending:
            await self._settle()
            while not await self._publish(b"", 0):
                pass
            return self.last_seq

    async def probe_space(self) -> None:
        async with self._appending:
            await self._settle()
            await self._publish(b"", 0)

    def read(self, after: int = 0) -> Iterator[Record]:
        return self._copy.read(after)

    def reading(self) -> NextRecords:
        return self._copy.reading()

    def follow(self, after: int = 0, *, max_behind: int | None = None) -> AsyncIterator[Record]:
        return self._copy.follow(after, max_behind=max_behind)

    async def watch(self) -> None:
        await self._failed.wait()
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self._is_closed = True
        await self._on_disk(self._copy.close)

    async def _publish(self, payload: bytes, count: int) -> bool:
        """Append behind what is known; whether it is there."""
        self._number += 1
        copy = self._copy
        record = next_record(copy.last_seq, copy.head, payload, count, self._now_ns())
        message = Message(self._writer, self._number, record)
        self._pending = _Pending(message, self.records)
        return await self._settle()

    async def _settle(self) -> bool:
        """Find out what became of the append under way, if there is one.

        Raises:
            LogBusy: that is open.
            LogRewound: the log has lost messages.
        """
        if self.failure is not None:
            raise self.failure
        if self._pending is None:
            return True
        message, after = self._pending
        loop = asyncio.get_running_loop()
        until = loop.time() + BUSY_AFTER_S
        while loop.time() < until:
            outcome = await self._ask(message, after)
            if outcome is None and self.records > after:  # it was read, whatever was answered
                outcome = self._chains[after] == message.record.chain
            if outcome is not None:
                self._pending = None
                return outcome
        raise LogBusy(_NAME, "no answer")

    async def _ask(self, message: Message, after: int) -> bool | None:
        """Send an append once; whether it is there, None: not known."""
        shared, chance = self._shared, self._shared.chance
        await asyncio.sleep(LATENCY_S * chance.random())
        if not shared.reaches(self.name) or shared.troubles[Trouble.BUSY]:
            await asyncio.sleep(_TRY_S)
            return None
        loses = _LOST if shared.troubles[Trouble.LOSES_ANSWERS] else 0.0
        is_lost = chance.random() < loses
        if is_lost and chance.pick((True, False)):  # before it came
            await asyncio.sleep(_TRY_S)
            return None
        shared.take(message, after)
        if is_lost or not shared.reaches(self.name):
            await asyncio.sleep(_TRY_S)
            return None
        await asyncio.sleep(LATENCY_S * chance.random())
        if not shared.reaches(self.name):
            return None
        await self._read(after + 1)
        return shared.messages[after : after + 1] == [message]

    async def _read(self, through: int) -> None:
        """Read on until so many messages are known; fails if the log is not what it was."""
        if self._is_closed:
            return
        self._check_own_past()
        records = [m.record for m in self._shared.read(self.name, self.records, through)]
        try:
            await self._on_disk(lambda: self._copy.add(records))
        except LogLacking as error:
            self._fail(LogUnavailable(_NAME, f"its copy cannot be written: {error}"))
        except LogUnavailable as error:  # it does not follow on what was read before
            self._fail(error)
        self._chains += [record.chain for record in records]

    def _check_own_past(self) -> None:
        """Fail if the log does not have what this server has read."""
        last = self.records
        there = self._shared.messages[last - 1 : last]
        if last and [message.record.chain for message in there] != self._chains[-1:]:
            self._fail(LogRewound(_NAME, f"it does not have message {last} as its copy has it"))

    async def _on_disk(self, operation: Callable[[], T]) -> T:
        """Use the copy's disk; nothing follows if its power fails meanwhile."""
        try:
            return operation()
        except PowerLoss:
            self.power_is_lost.set()
            await asyncio.Event().wait()
            raise

    def _fail(self, error: LogUnavailable) -> NoReturn:
        self.failure = self.failure or error
        self._failed.set()
        raise error
