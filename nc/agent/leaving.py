"""When a node leaves a server that asks for it: it stops, or is out of touch with the others."""

import asyncio

from nc.agent.connection import HubConnection


class Leaving:
    """Of one agent.

    Attributes:
        is_due: set while a link to another server is to be tried.
    """

    def __init__(self) -> None:
        self.is_due = asyncio.Event()
        self._again: asyncio.TimerHandle | None = None

    def look(self, connection: HubConnection) -> None:
        """See what the server of a link asks for: it may have let the node stay meanwhile."""
        if self._again is not None:
            self._again.cancel()
        if connection.is_to_leave and not connection.ended.done():
            self.is_due.set()
        else:
            self.is_due.clear()

    def look_later(self, connection: HubConnection, wait_s: float) -> None:
        """Look in so many seconds, unless something is asked for before: no other took the node."""
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(wait_s, self.look, connection)
