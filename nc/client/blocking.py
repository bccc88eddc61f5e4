"""The same client for programs without asyncio: each call waits for its result.

It has no second implementation: it runs the asynchronous one on an event loop of its own, in a
thread. `Blocking` and `Iterated` make a method of the one into a method of the other, with the same
arguments; type checkers know them, too.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

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

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine; Ctrl-C in the meantime cancels it, and waits for its end.

        Raises:
            RuntimeError: the client is closed.
        """
        if self.is_closed:
            work.close()
            raise RuntimeError("the client is closed")
        begun = asyncio.run_coroutine_threadsafe(_begun(work), self._loop)
        try:
            self._wait_for(begun.result())
        except BaseException:
            self._loop.call_soon_threadsafe(begun.result().cancel)
            self._wait_for(begun.result())
            raise
        return begun.result().result()

    def _wait_for(self, task: asyncio.Task[Any]) -> None:
        asyncio.run_coroutine_threadsafe(_ended(task), self._loop).result()

    @property
    def is_closed(self) -> bool:
        return self._loop.is_closed()

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())  # those that nobody has read to the end
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _begun(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    return asyncio.create_task(work)


async def _ended(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


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
        self._closing.callback(loop.close)
        loop.run(client.open())
        self._closing.callback(lambda: loop.run(client.close()))
        self.nodes = BlockingNodes(client.nodes, loop)
        self.tokens = BlockingTokens(client.tokens, loop)
        self.administrators = BlockingAdministrators(client.administrators, loop)
        self.replicas = BlockingReplicas(client.replicas, loop)
        self.events = BlockingEvents(client.events, loop)
        self.history = BlockingHistory(client.history, loop)
        self.server = BlockingServer(client.server, loop)
        return self

    def close(self) -> None:
        self._closing.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()
