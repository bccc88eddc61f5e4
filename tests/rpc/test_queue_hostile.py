"""The queue server, against callers that do what gRPC's own client never would."""

import asyncio
import socket
import struct
from pathlib import Path

from nc.rpc.queue.call import UNIMPLEMENTED
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.stream import Stream
from tests.fuzz.raw_http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    SETTINGS,
    frame,
    headers,
    request,
)
from tests.support.queue_server import STREAM, UNARY, connected, serving, unary


async def test_a_path_that_is_not_utf8_is_unimplemented() -> None:
    """As often as one likes: the port stays open, and calls on it are answered."""
    async with serving() as running, running.channel() as channel:
        for _ in range(200):
            peer = connected(running)
            with peer.socket:
                peer.socket.sendall(request(b"/\xff\xfe/\x80", b"x")[len(PREFACE) :])
                await asyncio.to_thread(peer.end_of, 1)
        assert await unary(channel) == b"x"
        assert running.errors == []


async def test_a_call_without_a_message_is_unimplemented() -> None:
    """A caller that ends its side after the headers gets a status, and no handler runs."""
    handled: list[bytes] = []
    async with serving(lambda _call, message: handled.append(message)) as running:
        peer = connected(running)
        with peer.socket:
            peer.socket.sendall(headers(1, UNARY.encode(), END_HEADERS | END_STREAM))
            assert b"grpc-status" in await asyncio.to_thread(peer.end_of, 1)
        assert [call.status for call in running.gate.admitted] == [UNIMPLEMENTED]
        assert handled == []


async def test_a_deaf_reader_is_let_go() -> None:
    """A caller that takes no message of a stream is cancelled in time."""
    answer = b"x" * 1_000_000

    async def behave(stream: Stream) -> None:
        await stream.write(answer)

    limits = Limits(answer_s=0.5)
    no_window = struct.pack(">HI", 4, 0)
    async with serving(lambda call, _message: call.reply(answer), behave, limits=limits) as running:
        peer = connected(running, no_window)
        with peer.socket:
            peer.socket.sendall(headers(1, STREAM.encode()) + headers(3, UNARY.encode()))
            peer.socket.sendall(frame(DATA, bytes(5), END_STREAM, 1))
            peer.socket.sendall(frame(DATA, bytes(5), END_STREAM, 3))
            await running.until(lambda: len(running.gate.admitted) == 2)
            await running.until(lambda: running.port.calls_under_way == 0)
            assert [is_cancelled for _, is_cancelled in running.gate.ended_calls] == [True, True]


async def test_clients_that_are_killed_leave_nothing() -> None:
    """No call and no descriptor stays of connections that break at any moment."""

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with serving() as running, running.channel() as channel:
        await unary(channel)
        before = open_files()
        whole = (
            PREFACE
            + frame(SETTINGS)
            + headers(1, UNARY.encode())
            + frame(DATA, bytes(5), END_STREAM, 1)
        )
        whole += headers(3, STREAM.encode()) + frame(DATA, bytes(5), 0, 3)
        for end in range(0, len(whole), 3):
            with socket.create_connection(("127.0.0.1", running.port.number)) as raw:
                raw.sendall(whole[:end])
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await running.until(lambda: running.port.calls_under_way == 0)
        await running.until(lambda: open_files() <= before)
        gate = running.gate
        await running.until(lambda: len(gate.admitted) == len(gate.ended_calls))
        assert await unary(channel) == b"x"
