"""The same client for programs without asyncio: each call waits for its result.

It has no second implementation: it runs the asynchronous one on an event loop of its own, in a
thread. `Blocking` and `Iterated` make a method of the one into a method of the other, with the same
arguments; type checkers know them, too.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar

from nc.client.areas.administrators import Administrators
from nc.client.areas.events import Events
from nc.client.areas.history import History
from nc.client.areas.nodes import Nodes
from nc.client.areas.replicas import Replicas
from nc.client.areas.server import Server
from nc.client.areas.tokens import Tokens
from nc.client.calls import Items
from nc.client.channel import DEFAULT_TIMEOUT_S
from nc.client.client import RETRIES, AsyncClient
from nc.client.contexts import Context

_CLOSED: Final = "the client is closed"
_STEP_S: Final = 0.5  # how late Ctrl-C is at the most

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class _Loop:
    """An event loop in a thread, which ends with the program at the latest."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="nc.client", daemon=True
        )
        self._thread.start()
        self._lock = threading.Lock()
        self._calls: set[asyncio.Task[Any]] = set()  # that threads wait for; used on the loop
        self.is_closed = False  # or about to be: nothing more is begun

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine; Ctrl-C in the meantime cancels it, and waits for its end.

        Raises:
            RuntimeError: the client is closed, or another thread closes it meanwhile.
        """
        begun: list[asyncio.Task[T]] = []
        ended: Future[asyncio.Task[T]] = Future()

        def begin() -> None:
            task = self._loop.create_task(work)
            begun.append(task)
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            task.add_done_callback(ended.set_result)

        def cancel() -> None:  # comes after `begin`
            begun[0].cancel()

        with self._lock:
            if self.is_closed:
                work.close()
                raise RuntimeError(_CLOSED)
            self._loop.call_soon_threadsafe(begin)
        try:
            task = _waited_for(ended)
        except BaseException:
            with contextlib.suppress(RuntimeError):  # another thread has closed it just now
                self._loop.call_soon_threadsafe(cancel)
            ended.result()
            raise
        if task.cancelled():
            raise RuntimeError(_CLOSED)
        return task.result()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """End what other threads wait for, then run the last coroutine."""
        with self._lock:
            self.is_closed = True
        try:
            asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(self._calls)
        await last
        await self._loop.shutdown_asyncgens()  # those that nobody has read to the end


def _waited_for(ended: "Future[T]") -> T:
    """Wait in steps: a signal does not wake a wait that begins just then, or another thread's."""
    while True:
        with contextlib.suppress(TimeoutError):
            return ended.result(_STEP_S)


class Area(Generic[A]):
    """What can be asked, as in `nc.client.areas`."""

    def __init__(self, area: A, loop: _Loop) -> None:
        self._area = area
        self._loop = loop


class Blocking(Generic[A, P, T]):
    """A method that waits for the result of an asynchronous one."""

    def __init__(self, method: Callable[Concatenate[A, P], Awaitable[T]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, area: Area[A], _owner: type | None = None) -> Callable[P, T]:
        return partial(self._call, area)

    def _call(self, area: Area[A], *args: P.args, **kwargs: P.kwargs) -> T:
        async def call() -> T:
            return await self.method(area._area, *args, **kwargs)  # noqa: SLF001 - its own

        return area._loop.run(call())  # noqa: SLF001 - as above


class Iterated(Generic[A, P, T]):
    """A method that gives the items of an asynchronous one in a plain `for`."""

    def __init__(self, method: Callable[Concatenate[A, P], Items[T]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, area: Area[A], _owner: type | None = None) -> Callable[P, Iterator[T]]:
        return partial(self._items, area)

    def _items(self, area: Area[A], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        chunks = self.method(area._area, *args, **kwargs).chunks  # noqa: SLF001 - its own
        loop = area._loop  # noqa: SLF001 - as above
        try:
            while True:
                try:
                    chunk = loop.run(chunks.__anext__())
                except StopAsyncIteration:
                    return
                yield from chunk
        finally:
            if not loop.is_closed:
                loop.run(chunks.aclose())


class BlockingNodes(Area[Nodes]):
    list = Iterated(Nodes.list)
    count = Blocking(Nodes.count)
    get = Blocking(Nodes.get)
    update = Blocking(Nodes.update)
    unregister = Blocking(Nodes.unregister)
    unregister_all_of = Blocking(Nodes.unregister_all_of)
    set_expiry = Blocking(Nodes.set_expiry)
    assign_address = Blocking(Nodes.assign_address)
    states = Blocking(Nodes.states)
    take_back = Blocking(Nodes.take_back)


class BlockingTokens(Area[Tokens]):
    issue = Blocking(Tokens.issue)
    list = Iterated(Tokens.list)
    revoke = Blocking(Tokens.revoke)


class BlockingAdministrators(Area[Administrators]):
    issue = Blocking(Administrators.issue)
    list = Blocking(Administrators.list)
    revoke = Blocking(Administrators.revoke)


class BlockingReplicas(Area[Replicas]):
    list = Blocking(Replicas.list)
    invitations = Blocking(Replicas.invitations)
    invite = Blocking(Replicas.invite)
    remove = Blocking(Replicas.remove)


class BlockingEvents(Area[Events]):
    read = Iterated(Events.read)
    last_seq = Blocking(Events.last_seq)
    watch = Iterated(Events.watch)


class BlockingHistory(Area[History]):
    at = Blocking(History.at)
    diff = Blocking(History.diff)
    why = Blocking(History.why)


class BlockingServer(Area[Server]):
    status = Blocking(Server.status)
    links = Iterated(Server.links)
    dropped = Blocking(Server.dropped)
    peers = Blocking(Server.peers)


class Client:
    """A client whose calls wait for their results; open within `with`.

    Arguments and errors are those of `AsyncClient`. Several threads may use one client.
    """

    def __init__(
        self,
        context: Context | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        self._client = AsyncClient(context, timeout_s=timeout_s, retries=retries)
        self.context = self._client.context
        self._closing = contextlib.ExitStack()

    def open(self) -> Self:
        loop, client = _Loop(), self._client
        self._closing.callback(lambda: loop.close(client.close()))
        loop.run(client.open())
        self.nodes = BlockingNodes(client.nodes, loop)
        self.tokens = BlockingTokens(client.tokens, loop)
        self.administrators = BlockingAdministrators(client.administrators, loop)
        self.replicas = BlockingReplicas(client.replicas, loop)
        self.events = BlockingEvents(client.events, loop)
        self.history = BlockingHistory(client.history, loop)
        self.server = BlockingServer(client.server, loop)
        return self

    def close(self) -> None:
        """Calls that other threads wait for end with RuntimeError."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()
