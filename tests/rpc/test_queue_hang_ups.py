"""Connections that a gate wants to end: they are silent, then they end, and no others do."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterable
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path

import grpc
import pytest

from nc.rpc.queue import connections, hang_up
from nc.rpc.queue.call import Refusal, ServerCall
from nc.rpc.queue.connections import Connection, Connections
from nc.rpc.queue.hang_up import HangUps
from nc.rpc.queue.limits import Limits
from tests.fuzz.raw_http2 import Peer, headers
from tests.support.filter_right import needs_filter
from tests.support.queue_server import (
    CHANNEL_OPTIONS,
    PATIENCE_S,
    UNARY,
    Serving,
    connected,
    serving,
    unary,
)

PERMISSION_DENIED = 7


def refuse_strangers(call: ServerCall) -> Refusal | None:
    is_stranger = dict(call.metadata).get("party") == "stranger"
    return Refusal(PERMISSION_DENIED, "go away", hangs_up=True) if is_stranger else None


def read_to_the_end(peer: Peer) -> None:
    with contextlib.suppress(ConnectionError):
        list(peer.frames())


def has_silenced(running: Serving, count: int) -> bool:
    return running.server.hang_ups.silenced == count


def has_hung_up(running: Serving, count: int) -> bool:
    return running.server.hang_ups.ended == count


@pytest.fixture
def ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is silent before it ends."""
    monkeypatch.setattr(hang_up, "SILENT_S", 0.0)


@pytest.mark.usefixtures("ends_at_once")
@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "[::]"])
async def test_a_gate_can_have_a_connection_end(address: str) -> None:
    """That one, with all its calls, and no other; what is done by a new one is refused again."""
    async with serving(decide=refuse_strangers, address=address) as running:
        host = "::1" if address == "[::1]" else "127.0.0.1"
        target = f"{'[::1]' if address == '[::1]' else host}:{running.port.number}"
        async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
            assert await unary(channel) == b"x"
            for count in (1, 2):
                raw = socket.create_connection((host, running.port.number), PATIENCE_S)
                with raw:
                    peer = Peer(raw)
                    raw.sendall(headers(1, UNARY.encode()))  # which never gets its message
                    stranger = headers(3, UNARY.encode(), fields=[(b"party", b"stranger")])
                    raw.sendall(stranger)
                    await asyncio.to_thread(read_to_the_end, peer)
                await running.until(lambda: running.port.calls_under_way == 0)
                await running.until(partial(has_hung_up, running, count))
            assert await unary(channel) == b"x"
            assert channel.get_state() is grpc.ChannelConnectivity.READY
        assert running.errors == []


def link_local() -> str:
    """An address of this machine that is good on one interface alone."""
    with contextlib.suppress(OSError):
        for row in Path("/proc/net/if_inet6").read_text().splitlines():
            digits, _, _, scope, _, device = row.split()
            if scope == "20":
                return f"{IPv6Address(int(digits, 16))}%{device}"
    pytest.skip("no interface of this machine has a link-local address")


@pytest.mark.usefixtures("ends_at_once")
async def test_a_connection_from_a_link_local_address_can_be_ended() -> None:
    """In what gRPC says of it, the interface is a number."""
    host = link_local()
    async with serving(decide=refuse_strangers, address="[::]") as running:
        with socket.create_connection((host, running.port.number), PATIENCE_S) as raw:
            peer = Peer(raw)
            raw.sendall(headers(1, UNARY.encode(), fields=[(b"party", b"stranger")]))
            await asyncio.to_thread(read_to_the_end, peer)
        await running.until(partial(has_hung_up, running, 1))


@pytest.mark.usefixtures("ends_at_once")
async def test_the_gate_is_asked_no_more_about_a_connection_that_is_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many calls wait on it; calls of others are answered meanwhile."""
    may_end = threading.Event()

    def later() -> Iterable[int]:
        may_end.wait(PATIENCE_S)
        return descriptors()

    descriptors = connections.open_descriptors
    monkeypatch.setattr(connections, "open_descriptors", later)
    async with serving(decide=refuse_strangers) as running, running.channel() as channel:
        peer = connected(running)
        with peer.socket:
            stranger = [(b"party", b"stranger")]
            calls = (headers(n, UNARY.encode(), fields=stranger) for n in range(1, 100, 2))
            peer.socket.sendall(b"".join(calls))
            await running.until(lambda: running.port.arrived == 50)
            assert await unary(channel) == b"x"
            assert len(running.gate.admitted) == 2
            may_end.set()
            await asyncio.to_thread(read_to_the_end, peer)
        assert await unary(channel) == b"x"
        assert len(running.gate.admitted) == 3


@needs_filter
async def test_a_connection_that_cannot_be_silent_ends_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also while another one, which came first, is silent."""
    silence = Connections.silence
    seen: list[Connection] = []

    def silence_the_first(self: Connections, connection: Connection) -> bool:
        seen.append(connection)
        return len(seen) == 1 and silence(self, connection)

    monkeypatch.setattr(Connections, "silence", silence_the_first)

    def is_seen(count: int) -> bool:
        return len(seen) == count

    async with serving(decide=refuse_strangers) as running:
        first, second = connected(running), connected(running)
        with first.socket, second.socket:
            for count, peer in enumerate((first, second), 1):
                peer.socket.sendall(headers(1, UNARY.encode(), fields=[(b"party", b"stranger")]))
                await running.until(partial(is_seen, count))
            await asyncio.to_thread(read_to_the_end, second)
        counts = running.server.hang_ups
        await running.until(lambda: (counts.silenced, counts.ended) == (1, 1))


@needs_filter
@pytest.mark.parametrize("most", [1, 2])
async def test_a_connection_is_silent_before_it_ends(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls on it are not even seen; if too many are silent, the oldest ends."""
    monkeypatch.setattr(hang_up, "_MOST_SILENT", most)
    async with serving(decide=refuse_strangers) as running, running.channel() as channel:
        port = running.port
        first, second = connected(running), connected(running)
        with first.socket, second.socket:
            for count, peer in enumerate((first, second), 1):
                stranger = headers(1, UNARY.encode(), fields=[(b"party", b"stranger")])
                peer.socket.sendall(stranger)
                await running.until(partial(has_silenced, running, count))
                before = port.arrived
                peer.socket.sendall(headers(3, UNARY.encode()))
                assert await unary(channel) == b"x"
                assert port.arrived == before + 1
            if most == 1:
                await asyncio.to_thread(read_to_the_end, first)
            await running.until(partial(has_hung_up, running, 2 - most))


def kernel_connections(port: int) -> list[str]:
    """The server's ends of a port's connections: the descriptor's inode, 0 if it is closed."""
    files = (Path("/proc/net") / name for name in ("tcp", "tcp6"))
    rows = [row.split() for file in files for row in file.read_text().splitlines()]
    return [row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] != "0A"]


@needs_filter
async def test_nothing_stays_of_a_silent_connection_that_grpc_closes() -> None:
    """It does not wait for an acknowledgement of its caller, which the kernel would drop."""
    ages = (("grpc.max_connection_age_ms", 100), ("grpc.max_connection_age_grace_ms", 100))
    async with serving(decide=refuse_strangers, options=ages) as running:
        number, peer = running.port.number, connected(running)
        with peer.socket:
            stranger = headers(1, UNARY.encode(), fields=[(b"party", b"stranger")])
            peer.socket.sendall(stranger)
            await running.until(partial(has_silenced, running, 1))
            await asyncio.to_thread(read_to_the_end, peer)
            await running.until(lambda: set(kernel_connections(number)) <= {"0"})
            assert kernel_connections(number) == []


@pytest.mark.usefixtures("ends_at_once")
@pytest.mark.parametrize("limits", [Limits(awaited=0), Limits(body_s=0.1)])
async def test_a_gate_can_end_connections_whose_messages_do_not_come(limits: Limits) -> None:
    """Whether the calls are too many, or late; those of others go on."""
    async with serving(limits=limits) as running:
        stranger, other = connected(running), connected(running)
        with stranger.socket, other.socket:
            party = [(b"party", b"stranger")]
            stranger.socket.sendall(headers(1, UNARY.encode(), fields=party))
            await asyncio.to_thread(read_to_the_end, stranger)
            other.socket.sendall(headers(1, UNARY.encode()))
            assert await asyncio.to_thread(other.end_of, 1)
            await running.until(partial(has_hung_up, running, 1))


def test_a_stop_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that comes when the thread begins another round."""

    class Wanted(threading.Event):
        def clear(self) -> None:
            """Somebody stops at this moment."""
            threading.Thread(target=stop, daemon=True).start()
            self.wait(PATIENCE_S)
            super().clear()

    def stop() -> None:
        hang_ups.stop()
        has_stopped.set()

    has_stopped = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Wanted)
        hang_ups = HangUps(time.monotonic_ns, (), lambda _: None)
    hang_ups.want(1, "ipv4:192.0.2.1:4711")
    assert has_stopped.wait(PATIENCE_S)
