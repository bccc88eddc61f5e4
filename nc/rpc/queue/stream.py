"""A call with several messages, as a coroutine of the event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nc.rpc.queue.binding import ReceiveClose, SendInitialMetadata, SendMessage, SendStatus
from nc.rpc.queue.call import INTERNAL, OK, Refusal, ServerCall

_NO_FLAGS = 0

# How long a caller may take to read the status that ends a stream. It stands behind a message that
# the caller may have left for long, so it gets more time than an answer: it says how to go on.
_STATUS_S: Final = 60.0

ToLoop = Callable[..., None]  # runs a function with arguments on the event loop, from any thread


class StreamRefused(Exception):
    """Ends a stream with a status."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(details)
        self.refusal = Refusal(code, details)


Behaviour = Callable[["Stream"], Awaitable[None]]


class Stream:
    """Messages of one call, in both directions; used on the event loop.

    Args:
        call: admitted, and not answered.
        to_loop: hands the queue's events over to the loop.
    """

    def __init__(self, call: ServerCall, to_loop: ToLoop) -> None:
        self.call = call
        self._to_loop = to_loop
        self._has_begun = False
        self._work: asyncio.Task[None] | None = None
        self._give_up: asyncio.TimerHandle | None = None

    async def read(self) -> bytes | None:
        """The next message; None once the caller has sent all, is gone, or takes too long."""
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self.call.receive(lambda message: self._to_loop(_resolve, future, message))
        return await future

    async def write(self, message: bytes) -> None:
        """Send a message; waits until the caller takes it.

        If the wait is cancelled, the message is still on its way, and only the end may follow it.

        Raises:
            asyncio.CancelledError: the caller is gone.
        """
        self.call.answering()
        try:
            event = await self._batch(*self._beginning(), SendMessage(message, _NO_FLAGS))
        finally:
            self.call.taken()
        if not event.success:
            raise asyncio.CancelledError

    def begin(self, behaviour: Behaviour) -> None:
        """Run the behaviour until it returns, or the caller goes away."""
        self._work = asyncio.get_running_loop().create_task(self._run(behaviour))
        self.call.start((ReceiveClose(_NO_FLAGS),), self._closed)

    async def _run(self, behaviour: Behaviour) -> None:
        code, details = OK, ""
        try:
            await behaviour(self)
        except StreamRefused as error:
            code, details = error.refusal.code, error.refusal.details
        except asyncio.CancelledError:  # the caller is gone: nothing can be sent
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
            self.call.report(error)
            code, details = INTERNAL, "internal error"
        self._finish(code, details)

    def _finish(self, code: int, details: str) -> None:
        self.call.status = code
        loop = asyncio.get_running_loop()
        self._give_up = loop.call_later(_STATUS_S, self.call.cancel)
        status = SendStatus(self.call.trailing, code, details.encode(), _NO_FLAGS)
        self.call.start((*self._beginning(), status), lambda _event: None)

    def _beginning(self) -> tuple[Any, ...]:
        if self._has_begun:
            return ()
        self._has_begun = True
        return (SendInitialMetadata(None, _NO_FLAGS),)

    def _batch(self, *operations: Any) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.call.start(operations, lambda event: self._to_loop(_resolve, future, event))
        return future

    def _closed(self, event: Any) -> None:
        """The call has ended; in the queue's thread."""
        self.call.ended(event)
        self._to_loop(self._end)

    def _end(self) -> None:
        if self._work is not None:
            self._work.cancel()
        if self._give_up is not None:
            self._give_up.cancel()


def _resolve(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)
