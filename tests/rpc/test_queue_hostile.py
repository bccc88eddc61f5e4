"""The queue server, against callers that do what gRPC's own client never would."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.queue import connections, hang_up
from nc.rpc.queue.bodies import Bodies
from nc.rpc.queue.call import (
    DEADLINE_EXCEEDED,
    OK,
    UNIMPLEMENTED,
    Refusal,
    ServerCall,
)
from nc.rpc.queue.connections import Connection, Connections
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.stream import Stream
from tests.fuzz.raw_http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    SETTINGS,
    Peer,
    frame,
    headers,
    request,
)
from tests.support.queue_server import (
    CHANNEL_OPTIONS,
    PATIENCE_S,
    STREAM,
    UNARY,
    Serving,
    serving,
    unary,
)

PERMISSION_DENIED = 7


def connected(running: Serving, settings: bytes = b"") -> Peer:
    address = ("127.0.0.1", running.port.number)
    return Peer(socket.create_connection(address, PATIENCE_S), settings)


def read_to_the_end(peer: Peer) -> None:
    with contextlib.suppress(ConnectionError):
        list(peer.frames())


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


def by_metadata(call: ServerCall) -> Refusal | None:
    call.party = dict(call.metadata).get("party", "other")
    return None


async def test_headers_only_end_with_a_deadline_and_take_nobody_elses_place() -> None:
    """Calls without a body wait in their own party's room, and not for ever."""
    limits = Limits(bodies=4, bodies_of_party=2, body_s=1.0)
    async with serving(decide=by_metadata, limits=limits) as running, running.channel() as channel:
        peer = connected(running)
        with peer.socket:
            streams = range(1, 100, 2)
            peer.socket.sendall(b"".join(headers(stream, UNARY.encode()) for stream in streams))
            await running.until(lambda: len(running.gate.admitted) == len(streams))
            assert await unary(channel, metadata=(("party", "mine"),)) == b"x"
            await running.until(lambda: running.port.calls_under_way == 0)
            statuses = Counter(call.status for call, _ in running.gate.ended_calls)
            assert statuses == {OK: 1, DEADLINE_EXCEEDED: len(streams)}
            assert await unary(channel) == b"x"  # their room is free again


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


CONNECTIONS, STREAMS_EACH, BODY_BYTES = 4, 100, 1 << 20


async def test_bodies_take_bounded_memory() -> None:
    """However many calls send a body without an end, gRPC takes that of a few only."""
    limits = Limits(bodies=8, bodies_of_party=8, body_s=PATIENCE_S)
    options = (("grpc.max_receive_message_length", BODY_BYTES), ("grpc.http2.bdp_probe", 0),
               ("grpc.http2.lookahead_bytes", 16_384))  # fmt: skip
    async with serving(limits=limits, options=options) as running:
        peers = [connected(running) for _ in range(CONNECTIONS)]
        streams = range(1, 2 * STREAMS_EACH, 2)
        for peer in peers:
            peer.socket.sendall(b"".join(headers(stream, UNARY.encode()) for stream in streams))
        stuffing = (asyncio.to_thread(peer.stuff, streams, BODY_BYTES) for peer in peers)
        taken = await asyncio.gather(*stuffing)
        windows = CONNECTIONS * STREAMS_EACH * 2 * 16_384
        assert sum(taken) <= limits.bodies * BODY_BYTES + windows
        for peer in peers:
            peer.socket.close()
        await running.until(lambda: running.port.calls_under_way == 0)


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


class Waiting:
    def __init__(self, party: int | None) -> None:
        self.party: object = party
        self.is_gone = self.is_receiving = False

    def start_receiving(self) -> bool:
        self.is_receiving = not self.is_gone
        return self.is_receiving


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(("come", "go", "done")), st.integers(0, 3))),
)
def test_bodies_keep_their_limits_and_leave_no_room_unused(
    for_all: int, for_party: int, steps: list[tuple[str, int]]
) -> None:
    """Never more than the limits; and none waits that the limits would let in."""
    bodies, calls = Bodies(for_all, for_party), list[Waiting]()
    for step, number in steps:
        receiving = [call for call in calls if call.is_receiving]
        if step == "come":
            calls.append(Waiting(number or None))  # a party may be any value
            bodies.await_turn(calls[-1])
        elif step == "done" and receiving:
            done = receiving[number % len(receiving)]
            calls.remove(done)
            bodies.release(done)
        elif step == "go" and calls and not calls[-1].is_receiving:
            calls[-1].is_gone = True
            calls.pop()
        of_party = Counter(call.party for call in calls if call.is_receiving)
        assert bodies.received_now == of_party.total() <= for_all
        assert all(count <= for_party for count in of_party.values())
        for call in calls:
            has_room = of_party.total() < for_all and of_party[call.party] < for_party
            assert call.is_receiving or not has_room


def refuse_strangers(call: ServerCall) -> Refusal | None:
    is_stranger = dict(call.metadata).get("party") == "stranger"
    return Refusal(PERMISSION_DENIED, "go away", hangs_up=True) if is_stranger else None


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
        assert (running.server.hang_ups.silenced, running.server.hang_ups.ended) == (1, 1)


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
