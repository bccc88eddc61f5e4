"""The replica: where decide, append, evolve and reply meet.

One writer task drains the command queue: it decides each command on the state that the ones before
it lead to, appends all their entries as one record, and only then replaces the state
(`nc.replica.decide_and_append`) and resolves the replies. While an append is under way the next
batch gathers (`nc.replica.queue`): that is the group commit.

Laws: only durable events are visible; a refused command changes nothing; after a failed append no
command is accepted, and queries still work.
"""

import asyncio
from collections.abc import Callable

from eventlog.api import AsyncLog, LogPosition
from eventlog.errors import LogBusy, LogError, LogLacking
from eventlog.offloop import RunBlocking
from nc.clock import Clock
from nc.domain.decide import Command
from nc.domain.events import Event
from nc.domain.state import State
from nc.replica.batch import Decided, Origin, decide_batch
from nc.replica.decide_and_append import Decide, Replay, Timeline
from nc.replica.digests import Digests
from nc.replica.errors import DiskFull, Stopping, Unwritable, WriteRefused, refusal_for
from nc.replica.gc import gc_disabled
from nc.replica.local_log import in_thread
from nc.replica.queue import MAX_WAITING_COMMANDS, CommandQueue
from nc.replica.replay import Observer, replay
from nc.replica.snapshots import Snapshots

# After this long with nothing to write, the log gets a sync marker. A caller takes less than that
# from an answer to its next request, so that under load no marker is written.
MARK_AFTER_IDLE_S = 0.05
# How often a log that lacks something is tried again.
ROOM_CHECK_INTERVAL_S = 0.5


class Replica:
    """State that follows a log, and the only writer to it.

    Args:
        log: the log; several replicas may share it.
        clock: stamps entries.
        run_blocking: runs what blocks for snapshots; a simulation runs it in place.
        append_on_loop: whether appends may block the event loop (`nc.replica.local_log`).
        max_waiting_commands: a longer queue refuses commands.
        decide: decides a batch; tests plant bugs here.
        replay: folds what others wrote, and gives it to observers; tests plant bugs here.

    Attributes:
        queue: the undecided commands.
        append_durations: how long it took to append what was decided.
        snapshots: of the log.
        digests: that this replica records.
        failure: why the log cannot be written any more; None while it can.
        failed: set together with `failure`.
        lacking: set while something is, such as room; `writable` once nothing is any more.
        refusal, lack: makes the error of each command until then; and why, for the operator.
    """

    def __init__(
        self,
        log: AsyncLog,
        clock: Clock,
        *,
        run_blocking: RunBlocking = in_thread,
        append_on_loop: bool = False,
        max_waiting_commands: int = MAX_WAITING_COMMANDS,
        decide: Decide = decide_batch,
        replay: Replay = replay,
    ) -> None:
        self._log = log
        self._sync = log.write_sync_marker  # makes it durable, and says where it ends
        self._timeline = Timeline(log, clock, decide, replay, append_on_loop=append_on_loop)
        self._stopping = False
        self._is_marked = False  # nothing was appended since the last sync marker
        self._writer: asyncio.Task[None] | None = None
        self.append_durations = self._timeline.append_durations
        self.run_blocking = run_blocking
        self._is_behind = False  # `look` was called
        self._ended_by: Exception | None = None
        self.queue = CommandQueue(max_waiting_commands)
        self.snapshots = Snapshots(log.snapshots, run_blocking)
        self.digests = Digests(self.submit)
        self.failure: Exception | None = None
        self.failed = asyncio.Event()
        self.lacking = asyncio.Event()
        self.writable = asyncio.Event()
        self.refusal: Callable[[], WriteRefused] = DiskFull
        self.lack = ""

    def observe(self, observer: Observer) -> None:
        """Call back with the events that become durable, this replica's own and others'.

        They are part of `state` then, and the commands that led to them have not been answered yet.
        """
        self._timeline.observe(observer)

    def start(self) -> "asyncio.Task[None]":
        """Load the newest snapshot, fold in what came after it, then take commands.

        Blocks while it reads. Returns the writer task: should it die, no command is answered.
        """
        with gc_disabled():
            self._timeline.state = self.snapshots.load()
            self._timeline.catch_up()
        self._writer = asyncio.create_task(self._write(), name="replica-writer")
        return self._writer

    @property
    def session(self) -> str:
        """Of this process: random, the owner of its links."""
        return self._timeline.session

    @session.setter
    def session(self, session: str) -> None:
        self._timeline.session = session

    @property
    def state(self) -> State:
        """The state as of the last durable event that this replica knows. Never waits."""
        return self._timeline.state

    @property
    def is_writable(self) -> bool:
        """Whether a command can be made durable now."""
        return self.failure is None and not self.lacking.is_set()

    @property
    def waits_for(self) -> str:
        """What changes wait for, a sentence; "": for nothing that is known."""
        return self.refusal().waits_for if self.lacking.is_set() else ""

    @property
    def takes_changes(self) -> bool:
        """Whether a change would be made now, as far as is known; by whichever replica."""
        return self.failure is None and not self.waits_for

    async def submit(
        self, command: Command, origin: Origin, *, internal: bool = False
    ) -> list[Event]:
        """Decide a command and make its events durable.

        Args:
            command: what to decide.
            origin: who asked for it, and through what.
            internal: the server's own command, which a full queue takes all the same.

        Returns:
            Its events; they are durable and part of `state`.

        Raises:
            DomainError: refused; nothing changed.
            RecordTooLarge: its events are more than a record can hold; nothing changed.
            Overloaded: too many commands wait; nothing changed.
            WriteRefused: something is lacking for it (DiskFull: room); nothing changed.
            OutcomeOpen: the log has no majority; the outcome is unknown for now.
            Stopping: the replica is shutting down; nothing changed.
            Unwritable: the log cannot be written; the outcome is unknown.
        """
        if self.failure is not None:
            raise Unwritable
        if self._stopping:
            raise Stopping
        if self.lacking.is_set():
            raise self.refusal()
        return await self.queue.add(command, origin, internal=internal)

    def look(self, failure: Exception | None = None) -> None:
        """Fold in soon what other replicas have appended; or fail, with what ended the log."""
        self._is_behind, self._ended_by = True, failure
        self.queue.wake()

    async def stop(self) -> None:
        """Take no more commands, finish the queue, leave a snapshot. Idempotent."""
        self._stopping = True
        self.queue.wake()
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self.queue or not self._stopping:
            if self._is_behind:
                self._catch_up_or_fail()
                await self._snapshot_if_due()
            elif self.lacking.is_set():
                await self._wait_for_room()
            elif self.queue:
                if not self._stopping:
                    await self.queue.gather()
                await self._commit()
                await self._snapshot_if_due()
                self._digest_if_due()
                if self._log.has_blocked:
                    await asyncio.sleep(0)  # nobody else has run meanwhile
            else:
                await self._rest()
        await self._finish()

    async def _rest(self) -> None:
        """Sleep until there is work; after a while, mark the log durable."""
        await self.queue.sleep(None if self._is_marked else MARK_AFTER_IDLE_S)
        if not self._is_marked and not self.queue and not self._stopping:
            await self._mark()

    async def _mark(self) -> LogPosition | None:
        """Mark the log durable; None if that failed, which is handled."""
        try:
            position = await self._sync()
        except (LogLacking, LogBusy) as error:
            self._suspend(error)
        except Exception as error:  # noqa: BLE001 - any error has closed the log
            self._fail(error)
        else:
            self._is_marked = True
            return position
        return None

    async def _wait_for_room(self) -> None:
        """Probe the log once, after ROOM_CHECK_INTERVAL_S."""
        await self.queue.sleep(ROOM_CHECK_INTERVAL_S)
        try:
            await self._log.probe_space()
        except (LogLacking, LogBusy):
            return
        except Exception as error:  # noqa: BLE001 - any error has closed the log
            self._fail(error)
            return
        self._catch_up_or_fail()  # what was open may have been appended
        if self.failure is None:
            self.lacking.clear()
            self.writable.set()

    async def _snapshot_if_due(self) -> None:
        if self.is_writable and self.snapshots.is_due(self.state):
            position = await self._mark()
            # unless another replica has appended meanwhile
            if position is not None and position.last_seq == self.state.seq:
                self.snapshots.begin(self.state, position)

    def _digest_if_due(self) -> None:
        if self.is_writable and not self._stopping and self.digests.is_due(self.state):
            self.digests.begin(self.state)

    async def _finish(self) -> None:
        """Leave a sync marker and a snapshot, so that the next start is quick."""
        await self.snapshots.stop()
        await self.digests.stop()
        if self.failure is not None or self.lacking.is_set():
            return
        try:
            position = await self._sync()
        except LogError:
            return  # no command waits for it; the next open reports what is wrong
        if position.last_seq == self.state.seq:
            await self.snapshots.take_last(self.state, position)

    async def _commit(self) -> None:
        """Make the first queued commands durable, apply them, answer."""
        try:
            decided = await self._timeline.commit(self.queue.commands, self.queue.leave_open)
        except (LogLacking, LogBusy) as error:
            self._suspend(error)
            return
        except Exception as error:  # noqa: BLE001 - after any error no command was answered
            self._fail(error)
            return
        self._is_marked = self._is_marked and not decided.entries
        self._answer(decided)

    def _answer(self, decided: Decided) -> None:
        """Answer what was decided, which is durable and part of the state."""
        self.queue.answer(decided.outcomes)

    def _catch_up_or_fail(self) -> None:
        self._is_behind = False
        try:
            self._timeline.catch_up()
        except Exception as error:  # noqa: BLE001 - the state is not the log's any more
            self._fail(error)
        if self._ended_by is not None:
            self._fail(self._ended_by)

    def _suspend(self, error: LogLacking | LogBusy) -> None:
        """Fail all queued commands with WriteRefused, and later ones until nothing is lacking."""
        self._is_marked = False  # what is open may be behind the marker
        self.refusal, self.lack = refusal_for(error), error.reason
        self.writable.clear()
        self.lacking.set()
        self.queue.refuse(self.refusal)

    def _fail(self, error: Exception) -> None:
        """Fail all queued commands with Unwritable, and all later ones."""
        self.failure = error
        self.failed.set()
        self._stopping = True
        self.queue.refuse(Unwritable)
