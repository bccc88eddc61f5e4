"""A log that others keep, as a stream of NATS does: it lags, is busy, and may lose its end.

    SharedLog   what is true: messages, of which each append names the last that it knows
    LogView     what one server knows of it: an `AsyncLog`

An append may be lost on its way, or done and its answer lost; it is repeated until its outcome is
known, or open. What a server reads may be out of date for as long as it is cut off.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from eventlog import MemoryLog
from eventlog.api import Limits, LogPosition, NextRecords, Record, SnapshotStore, check_appendable
from eventlog.errors import LogBusy, LogRewound, LogUnavailable, SequenceConflict
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.lines import LATENCY_S, THE_LOG, way
from nc.testing.simulation.messages import Message, chain_of

__all__ = ["LogView", "SharedLog", "Trouble"]

_NAME: Final = "nats://simulated"

BUSY_AFTER_S: Final = 10.0
_TRY_S: Final = 1.5
_LAGS_S: Final = 1.0
_LOST: Final = 0.4  # of the answers
_LOOK_S: Final = 0.05


class Trouble(Enum):
    """What is not as it should be."""

    BUSY = "the log is busy"  # nothing can be appended
    LOSES_ANSWERS = "the log loses answers"  # appends are done, or not
    LATE_LOG = "what the log has comes late"
    LATE_LINES = "what servers say comes late"


class SharedLog:
    """The servers that keep the log.

    Attributes:
        messages: those that are there.
        troubles: what is not as it should be, each as often as it was begun.
        forked_after: by server, how many messages its store has as they are; not the later ones.
        changed: set, and replaced, with each append.
    """

    def __init__(self, chance: SeededRandom, is_cut_off: Callable[[str], bool]) -> None:
        self.messages: list[Message] = []
        self.troubles: Counter[Trouble] = Counter()
        self._is_cut_off = is_cut_off
        self.forked_after: dict[str, int] = {}
        self.chance = chance
        self.changed = asyncio.Event()

    def reaches(self, name: str) -> bool:
        """Whether the server with this address does."""
        return not self._is_cut_off(way(name, THE_LOG))

    @property
    def lags_s(self) -> float:
        """How long a message takes to a reader at most."""
        return _LAGS_S if self.troubles[Trouble.LATE_LOG] else LATENCY_S

    def take(self, message: Message, after: int) -> None:
        """Append, if there are so many messages; else refuse it."""
        if len(self.messages) == after:
            self.messages.append(message)
            self.changed.set()
            self.changed = asyncio.Event()

    def read(self, name: str, after: int, through: int) -> list[Message]:
        """These messages, as the store has them that a server reads from."""
        found = self.messages[after:through]
        forked_after = self.forked_after.get(name, through)
        for index in range(max(after, forked_after), after + len(found)):
            found[index - after] = self._other(index)
        return found

    def _other(self, index: int) -> Message:
        """A message with the bytes of an older one."""
        message = self.messages[index]
        others = (m.payload for m in reversed(self.messages[:index]) if m.count == message.count)
        payload = next((other for other in others if other != message.payload), message.payload)
        return message._replace(payload=payload)

    def rewind(self, count: int) -> None:
        """Lose the last messages, as when old copies are put back."""
        del self.messages[len(self.messages) - count :]


class _Pending(NamedTuple):
    message: Message
    after: int


class LogView:
    """What one server knows of the log; its copy outlives the process.

    Args:
        shared: the log.
        name: the server's address.
        copy: with what was read by earlier processes.
        known: how many messages that is, with a mark for each of them.
    """

    def __init__(self, shared: SharedLog, name: str, copy: MemoryLog, known: list[Message]) -> None:
        self._shared = shared
        self.name = name
        self._copy = copy
        self._known = known
        self._appending = asyncio.Lock()
        self._pending: _Pending | None = None
        self._number = 0
        self._writer = f"{name}/{len(known)}/{shared.chance.random()}"
        self.limits = Limits(64 * 1024)
        self.has_blocked = False
        self.failure: LogUnavailable | None = None
        self._failed = asyncio.Event()
        self._is_closed = False
        self._check_own_past()

    @property
    def records(self) -> int:
        return len(self._known)

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
            if shared.reaches(self.name) and len(self._known) < there:
                await asyncio.sleep(shared.lags_s * shared.chance.random())
                self._read(there - len(self._known))  # it lags, and comes no slower for that
            elif shared.reaches(self.name):
                self._read(0)
                await changed.wait()
            else:
                await asyncio.sleep(_LOOK_S)

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
            while self._known and self._known[-1].count:
                await self._publish(b"", 0)
        return await self.sync()

    async def sync(self) -> LogPosition:
        return self._copy.write_sync_marker()

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

    async def _publish(self, payload: bytes, count: int) -> bool:
        """Append behind what is known; whether it is there."""
        self._number += 1
        chain = chain_of(self._last, payload, count)
        message = Message(self._writer, self._number, payload, count, chain)
        self._pending = _Pending(message, len(self._known))
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
        self._read(after + 1 - len(self._known))
        return self._known[after : after + 1] == [message]

    def _read(self, most: int) -> None:
        """Read on; raises and fails if the log is not what it was."""
        shared, known = self._shared, self._known
        if self._is_closed:
            return
        self._check_own_past()
        for message in shared.read(self.name, len(known), len(known) + max(most, 0)):
            self._check_next(message)
            if message.count:
                self._copy.append(message.payload, message.count, self._copy.last_seq)
            known.append(message)

    def _check_own_past(self) -> None:
        """Fail if the log does not have what this server has read."""
        last = len(self._known)
        there = self._shared.messages
        if last and (len(there) < last or there[last - 1].chain != self._known[-1].chain):
            self._fail(LogRewound(_NAME, f"it does not have message {last} as its copy has it"))

    def _check_next(self, message: Message) -> None:
        """Fail if this is not what was appended behind the last message that was read."""
        if not message.continues(self._last):
            found = f"message {len(self._known) + 1} does not continue the chain"
            self._fail(LogRewound(_NAME, found))

    @property
    def _last(self) -> Message | None:
        return self._known[-1] if self._known else None

    def _fail(self, error: LogUnavailable) -> None:
        self.failure = self.failure or error
        self._failed.set()
        raise error
