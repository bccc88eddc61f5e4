"""The queue server, against callers that do what gRPC's own client never would."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.queue.bodies import Bodies
from nc.rpc.queue.call import DEADLINE_EXCEEDED, OK, UNIMPLEMENTED, Refusal, ServerCall
from nc.rpc.queue.port import Limits
from nc.rpc.queue.stream import Stream
from tests.fuzz.raw_http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    frame,
    literals,
    request,
)
from tests.support.queue_server import (
    PATIENCE_S,
    STREAM,
    UNARY,
    Serving,
    serving,
    unary,
)

WINDOW_UPDATE = 8


def headers(stream: int, path: str = UNARY, flags: int = END_HEADERS) -> bytes:
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"x"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
    return frame(HEADERS, literals(fields), flags, stream)


class Peer:
    """A plain connection that speaks HTTP/2 frame by frame, and sends no more than it may."""

    def __init__(self, running: Serving, settings: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", running.port.number), PATIENCE_S)
        self.socket.sendall(PREFACE + frame(SETTINGS, settings))
        self._received = b""
        self.window = self.initial_window = 65535
        self.stream_windows: Counter[int] = Counter()  # beyond the initial one

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """The frames that come: kind, flags, stream, payload; blocks."""
        while True:
            while len(self._received) < 9 or len(self._received) < self._size():
                if not (part := self.socket.recv(65536)):
                    return
                self._received += part
            data, self._received = self._received[: self._size()], self._received[self._size() :]
            kind, flags, stream = struct.unpack(">BBI", data[3:9])
            self._note(kind, flags, stream, data[9:])
            yield kind, flags, stream, data[9:]

    def _size(self) -> int:
        return 9 + int.from_bytes(self._received[:3])

    def _note(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            (more,) = struct.unpack(">I", payload)
            if stream:
                self.stream_windows[stream] += more
            else:
                self.window += more
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at : at + 6])
                if key == 4:
                    self.initial_window = value
            self.socket.sendall(frame(SETTINGS, flags=ACK))


def end_of(peer: Peer, stream: int) -> bytes:
    """Read until the server has ended the stream; its header fields, as they came."""
    fields = b""
    for kind, flags, of, payload in peer.frames():
        if of == stream and kind == HEADERS:
            fields += payload
            if flags & END_STREAM:
                break
    return fields


async def test_a_path_that_is_not_utf8_is_unimplemented() -> None:
    """As often as one likes: the port stays open, and calls on it are answered."""
    async with serving() as running, running.channel() as channel:
        for _ in range(200):
            peer = Peer(running)
            with peer.socket:
                peer.socket.sendall(request(b"/\xff\xfe/\x80", b"x")[len(PREFACE) :])
                await asyncio.to_thread(end_of, peer, 1)
        assert await unary(channel) == b"x"
        assert running.errors == []


async def test_a_call_without_a_message_is_unimplemented() -> None:
    """A caller that ends its side after the headers gets a status, and no handler runs."""
    handled: list[bytes] = []
    async with serving(lambda _call, message: handled.append(message)) as running:
        peer = Peer(running)
        with peer.socket:
            peer.socket.sendall(headers(1, flags=END_HEADERS | END_STREAM))
            assert b"grpc-status" in await asyncio.to_thread(end_of, peer, 1)
        assert [call.status for call in running.gate.admitted] == [UNIMPLEMENTED]
        assert handled == []


def by_metadata(call: ServerCall) -> Refusal | None:
    call.party = dict(call.metadata).get("party", "other")
    return None


async def test_headers_only_end_with_a_deadline_and_take_nobody_elses_place() -> None:
    """Calls without a body wait in their own party's room, and not for ever."""
    limits = Limits(bodies=4, bodies_of_party=2, body_s=1.0)
    async with serving(decide=by_metadata, limits=limits) as running, running.channel() as channel:
        peer = Peer(running)
        with peer.socket:
            streams = range(1, 100, 2)
            peer.socket.sendall(b"".join(map(headers, streams)))
            await running.until(lambda: running.port.calls_under_way == len(streams))
            assert await unary(channel, metadata=(("party", "mine"),)) == b"x"
            assert running.port.calls_under_way >= len(streams)
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
        peer = Peer(running, settings=no_window)
        with peer.socket:
            peer.socket.sendall(headers(1, STREAM) + headers(3, UNARY))
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
        peers = [Peer(running) for _ in range(CONNECTIONS)]
        taken = await asyncio.gather(*(asyncio.to_thread(stuff, peer) for peer in peers))
        windows = CONNECTIONS * STREAMS_EACH * 2 * 16_384
        assert sum(taken) <= limits.bodies * BODY_BYTES + windows
        for peer in peers:
            peer.socket.close()
        await running.until(lambda: running.port.calls_under_way == 0)


def stuff(peer: Peer) -> int:
    """Begin calls, and send as much of their bodies as the server takes; returns how much."""
    streams = range(1, 2 * STREAMS_EACH, 2)
    prefix = b"\0" + struct.pack(">I", BODY_BYTES)
    peer.socket.sendall(b"".join(map(headers, streams)))
    sent: Counter[int] = Counter()
    peer.socket.settimeout(2.0)
    try:
        for _ in peer.frames():
            for stream in streams:
                room = peer.initial_window + peer.stream_windows[stream] - sent[stream]
                room = min(room, peer.window, 16_384, BODY_BYTES + 5 - 1 - sent[stream])
                if room > 0:
                    data = (prefix + bytes(room))[:room] if not sent[stream] else bytes(room)
                    peer.socket.sendall(frame(DATA, data, 0, stream))
                    sent[stream] += room
                    peer.window -= room
    except TimeoutError:
        pass  # no more is taken
    return sent.total()


async def test_clients_that_are_killed_leave_nothing() -> None:
    """No call and no descriptor stays of connections that break at any moment."""

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with serving() as running, running.channel() as channel:
        await unary(channel)
        before = open_files()
        whole = PREFACE + frame(SETTINGS) + headers(1) + frame(DATA, bytes(5), END_STREAM, 1)
        whole += headers(3, STREAM) + frame(DATA, bytes(5), 0, 3)
        for end in range(0, len(whole), 3):
            with socket.create_connection(("127.0.0.1", running.port.number)) as raw:
                raw.sendall(whole[:end])
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await running.until(lambda: running.port.calls_under_way == 0)
        await running.until(lambda: open_files() <= before)
        assert len(running.gate.admitted) == len(running.gate.ended_calls)
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
