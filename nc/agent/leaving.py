"""When a node leaves a server that asks for it, since it is out of touch with the others."""

import asyncio

from nc.agent.connection import HubConnection


class Leaving:
    """Of one agent.

    Attributes:
        is_due: set while a link to another server is to be tried.
    """

    def __init__(self) -> None:
        self.is_due = asyncio.Event()

    def look(self, connection: HubConnection) -> None:
        """See what the server of a link asks for: it may have let the node stay meanwhile."""
        if connection.is_to_leave and not connection.ended.done():
            self.is_due.set()
        else:
            self.is_due.clear()
