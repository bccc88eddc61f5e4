"""Replicas that are lost: found by the leader, and the links that they held are dropped."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.domain.events import Event
from nc.domain.leadership import DropUnowned, LoseReplica, unowned
from nc.domain.replicas import SESSION_EVENTS
from nc.replica.role import Role

# A link's end takes less than this in a record; some milliseconds of the event loop.
_DROPS: Final = 500

SubmitLoss = Callable[[LoseReplica | DropUnowned], Awaitable[None]]


class Losses:
    """Those that one replica finds while it leads."""

    def __init__(self, role: Role, submit: SubmitLoss, log: FilteringBoundLogger) -> None:
        self._role = role
        self._submit = submit
        self._log = log
        self._sessions = role.replica.state.sessions  # as of the last events
        self._has_begun = False  # until then, what is read is the log of before this start
        self.may_have_unowned = True  # links of sessions that have ended

    def see(self, events: Iterable[Event]) -> None:
        """Events have become part of the state."""
        replica = self._role.replica
        before, self._sessions = self._sessions, replica.state.sessions
        self._has_begun = self._has_begun or replica.leads or replica.session in before
        names = before  # and those that begin and end within these events
        for event in events:
            kind = event.WhichOneof("kind")
            if kind not in SESSION_EVENTS:
                continue
            self.may_have_unowned = True
            if kind == "replica_started":
                started = event.replica_started
                names = names.insert(started.session, started.replica_id)
            elif kind == "replica_lost" and self._has_begun:
                session = event.replica_lost.session
                is_own = session == replica.session
                self._log.warning(
                    log_events.REPLICA_LOST,
                    replica=names.get(session, ""),
                    session=session,
                    is_own=is_own,
                )

    async def look(self) -> None:
        """Look once; raises as `Replica.submit`."""
        for session in self._role.lost():
            await self._submit(LoseReplica(session))
        while self._role.replica.leads and self.may_have_unowned:
            state = self._role.replica.state
            self.may_have_unowned = any(True for _ in unowned(state.links, state.sessions))
            if self.may_have_unowned:
                await self._submit(DropUnowned(_DROPS))
