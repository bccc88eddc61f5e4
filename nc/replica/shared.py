"""A replica of several that share one log: it decides and appends only while it leads.

What it decides is answered once its followers have it, too (`acknowledge`). While it does not lead
it follows: its state is the log's, and its snapshots and the copy of the log are its own, but it
appends nothing, neither digests nor markers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from eventlog.api import AsyncLog, LogPosition
from nc.clock import Clock
from nc.domain.decide import Command
from nc.domain.events import Event
from nc.domain.leadership import StandForElection
from nc.replica.batch import Decided, Origin
from nc.replica.errors import LeaderLost, NotLeading, OutcomeOpen
from nc.replica.queue import resolve
from nc.replica.replica import Replica

# Calls back once an event is where it has to be; with False if that will not be known.
Acknowledge = Callable[[int, Callable[[bool], None]], None]


# Passes a command on to the leader; with True it is tried until it is known to be made.
Forward = Callable[[Command, Origin, bool], Awaitable[list[Event]]]

_AGAIN_S: Final = 0.05

# How long a stop waits for an append that is under way: it had its time before, and whoever wanted
# it has been answered that its outcome is open.
_LAST_APPEND_S: Final = 1.0


async def _to_nobody(_command: Command, _origin: Origin, _insist: bool) -> list[Event]:
    raise NotLeading


class SharedReplica(Replica):
    """See `Replica`, and the module.

    Attributes:
        acknowledge: set by who knows the followers.
        forward: set by who reaches the leader; it raises NotLeading if this replica leads by then.
        forwarded: what is passed on.
        leader_lacks: what the one that leads has found without a command of this replica's: what
            changes wait for.
        elected: called when the election of this replica is durable and part of the state.
        hands_over: it leads until another one is elected soon: changes wait for that one.
    """

    def __init__(self, log: AsyncLog, clock: Clock, **more: object) -> None:
        super().__init__(log, clock, **more)  # type: ignore[arg-type]  # as `Replica` has them
        self._timeline.ends_with_session = False
        self._sync = self._sync_as_role
        self.acknowledge: Acknowledge = lambda _, answer: answer(True)
        self.elected: Callable[[], None] = lambda: None
        self.hands_over = False
        self._led_epoch = 0
        self._giving_up: asyncio.TimerHandle | None = None
        self.forward: Forward = _to_nobody
        self.forwarded: tuple[type, ...] = ()
        self.leader_lacks = ""

    @property
    def leads(self) -> bool:
        """Whether it was elected, and no other one since, as far as is known."""
        return self.state.leader.session == self.session

    @property
    def decides(self) -> bool:
        """Whether it leads, and goes on to."""
        return self.leads and not self.hands_over

    @property
    def waits_for(self) -> str:
        """See `Replica.waits_for`."""
        return super().waits_for or self.leader_lacks

    @property
    def appended_ns(self) -> int:
        """When its last append that succeeded began, by the monotonic clock."""
        return self._timeline.appended_ns

    async def submit(
        self, command: Command, origin: Origin, *, internal: bool = False
    ) -> list[Event]:
        """See `Replica.submit`.

        Raises:
                NotLeading: another replica leads, or none, and this is no command to be passed on.
        """
        own = origin._replace(session=self.session)
        while True:
            try:
                if not self.decides:
                    return await self.forward(command, origin, internal)
                return await super().submit(command, own, internal=internal)
            except NotLeading:
                if not self.leads and not isinstance(command, self.forwarded):
                    raise
            except OutcomeOpen:
                # it changes nothing the second time
                if not internal or self.lacking.is_set():
                    raise
            await asyncio.sleep(_AGAIN_S)

    async def carry_out(self, command: Command, origin: Origin) -> list[Event]:
        """Make a change that another replica asks for, here and once; raises as `submit`.

        Whether to ask the next leader is for that replica to say: its link, or its process, may
        have ended by then, and the change would undo what followed it.
        """
        own = origin._replace(session=self.session)
        return await super().submit(command, own, internal=True)

    async def stand(self, command: StandForElection, origin: Origin) -> None:
        """Try to be elected; raises as `Replica.submit`."""
        await super().submit(command, origin, internal=True)

    async def stop(self) -> None:
        """See `Replica.stop`; the outcome of what the log does not take soon is open."""
        if self._writer is not None:
            loop = asyncio.get_running_loop()
            self._giving_up = loop.call_later(_LAST_APPEND_S, self._writer.cancel)
        await super().stop()

    async def _write(self) -> None:
        try:
            await super()._write()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            self.queue.refuse(OutcomeOpen)
            await self.snapshots.stop()
            await self.digests.stop()

    async def _finish(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
        await super()._finish()

    def _answer(self, decided: Decided) -> None:
        epoch = self.state.leader.epoch
        if self.leads and epoch != self._led_epoch:
            self._led_epoch = epoch
            if _has_election(decided):  # else its outcome was open, and it was read meanwhile
                self.elected()
                super()._answer(decided)  # nothing else was decided with it
                return
        replies = self.queue.take(len(decided.outcomes))

        def answer(is_known: bool) -> None:
            for reply, outcome in zip(replies, decided.outcomes, strict=True):
                resolve(reply, outcome if is_known else LeaderLost())

        self.acknowledge(self.state.seq, answer)

    async def _sync_as_role(self) -> LogPosition:
        return await (self._log.write_sync_marker() if self.leads else self._log.sync())

    def _digest_if_due(self) -> None:
        if self.leads:
            super()._digest_if_due()


def _has_election(decided: Decided) -> bool:
    events = (event for entry in decided.entries for event in entry.events)
    return any(event.HasField("leader_elected") for event in events)
