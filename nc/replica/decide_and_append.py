"""The timeline: the state that follows a log, which grows by what is decided on it.

Commands are decided on the state, their events appended, and only then is the state another one.
Whoever finds that another replica has appended first reads that, and decides again.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from eventlog.api import AsyncLog, ReadableLog
from eventlog.errors import LogBusy, SequenceConflict
from nc.clock import Clock
from nc.domain.decide import Command
from nc.domain.events import Batch, Event
from nc.domain.state import State
from nc.histogram import Histogram
from nc.replica.batch import Decided, Origin
from nc.replica.errors import Replaced
from nc.replica.replay import Observer

Decide = Callable[[State, Iterable[tuple[Command, Origin]], int, int], Decided]
Replay = Callable[[ReadableLog, State, Observer | None], State]
Asked = Callable[[], Iterable[tuple[Command, Origin]]]  # the commands that wait, first come first

# From a disk that does not wait for its platters to one that fails.
DURATION_BOUNDS_S: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.1,
    0.5,
    2.5,
)


class Timeline:
    """One replica's.

    Args:
        log: is read and appended to.
        clock: stamps entries.
        append_on_loop: whether appends may block the event loop (`nc.replica.local_log`).
        decide, replay: see `nc.replica.replica.Replica`.

    Attributes:
        state: as of the last durable event that is known.
        session: of this process: random, the owner of its links.
        append_durations: of appends that succeeded.
        appended_ns: when the last of those began, by the monotonic clock.
        ends_with_session: whether another replica that ends the session is raised (`Replaced`).
    """

    def __init__(
        self, log: AsyncLog, clock: Clock, decide: Decide, replay: Replay, *, append_on_loop: bool
    ) -> None:
        self._log = log
        self._clock = clock
        self._decide = decide
        self._replay = replay
        self._append_on_loop = append_on_loop
        self._observers: list[Observer] = []
        self.state = State()
        self.session = ""
        self.append_durations = Histogram(DURATION_BOUNDS_S)
        self.appended_ns = 0
        self.ends_with_session = True

    def observe(self, observer: Observer) -> None:
        """See `Replica.observe`."""
        self._observers.append(observer)

    def catch_up(self) -> None:
        """Fold in what other replicas wrote, and give it to the observers.

        Raises:
            Replaced: it ends this replica's session.
            LogError, InconsistentHistory, UnknownEvent: as `nc.replica.replay.replay`.
        """
        observer = self._notify if self._observers else None
        was_going_on = self.session in self.state.sessions
        self.state = self._replay(self._log, self.state, observer)
        has_ended = was_going_on and self.session not in self.state.sessions
        if has_ended and self.ends_with_session:
            raise Replaced

    async def commit(self, asked: Asked, left_open: Callable[[int], None]) -> Decided:
        """Decide the first commands that wait, and make their events durable and part of the state.

        Args:
            asked: gives the commands; called again after a conflict.
            left_open: called, before LogBusy is raised, with the number of those whose events may
                be in the log.

        Raises:
            LogError, Replaced: as `AsyncLog.append` and `catch_up`.
        """
        most_bytes = self._log.limits.payload_bytes
        while True:
            decided = self._decide(self.state, asked(), self._clock.now_ns(), most_bytes)
            try:
                await self._append(decided)
            except SequenceConflict:
                self.catch_up()
            except LogBusy:
                left_open(len(decided.outcomes))
                raise
            else:
                break
        self.state = decided.state
        self._notify([event for entry in decided.entries for event in entry.events])
        return decided

    async def _append(self, decided: Decided) -> None:
        expected = self.state.seq
        count = decided.state.seq - expected
        if count:
            payload = Batch(entries=decided.entries).SerializeToString()
            may_block = self._append_on_loop and not self.state.links
            began_ns = self._clock.monotonic_ns()
            await self._log.append(payload, count, expected, may_block=may_block)
            self.append_durations.observe(self._clock.monotonic_ns() - began_ns)
            self.appended_ns = began_ns

    def _notify(self, events: Sequence[Event]) -> None:
        for observer in self._observers:  # an observer that fails does not fail the writer
            asyncio.get_running_loop().call_soon(observer, events)
