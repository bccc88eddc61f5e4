"""A queue server with two methods and a gate that takes notes, for tests."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from nc.clock import Clock, SystemClock
from nc.rpc.queue import server as queue_server
from nc.rpc.queue.call import Refusal, ServerCall
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.port import Port, Routes, Streaming, Unary
from nc.rpc.queue.server import QueueServer
from nc.rpc.queue.stream import Stream
from tests.fuzz.raw_http2 import Peer

PATIENCE_S = 60.0
SWEEP_S = 0.05  # between looks for calls that have waited too long, each of which tests wait for
UNARY, STREAM = "/test.Service/Unary", "/test.Service/Stream"
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


@dataclass
class Gate:
    """Admits all calls unless told otherwise, and notes what it learns."""

    decide: Callable[[ServerCall], Refusal | None] = lambda _call: None
    admitted: list[ServerCall] = field(default_factory=list)
    ended_calls: list[tuple[ServerCall, bool]] = field(default_factory=list)

    def admit(self, call: ServerCall) -> Refusal | None:
        self.admitted.append(call)
        return self.decide(call)

    def is_to_hang_up(self, call: ServerCall) -> bool:
        return dict(call.metadata).get("party") == "stranger"

    def ended(self, call: ServerCall, *, is_cancelled: bool) -> None:
        self.ended_calls.append((call, is_cancelled))


def echo(call: ServerCall, message: bytes) -> None:
    call.trailing = (("handled", "yes"),)
    call.reply(message)


async def echo_all(stream: Stream) -> None:
    while (message := await stream.read()) is not None:
        await stream.write(message)


@dataclass
class Serving:
    """A server that runs."""

    server: QueueServer
    port: Port
    gate: Gate
    errors: list[Exception]

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port.number}"

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.target, options=CHANNEL_OPTIONS)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what another thread brings about."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - it is no event of this loop
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(
    handle: Callable[[ServerCall, bytes], None] = echo,
    behaviour: Any = echo_all,
    *,
    decide: Callable[[ServerCall], Refusal | None] = lambda _call: None,
    limits: Limits | None = None,
    credentials: grpc.ServerCredentials | None = None,
    options: tuple[tuple[str, int], ...] = (),
    grace_s: float = 0.2,
    address: str = "127.0.0.1",
    clock: Clock | None = None,
    **more: Any,
) -> AsyncIterator[Serving]:
    """A server with one port, started; stopped at the end. For `more` see `QueueServer`."""
    errors: list[Exception] = []
    gate = Gate(decide)
    server = QueueServer(clock or SystemClock(), errors.append, **more)
    routes: Routes = {UNARY.encode(): Unary(handle), STREAM.encode(): Streaming(behaviour)}
    patch = pytest.MonkeyPatch()
    patch.setattr(queue_server, "_SWEEP_S", SWEEP_S)
    try:
        port = server.listen(
            f"{address}:0",
            routes,
            gate,
            limits=limits or Limits(),
            credentials=credentials,
            options=(("grpc.so_reuseport", 0), *options),
        )
        server.start()
        yield Serving(server, port, gate, errors)
    finally:
        await asyncio.wait_for(server.stop(grace_s), PATIENCE_S)
        patch.undo()


def connected(running: Serving, settings: bytes = b"") -> Peer:
    """A connection to it that is read frame by frame; `settings` is the payload of a frame."""
    address = ("127.0.0.1", running.port.number)
    return Peer(socket.create_connection(address, PATIENCE_S), settings)


async def unary(
    channel: grpc.aio.Channel, message: bytes = b"x", path: str = UNARY, **more: Any
) -> bytes:
    call: Any = channel.unary_unary(path)
    answer: bytes = await call(message, timeout=more.pop("timeout", PATIENCE_S), **more)
    return answer


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code()


def opened(channel: grpc.aio.Channel) -> Any:
    """A stream with one request, sent with its end: grpc.aio may otherwise send that too late."""
    method: Any = channel.unary_stream(STREAM)
    return method(b"x", timeout=PATIENCE_S)
