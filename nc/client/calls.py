"""How calls are made: deadlines, repetition of what is safe to repeat, pages, and streams.

Only reading is repeated, and only if the server could not be reached: of a change, nobody knows
then whether it was made.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from google.protobuf.message import Message

from nc.backoff import delay_s
from nc.client.channel import Channel
from nc.client.errors import Cancelled, Unavailable
from nc.secrets import Secrets

T = TypeVar("T")

LOG: Final = logging.getLogger("nc.client")


class Items(Generic[T]):
    """What comes in chunks, such as pages; iterated with `async for`, one after the other."""

    def __init__(self, chunks: AsyncGenerator[Sequence[T], None]) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> AsyncIterator[T]:
        try:
            async for chunk in self.chunks:
                for item in chunk:
                    yield item
        finally:
            await self.chunks.aclose()


class Calls:
    """Calls on one channel.

    Args:
        channel: an open one.
        timeout_s: the deadline of a call, of all its repetitions together.
        retries: how often reading is repeated at most.
        secrets: gives the jitter of waiting.
    """

    def __init__(self, channel: Channel, timeout_s: float, retries: int, secrets: Secrets) -> None:
        self.channel = channel
        self._timeout_s = timeout_s
        self._retries = retries
        self._secrets = secrets

    async def write(self, method: str, request: Message) -> Any:
        """Call once.

        Raises:
            CallFailed: or a subclass, with the gRPC status.
        """
        return await self.channel.call(method, request, timeout_s=self._timeout_s)

    async def read(self, method: str, request: Message, *, timeout_s: float = 0) -> Any:
        """Call a method that changes nothing; again while the server cannot be reached, or stops.

        Raises:
            CallFailed: or a subclass, with the gRPC status of the last try.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + (timeout_s or self._timeout_s)
        failures = 0
        while True:
            left_s = max(0.0, ends_s - loop.time())
            try:
                return await self.channel.call(method, request, timeout_s=left_s)
            except (Unavailable, Cancelled):
                failures += 1
                wait_s = delay_s(failures, self._secrets)
                if failures > self._retries or loop.time() + wait_s >= ends_s:
                    raise
            await asyncio.sleep(wait_s)

    def pages(self, method: str, request: Any, read: Callable[[Any], Sequence[T]]) -> Items[T]:
        """All pages of a list, each asked for when the one before is used up.

        Args:
            method: has `page_token` in its request and `next_page_token` in its response.
            request: of the first page; it is changed.
            read: takes the items out of a response.
        """

        async def chunks() -> AsyncGenerator[Sequence[T], None]:
            while True:
                response = await self.read(method, request)
                yield read(response)
                if not response.next_page_token:
                    return
                request.page_token = response.next_page_token

        return Items(chunks())

    async def pause(self, failures: int) -> None:
        """Wait before the next try."""
        await asyncio.sleep(delay_s(failures, self._secrets))


class Area:
    """A part of what can be asked, with its methods."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
