"""What ends calls and streams of the queue server, and the server itself."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from nc.clock import SystemClock
from nc.rpc.queue.call import Refusal, ServerCall
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.port import Unary
from nc.rpc.queue.server import QueueServer, QueueThreadDied
from nc.rpc.queue.stream import Stream
from tests.fuzz.raw_http2 import headers
from tests.support.queue_server import (
    PATIENCE_S,
    STREAM,
    UNARY,
    Gate,
    code_of,
    connected,
    opened,
    serving,
    unary,
)


class BrokenQueue:
    """Loses the first events that come, with an exception."""

    def __init__(self, queue: Any, broken: int) -> None:
        self._queue = queue
        self.broken = broken

    def poll(self, deadline: float) -> Any:
        event = self._queue.poll(deadline)
        if self.broken and event.tag is not None:
            self.broken -= 1
            raise ZeroDivisionError
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


async def test_errors_of_the_queue_do_not_end_the_thread() -> None:
    """Even when more requests for calls are lost than gRPC ever has, later calls are answered."""
    async with serving() as running, running.channel() as channel:
        queue = running.server.queue
        broken = BrokenQueue(queue, broken=100)
        running.port.runner = Runner(queue, running.server)
        running.server.queue = broken
        while broken.broken:
            calls = (unary(channel, timeout=0.1) for _ in range(10))
            await asyncio.gather(*calls, return_exceptions=True)
        assert await unary(channel) == b"x"
        assert len(running.errors) == 100


async def test_a_thread_that_dies_is_noticed_and_stops() -> None:
    """What is no exception of a handler ends the thread, its task, and no stop hangs on it."""

    def exit_thread(_call: ServerCall, _message: bytes) -> None:
        raise SystemExit(3)

    server = QueueServer(SystemClock(), print)
    port = server.listen("127.0.0.1:0", {UNARY.encode(): Unary(exit_thread)}, Gate())
    task = server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port.number}") as channel:
        call = asyncio.create_task(unary(channel))
        await asyncio.wait([task], timeout=PATIENCE_S)
        assert isinstance(task.exception(), QueueThreadDied)
        await asyncio.wait_for(server.stop(0.1), PATIENCE_S)
        with pytest.raises(grpc.aio.AioRpcError):
            await call


class Runner:
    """The server as its ports know it, with the queue that gRPC knows."""

    def __init__(self, queue: Any, server: QueueServer) -> None:
        self.queue, self.clock = queue, server.clock
        self.to_loop, self.report = server.to_loop, server.report
        self.hang_ups = server.hang_ups


async def test_a_caller_that_cancels_ends_its_call() -> None:
    """The gate learns that the caller did not get the answer."""
    held: list[ServerCall] = []
    async with (
        serving(lambda call, _message: held.append(call)) as running,
        running.channel() as channel,
    ):
        method: Any = channel.unary_unary(UNARY)
        call = method(b"x")
        await running.until(lambda: len(held) == 1)
        call.cancel()
        later = asyncio.create_task(unary(channel))  # comes after the cancellation
        await running.until(lambda: len(held) == 2)
        held[0].reply(b"too late")
        await running.until(lambda: running.gate.ended_calls == [(held[0], True)])
        held[1].reply(b"in time")
        assert await later == b"in time"


async def test_a_deadline_of_the_caller_ends_its_call() -> None:
    """The handler knows by when, and the gate learns that it was missed."""
    held: dict[bytes, ServerCall] = {}  # by message: one that came late may arrive at any time

    def hold(call: ServerCall, message: bytes) -> None:
        held.setdefault(message, call)

    async with serving(hold) as running, running.channel() as channel:
        while b"short" not in held:  # a call may be over before it arrives
            code = await code_of(unary(channel, b"short", timeout=0.2))
            assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        late = held[b"short"]
        assert late.deadline <= SystemClock().now_ns() / 1e9
        later = asyncio.create_task(unary(channel, b"long"))
        await running.until(lambda: b"long" in held)  # what the caller sent before it was read
        late.reply(b"too late")
        await running.until(lambda: (late, True) in running.gate.ended_calls)
        held[b"long"].reply(b"in time")
        assert await later == b"in time"


async def test_a_caller_that_leaves_a_stream_ends_its_behaviour() -> None:
    """The coroutine is cancelled, wherever it waits."""
    ended = asyncio.Event()

    async def behave(stream: Stream) -> None:
        try:
            await stream.write(b"one")
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(behaviour=behave) as running:
        async with running.channel() as channel:
            call = opened(channel)
            assert await call.read() == b"one"
            call.cancel()
            await asyncio.wait_for(ended.wait(), PATIENCE_S)
        await running.until(lambda: [end[1] for end in running.gate.ended_calls] == [True])


async def test_a_stop_lets_calls_under_way_finish() -> None:
    """What has arrived is answered; the port is closed after that."""
    held: list[ServerCall] = []
    async with (
        serving(lambda call, _message: held.append(call)) as running,
        running.channel() as channel,
    ):
        under_way = asyncio.create_task(unary(channel))
        await running.until(lambda: len(held) == 1)
        stopping = asyncio.create_task(running.server.stop(PATIENCE_S))
        await asyncio.wait([stopping], timeout=0.3)
        assert not stopping.done()
        held[0].reply(b"done")
        assert await under_way == b"done"
        await asyncio.wait_for(stopping, PATIENCE_S)
        assert await code_of(unary(channel)) is grpc.StatusCode.UNAVAILABLE


async def test_a_stop_ends_calls_after_the_grace() -> None:
    """A call that never ends does not keep the server."""
    held: list[ServerCall] = []
    async with (
        serving(lambda call, _message: held.append(call)) as running,
        running.channel() as channel,
    ):
        under_way = asyncio.create_task(unary(channel))
        await running.until(lambda: len(held) == 1)
        stopping = asyncio.create_task(running.server.stop(0.1))
        assert await code_of(under_way) is grpc.StatusCode.UNAVAILABLE
        held[0].reply(b"too late")
        await asyncio.wait_for(stopping, PATIENCE_S)


class PutBack(SystemClock):
    """What was to be an hour ago is to be in an hour: gRPC knows that the clock was put back."""

    @staticmethod
    def now_ns() -> int:
        return time.time_ns() + 3_600_000_000_000


async def test_waits_end_although_the_clock_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose message does not come is ended as soon as there is any other call."""
    monkeypatch.setattr("nc.rpc.queue.server._SWEEP_EVENTS", sys.maxsize)
    async with serving(limits=Limits(body_s=0.1), clock=PutBack()) as running:
        silent = connected(running)
        with silent.socket:
            silent.socket.sendall(headers(1, UNARY.encode()))
            ending = asyncio.create_task(asyncio.to_thread(silent.end_of, 1))
            async with asyncio.timeout(PATIENCE_S), running.channel() as channel:
                while not ending.done():
                    assert await unary(channel) == b"x"
            assert await ending


async def test_waits_end_although_no_other_call_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop notices that the queue's thread waits for too long, and wakes it."""
    monkeypatch.setattr("nc.rpc.queue.server._SWEEP_S", 0.05)
    async with serving(limits=Limits(body_s=0.1), clock=PutBack()) as running:
        silent = connected(running)
        with silent.socket:
            silent.socket.sendall(headers(1, UNARY.encode()))
            assert await asyncio.to_thread(silent.end_of, 1)


async def test_who_calls_while_the_server_stops_is_refused_when_it_knows() -> None:
    """Refused before its connection's GOAWAY, it would call there again, and be cancelled."""
    refusal = Refusal(grpc.StatusCode.UNAVAILABLE.value[0], "the server stops")
    async with serving(decide=lambda _call: refusal) as running, running.channel() as channel:
        await channel.channel_ready()
        stop_accepting, statuses = running.port.stop_accepting, list[int | None]()

        def note_and_stop() -> None:
            statuses.extend(call.status for call in running.gate.admitted)
            stop_accepting()

        running.port.stop_accepting = note_and_stop  # type: ignore[method-assign]
        running.port.held_refusals.begin()  # as a stop does first
        calls = [asyncio.create_task(code_of(unary(channel))) for _ in range(5)]
        await running.until(lambda: len(running.gate.admitted) == len(calls))
        await running.server.stop(PATIENCE_S)
        assert statuses == [None] * len(calls)
        assert set(await asyncio.gather(*calls)) == {grpc.StatusCode.UNAVAILABLE}


async def test_a_stop_waits_for_no_message() -> None:
    """Calls and streams of which none has come end at once, however long the grace is."""
    never = asyncio.Event()

    async def nothing() -> AsyncIterator[bytes]:
        await never.wait()
        yield b""

    async with serving() as running, running.channel() as channel:
        call: Any = channel.stream_unary(UNARY)
        stream: Any = channel.stream_stream(STREAM)
        calls = [call(nothing()), stream(nothing())]
        await running.until(lambda: sum(c.is_waiting for c in running.gate.admitted) == 2)
        await running.server.stop(PATIENCE_S)
        codes = [await each.code() for each in calls]
        assert codes == [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK]
