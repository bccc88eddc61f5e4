"""Changes that servers themselves want: each is carried out in as many records as it needs."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from eventlog.api import Limits
from nc.domain.decide import Command
from nc.domain.errors import SessionEnded
from nc.domain.events import Event
from nc.domain.nodes import ExpireNodes
from nc.domain.replicas import DropSome, StartReplica, StopReplica
from nc.replica.batch import Origin
from nc.replica.errors import NotLeading, OutcomeOpen, WriteRefused
from nc.replica.replica import Replica
from nc.secrets import RequestIds

# What a change of the server's own may fail with for now; whoever leads later wants it again. Any
# of several servers may be replaced, or taken for lost, between two steps.
NOT_NOW: Final = (NotLeading, SessionEnded, WriteRefused, OutcomeOpen)

Submit = Callable[[Command], Awaitable[list[Event]]]  # as `Replica.submit`, for one origin

# What the end of a link takes in a record, at the most.
DROP_BYTES: Final = 512


class OwnChanges:
    """Those of one server.

    Args:
        replica: makes them.
        request_ids: gives each its id.
        limits: of the log.
        decides: whether this replica decides now; else the one that does makes several records.
    """

    def __init__(
        self,
        replica: Replica,
        request_ids: RequestIds,
        limits: Limits,
        decides: Callable[[], bool] = lambda: True,
    ) -> None:
        self._replica = replica
        self._decides = decides
        self._request_ids = request_ids
        self._most_drops = limits.payload_bytes // DROP_BYTES

    async def submit(self, command: Command, method: str) -> None:
        """Make a change; raises as `Replica.submit`, and some of its links may have ended then."""
        origin = Origin("system", method, self._request_ids.new())
        await self.make(command, partial(self._replica.submit, origin=origin, internal=True))

    async def make(self, command: Command, submit: Submit) -> None:
        """Make anyone's change; `submit` makes what goes into one record."""
        if isinstance(command, StartReplica | StopReplica | ExpireNodes) and self._decides():
            some = DropSome(command, self._most_drops)
            while len(self._replica.state.links) > self._most_drops and await submit(some):
                pass
        await submit(command)
