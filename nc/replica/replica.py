"""The replica: the one place where decide, append, evolve and reply meet.

One writer task drains the queue of waiting commands. It decides each against the state as the ones
before it in the batch leave it, appends all their entries as one record, and only after the append
has returned swaps the new state in and resolves the replies. While an append is under way the next
batch gathers (`waiting.py`): that is the group commit.

Laws: nobody sees an event that is not durable; a refused command changes nothing; after a failed
append nothing more is promised, and queries go on.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from eventlog.api import EventLog, LogPosition, SequenceConflict
from eventlog.errors import LogError, LogFull
from nc.clock import Clock
from nc.domain.decide import Command
from nc.domain.events import Batch, Event
from nc.domain.state import State
from nc.replica.batch import Decided, Origin, decide_batch
from nc.replica.digests import Digests
from nc.replica.errors import DiskFull, Overloaded, Stopping, Unwritable
from nc.replica.gc import gc_disabled
from nc.replica.queue import MAX_WAITING_COMMANDS, CommandQueue
from nc.replica.replay import replay
from nc.replica.snapshots import RunBlocking, Snapshots

__all__ = [
    "MAX_WAITING_COMMANDS",
    "DiskFull",
    "Origin",
    "Overloaded",
    "Replica",
    "Stopping",
    "Unwritable",
    "in_thread",
]

T = TypeVar("T")

# With nothing to write for this long, the log is marked durable. Longer than callers who wait for
# one answer before they send the next request take, so that under load no marker is written.
MARK_AFTER_IDLE_S = 0.05

# How often a full disk is tried again.
ROOM_CHECK_INTERVAL_S = 0.5


async def in_thread(function: Callable[[], T]) -> T:
    """Run a blocking call off the event loop."""
    return await asyncio.get_running_loop().run_in_executor(None, function)


class Replica:
    """State that follows a log, and the only writer to it.

    Args:
        log: the log; several replicas may share it.
        clock: stamps entries.
        run_blocking: runs what blocks for the disk; a simulation runs it in place.

    Attributes:
        snapshots: those of the log.
        digests: those that it records.
        failed: set once the log cannot be written any more.
        full: set while the disk is full; `writable` is the opposite.
    """

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        *,
        run_blocking: RunBlocking = in_thread,
        max_waiting_commands: int = MAX_WAITING_COMMANDS,
    ) -> None:
        self._log = log
        self._clock = clock
        self._off_loop = run_blocking
        self._state = State()
        self._waiting = CommandQueue(max_waiting_commands)
        self._stopping = False
        self._failure: Exception | None = None
        self._is_marked = False  # nothing was appended since the log was marked durable
        self.snapshots = Snapshots(log.snapshots, run_blocking)
        self.digests = Digests(self.submit)
        self.failed = asyncio.Event()
        self.full = asyncio.Event()
        self.writable = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._observers: list[Callable[[Sequence[Event]], None]] = []

    def observe(self, observer: Callable[[Sequence[Event]], None]) -> None:
        """Tell somebody of the events that come to be, this replica's own and others'.

        They are durable and part of `state` then, and those who asked for them have not been
        answered yet.
        """
        self._observers.append(observer)

    def start(self) -> "asyncio.Task[None]":
        """Load the newest snapshot, fold in what came after it, then take commands.

        Blocks while it reads. Returns the writer task: should it die, no command is answered.
        """
        with gc_disabled():
            self._state = self.snapshots.load()
            self._catch_up()
        self._writer = asyncio.create_task(self._write(), name="replica-writer")
        return self._writer

    @property
    def state(self) -> State:
        """The state as of the last durable event that this replica knows. Never waits."""
        return self._state

    @property
    def failure(self) -> Exception | None:
        """Why the log cannot be written any more, or None while it can."""
        return self._failure

    @property
    def is_writable(self) -> bool:
        """Whether a command can be made durable now."""
        return self._failure is None and not self.full.is_set()

    async def submit(
        self, command: Command, origin: Origin, *, is_ours: bool = False
    ) -> list[Event]:
        """Decide a command and make what it leads to durable.

        Args:
            command: what is to be done.
            origin: who wants it.
            is_ours: the server's own, which no queue may refuse.

        Returns:
            The events that it led to; they are durable and part of `state`.

        Raises:
            DomainError: refused; nothing changed.
            RecordTooLarge: it would lead to more than a record can hold; nothing changed.
            Overloaded: too many commands wait; nothing changed.
            DiskFull: there is no room for it; nothing changed.
            Stopping: the replica is shutting down; nothing changed.
            Unwritable: the log cannot be written; the outcome is unknown.
        """
        if self._failure is not None:
            raise Unwritable
        if self._stopping:
            raise Stopping
        if self.full.is_set():
            raise DiskFull
        return await self._waiting.add(command, origin, is_ours=is_ours)

    async def stop(self) -> None:
        """Finish what waits, then take no more; leave a snapshot. Idempotent."""
        self._stopping = True
        self._waiting.wake()
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._waiting or not self._stopping:
            if self.full.is_set():
                await self._wait_for_room()
            elif self._waiting:
                if not self._stopping:
                    await self._waiting.gather()
                await self._commit()
                await self._snapshot_if_due()
                self._digest_if_due()
            else:
                await self._rest()
        await self._finish()

    async def _rest(self) -> None:
        """Sleep until there is something to do; before it gets long, mark the log durable."""
        await self._waiting.sleep(None if self._is_marked else MARK_AFTER_IDLE_S)
        if not self._is_marked and not self._waiting and not self._stopping:
            await self._mark()

    async def _mark(self) -> LogPosition | None:
        """Mark the log durable; None if that failed, which is then known."""
        try:
            place = await self._off_loop(self._log.write_sync_marker)
        except LogFull:
            self._suspend()
        except Exception as error:  # noqa: BLE001 - whatever it is, the log is closed now
            self._fail(error)
        else:
            self._is_marked = True
            return place
        return None

    async def _wait_for_room(self) -> None:
        """Try every now and then whether there is room on the disk again."""
        await self._waiting.sleep(ROOM_CHECK_INTERVAL_S)
        try:
            await self._off_loop(self._log.probe_space)
        except LogFull:
            return
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
            return
        self.full.clear()
        self.writable.set()

    async def _snapshot_if_due(self) -> None:
        if self.is_writable and self.snapshots.is_due(self._state):
            place = await self._mark()
            # unless another replica was faster
            if place is not None and place.last_seq == self._state.seq:
                self.snapshots.begin(self._state, place)

    def _digest_if_due(self) -> None:
        if self.is_writable and not self._stopping and self.digests.is_due(self._state):
            self.digests.begin(self._state)

    async def _finish(self) -> None:
        """Leave the log marked, and a snapshot, so that the next start is quick."""
        await self.snapshots.stop()
        await self.digests.stop()
        if self._failure is not None:
            return
        try:
            place = await self._off_loop(self._log.write_sync_marker)
        except LogError:
            return  # nobody waits for it; the next open sees what is the matter
        if place.last_seq == self._state.seq:
            await self.snapshots.take_last(self._state, place)

    async def _commit(self) -> None:
        """Make the longest waiting commands durable, apply them, answer."""
        try:
            decided = await self._decide_durably()
        except LogFull:
            self._suspend()
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was promised
            self._fail(error)
            return
        self._state = decided.state
        self._tell([event for entry in decided.entries for event in entry.events])
        self._waiting.answer(decided.outcomes)

    def _tell(self, events: Sequence[Event]) -> None:
        for observer in self._observers:  # one that fails does so outside of the writer
            asyncio.get_running_loop().call_soon(observer, events)

    async def _decide_durably(self) -> Decided:
        """Decide and append; all over again whenever another replica was first."""
        while True:
            decided = self._decide()
            try:
                await self._append(decided)
            except SequenceConflict:
                self._catch_up()
            else:
                return decided

    def _decide(self) -> Decided:
        waiting = ((command, origin) for command, origin, _ in self._waiting)
        return decide_batch(self._state, waiting, self._clock.now_ns())

    async def _append(self, decided: Decided) -> None:
        expected = self._state.seq
        count = decided.state.seq - expected
        if count == 0:
            return
        payload = Batch(entries=decided.entries).SerializeToString()
        self._is_marked = False
        await self._off_loop(lambda: self._log.append(payload, count, expected))

    def _catch_up(self) -> None:
        """Fold in what the log holds beyond the state, and tell of it: others wrote it."""
        known = self._state.seq
        self._state = replay(self._log, self._state)
        if self._observers:
            batches = (Batch.FromString(record.payload) for record in self._log.read(known))
            self._tell([e for batch in batches for entry in batch.entries for e in entry.events])

    def _suspend(self) -> None:
        """Nothing was changed: say so to everyone who waits, and look for room from now on."""
        self.writable.clear()
        self.full.set()
        self._waiting.refuse(DiskFull)

    def _fail(self, error: Exception) -> None:
        """Nothing was promised: say so to everyone who waits, and to everyone who comes."""
        self._failure = error
        self.failed.set()
        self._stopping = True
        self._waiting.refuse(Unwritable)
