"""A connection to a server's control port, and what can be asked there."""

from typing import Final, Self

from nc.client.areas.administrators import Administrators
from nc.client.areas.events import Events
from nc.client.areas.history import History
from nc.client.areas.nodes import Nodes
from nc.client.areas.replicas import Replicas
from nc.client.areas.server import Server
from nc.client.areas.tokens import Tokens
from nc.client.arguments import checked
from nc.client.calls import Calls
from nc.client.channel import CONTROL_PORT, DEFAULT_TIMEOUT_S, Channel
from nc.client.contexts import Context
from nc.client.convert import uint32
from nc.secrets import SystemSecrets

RETRIES: Final = 2


class AsyncClient:
    """A client for programs that run on asyncio; open within `async with`.

    Args:
        context: which server, and the certificates for it; None: the current context, as `ncadm`
            without options uses it.
        timeout_s: the deadline of a call.
        retries: how often a call that changes nothing is repeated while there is no connection.

    Raises:
        TypeError, ValueError: an argument is wrong; so raises each method, before it calls.
        UnusableFile, ContextError: the certificates cannot be read, there is no such context.
    """

    @checked
    def __init__(
        self,
        context: Context | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s is {timeout_s}: expected more than 0")
        uint32("retries", retries)
        self.context = context or Context.current()
        self._channel = Channel(
            self.context.host, self.context.port, self.context.tls(), CONTROL_PORT
        )
        calls = Calls(self._channel, timeout_s, retries, SystemSecrets())
        self.nodes = Nodes(calls)
        self.tokens = Tokens(calls)
        self.administrators = Administrators(calls)
        self.replicas = Replicas(calls)
        self.events = Events(calls)
        self.history = History(calls)
        self.server = Server(calls)

    async def open(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def close(self) -> None:
        await self._channel.__aexit__()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()
