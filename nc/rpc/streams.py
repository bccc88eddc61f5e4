"""A stream as the edge runs it: its messages, for as long as its caller may call."""

from collections.abc import Callable
from typing import Protocol

from nc.rpc.answers import Status


class WireMessages(Protocol):
    """A stream's messages as its transport has them; see `nc.rpc.queue.stream.Stream`."""

    async def read(self) -> bytes | None: ...

    async def write(self, message: bytes) -> None: ...


class RefusedWith(Exception):
    """A stream ends with a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class AdmittedMessages:
    """A stream's messages, for as long as its caller may still call."""

    def __init__(self, messages: WireMessages, require: Callable[[], None]) -> None:
        self._messages = messages
        self._require = require

    async def read(self) -> bytes | None:
        message = await self._messages.read()
        self._require()
        return message

    async def write(self, message: bytes) -> None:
        self._require()
        await self._messages.write(message)

    def check(self) -> None:
        self._require()
