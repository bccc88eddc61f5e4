"""Health and the end of the ports: nobody who watches can hold up anybody else."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import structlog
from grpc_health.v1 import health_pb2

from nc.clock import SystemClock
from nc.domain.state import State
from nc.rpc.callers import Callers, Transport
from nc.rpc.edge import Edge
from nc.rpc.servers import GrpcServers, bootstrap_port, control_port
from nc.secrets import SystemSecrets
from tests.support.served_methods import served_methods

PATIENCE_S = 60.0
GRACE_S = 0.2
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextlib.asynccontextmanager
async def _ports() -> AsyncIterator[tuple[GrpcServers, int]]:
    """A bootstrap port in plain text, started."""
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_silence])
    clock, secrets = SystemClock(), SystemSecrets()
    servers = GrpcServers(
        control_port("127.0.0.1", 0, None), bootstrap_port("127.0.0.1", 0, None), clock, log
    )

    def edge_of(transport: Transport) -> Edge:
        return Edge(transport, Callers(), State, str, clock, secrets, log)

    _, number = servers.open(served_methods(), edge_of)
    await servers.start()
    try:
        yield servers, number
    finally:
        await servers.stop(GRACE_S)


def _silence(*_: object) -> str:
    raise structlog.DropEvent


async def _watch(channel: grpc.aio.Channel) -> AsyncIterator[int]:
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    async for response in watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S):
        yield response.status


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _header(name: bytes, value: bytes) -> bytes:
    """A literal header without indexing (RFC 7541, 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


@contextlib.asynccontextmanager
async def _deaf_watcher(port: int) -> AsyncIterator[None]:
    """Watches health with a flow-control window of nothing: it never takes an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/grpc.health.v1.Health/Watch"),
            (b":authority", b"x"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )
    initial_window_size = struct.pack(">HI", 4, 0)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, initial_window_size))
    writer.write(_frame(1, 4, 1, headers) + _frame(0, 1, 1, bytes(5)))
    await writer.drain()
    seen = b""
    while b"content-type" not in seen:  # the response has begun: the watch is under way
        seen += await asyncio.wait_for(reader.read(4096), PATIENCE_S)
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def play() -> None:
        await asyncio.wait_for(scenario(), 3 * PATIENCE_S)

    asyncio.run(play())


def test_a_watcher_who_reads_nothing_starves_nobody() -> None:
    """One watcher that does not read: others still get every change, and a stop still ends."""

    async def scenario() -> None:
        async with _ports() as (servers, port), _deaf_watcher(port):
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                statuses = _watch(channel)
                assert await anext(statuses) == SERVING
                servers.set_serving(serving=False)
                assert await anext(statuses) == NOT_SERVING
            await asyncio.wait_for(servers.stop(GRACE_S), PATIENCE_S)

    _run(scenario)


def test_a_stop_lets_watchers_go() -> None:
    """A watcher gets NOT_SERVING, and its stream ends well, long before the grace is over."""

    async def scenario() -> None:
        async with _ports() as (servers, port):
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                statuses = _watch(channel)
                assert await anext(statuses) == SERVING
                stopping = asyncio.create_task(servers.stop(10 * PATIENCE_S))
                assert [status async for status in statuses] == [NOT_SERVING]
            await asyncio.wait_for(stopping, PATIENCE_S)

    _run(scenario)


def test_what_is_over_stays_over() -> None:
    """After the end no later word makes the server SERVING again."""

    async def scenario() -> None:
        async with _ports() as (servers, port):
            servers.set_serving(serving=False)
            servers.set_serving(serving=True)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                statuses = _watch(channel)
                assert await anext(statuses) == SERVING
                stopping = asyncio.create_task(servers.stop(10 * PATIENCE_S))
                await asyncio.sleep(0)  # it has begun
                servers.set_serving(serving=True)
                assert [status async for status in statuses] == [NOT_SERVING]
            await asyncio.wait_for(stopping, PATIENCE_S)

    _run(scenario)
