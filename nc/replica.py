"""The replica: the one place where decide, append, evolve and reply meet.

One writer task drains the queue of waiting commands. It decides each against the state as the ones
before it in the batch leave it, appends all their entries as one record, and only after the append
has returned swaps the new state in and resolves the replies. While an append is under way the next
batch gathers: that is the group commit, and no timer is needed.

Laws: nobody sees an event that is not durable; a refused command changes nothing; after a failed
append nothing more is promised, and queries go on.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from eventlog.api import MAX_PAYLOAD_BYTES, EventLog, RecordTooLarge, SequenceConflict
from nc.clock import Clock
from nc.domain.decide import Command, decide
from nc.domain.events import Batch, Entry, Event
from nc.domain.state import State
from nc.projections import evolve

T = TypeVar("T")

# Waiting commands beyond this are refused at once. A command waits for the batch under way and the
# one before its own, so this bounds memory, not the wait.
MAX_WAITING_COMMANDS = 4096

# Commands in one record: enough that the disk is never the bottleneck, few enough that the loop is
# not held up for more than some ten milliseconds.
MAX_BATCH_COMMANDS = 512

# A record is closed once it holds this much; one command's events may take it beyond.
MAX_BATCH_BYTES = 1024 * 1024

# A command whose events are larger is refused: they would not fit into a record after others.
MAX_COMMAND_BYTES = MAX_PAYLOAD_BYTES - 2 * MAX_BATCH_BYTES

# Events folded at once when the log is read back: bounds the memory that a replay needs.
_REPLAY_CHUNK_EVENTS = 20_000


class Overloaded(Exception):
    """Too many commands are waiting; the caller should try again later."""

    def __init__(self) -> None:
        super().__init__("too many requests are waiting to be written; try again in a moment")


class Stopping(Exception):
    """The replica takes no more commands."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down; try again in a moment")


class Unwritable(Exception):
    """The log cannot be written any more; what became of this command is unknown."""

    def __init__(self) -> None:
        super().__init__(
            "the event log cannot be written; the operator finds why in the server's log"
        )


class Origin(NamedTuple):
    """Who asked for a change, and through what; recorded with it."""

    actor: str
    method: str
    request_id: str


class _Waiting(NamedTuple):
    command: Command
    origin: Origin
    reply: asyncio.Future[list[Event]]


class _Decided(NamedTuple):
    """What a batch comes to, should its append succeed."""

    state: State
    entries: list[Entry]
    outcomes: list[list[Event] | Exception]  # one a command, in order


async def in_thread(function: Callable[[], T]) -> T:
    """Run a blocking call off the event loop."""
    return await asyncio.get_running_loop().run_in_executor(None, function)


class Replica:
    """State that follows a log, and the only writer to it.

    Args:
        log: the log; several replicas may share it.
        clock: stamps entries.
        off_loop: runs the blocking append; a simulation runs it in place.
    """

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        *,
        off_loop: Callable[[Callable[[], int]], Awaitable[int]] = in_thread,
        max_waiting_commands: int = MAX_WAITING_COMMANDS,
    ) -> None:
        self._log = log
        self._clock = clock
        self._off_loop = off_loop
        self._max_waiting_commands = max_waiting_commands
        self._state = State()
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._failure: Exception | None = None
        self.failed = asyncio.Event()  # set once the log cannot be written any more
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fold the log into the state, then take commands. Blocks while it reads."""
        self._catch_up()
        self._writer = asyncio.create_task(self._write(), name="replica-writer")

    @property
    def state(self) -> State:
        """The state as of the last durable event that this replica knows. Never waits."""
        return self._state

    @property
    def failure(self) -> Exception | None:
        """Why the log cannot be written any more, or None while it can."""
        return self._failure

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
            Stopping: the replica is shutting down; nothing changed.
            Unwritable: the log cannot be written; the outcome is unknown.
        """
        if self._failure is not None:
            raise Unwritable
        if self._stopping:
            raise Stopping
        if len(self._waiting) >= self._max_waiting_commands and not is_ours:
            raise Overloaded
        reply: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, origin, reply))
        self._wake.set()
        return await reply

    async def stop(self) -> None:
        """Finish what waits, then take no more. Idempotent."""
        self._stopping = True
        self._wake.set()
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._waiting or not self._stopping:
            if self._waiting:
                await self._commit()
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _commit(self) -> None:
        """Make the longest waiting commands durable, apply them, answer."""
        try:
            decided = await self._decide_durably()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was promised
            self._fail(error)
            return
        self._state = decided.state
        for outcome in decided.outcomes:
            reply = self._waiting.popleft().reply
            if reply.done():  # its caller has gone away
                continue
            if isinstance(outcome, Exception):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)

    async def _decide_durably(self) -> _Decided:
        """Decide and append; all over again whenever another replica was first."""
        while True:
            decided = self._decide()
            try:
                await self._append(decided)
            except SequenceConflict:
                self._catch_up()
            else:
                return decided

    def _decide(self) -> _Decided:
        """Decide the longest waiting commands, as many as go into one record."""
        state = self._state
        size_bytes = 0
        recorded_at_ns = self._clock.now_ns()
        entries: list[Entry] = []
        outcomes: list[list[Event] | Exception] = []
        for command, origin, _ in islice(self._waiting, MAX_BATCH_COMMANDS):
            try:
                events = decide(state, command)
                entry = _entry(recorded_at_ns, origin, events)
                candidate = evolve(state, events)
            except Exception as error:  # noqa: BLE001 - a refusal, or a bug that is one caller's
                outcomes.append(error)
                continue
            outcomes.append(events)
            if events:  # nothing can fail any more: state and entries move together
                state = candidate
                entries.append(entry)
                size_bytes += entry.ByteSize()
            if size_bytes >= MAX_BATCH_BYTES:
                break
        return _Decided(state, entries, outcomes)

    async def _append(self, decided: _Decided) -> None:
        expected = self._state.seq
        count = decided.state.seq - expected
        if count == 0:
            return
        payload = Batch(entries=decided.entries).SerializeToString()
        await self._off_loop(lambda: self._log.append(payload, count, expected))

    def _catch_up(self) -> None:
        """Fold in what the log holds beyond the state."""
        chunk: list[Event] = []
        for record in self._log.read(self._state.seq):
            chunk.extend(
                chain.from_iterable(e.events for e in Batch.FromString(record.payload).entries)
            )
            if len(chunk) >= _REPLAY_CHUNK_EVENTS:
                self._state = evolve(self._state, chunk)
                chunk = []
        self._state = evolve(self._state, chunk)

    def _fail(self, error: Exception) -> None:
        """Nothing was promised: say so to everyone who waits, and to everyone who comes."""
        self._failure = error
        self.failed.set()
        self._stopping = True
        for waiting in self._waiting:
            if not waiting.reply.done():
                waiting.reply.set_exception(Unwritable())
        self._waiting.clear()


def _entry(recorded_at_ns: int, origin: Origin, events: list[Event]) -> Entry:
    """What one command changed.

    Raises:
        RecordTooLarge: it is more than MAX_COMMAND_BYTES.
    """
    actor, method, request_id = origin
    entry = Entry(
        recorded_at_ns=recorded_at_ns,
        actor=actor,
        method=method,
        request_id=request_id,
        events=events,
    )
    size_bytes = entry.ByteSize()
    if size_bytes > MAX_COMMAND_BYTES:
        raise RecordTooLarge(size_bytes, MAX_COMMAND_BYTES)
    return entry
