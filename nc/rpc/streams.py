"""A stream as the edge runs it: its messages, for as long as its caller may call."""

from collections.abc import Callable

from nc.rpc.answers import Status
from nc.rpc.methods import Messages


class RefusedWith(Exception):
    """A stream ends with a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class AdmittedMessages:
    """A stream's messages, for as long as its caller may still call."""

    def __init__(self, messages: Messages, require: Callable[[], None]) -> None:
        self._messages = messages
        self._require = require

    async def read(self) -> bytes | None:
        message = await self._messages.read()
        self._require()
        return message

    async def write(self, message: bytes) -> None:
        self._require()
        await self._messages.write(message)
