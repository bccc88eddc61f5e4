"""A network in memory: connections that are slow, silent, cut off, or cut off on one side only.

    a machine ── its uplink, by its name ──▶ the server's port

What crosses it are bytes, between asyncio transports, so everything above a socket is the real
code, picows among it. Within a connection bytes stay in order; between connections nothing does.

Laws: what is cut off arrives late, once the way is open again, as TCP sends it again; what goes
over a *severed* connection arrives never, and nobody is told; one that does not read holds up
nobody but who sends to it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final
from unittest import mock

import aiofastnet

from nc.testing.chance import SeededChance
from nc.testing.simulation.loop import Life, SimulatedLoop, life_here

SERVER_PORT: Final = 6441

# What the kernels on both sides take before a sender's own buffer grows.
_WINDOW_BYTES: Final = 64 * 1024

_LATENCIES_S: Final = (0.0005, 0.01, 0.04, 0.15)
_JITTER: Final = 0.5


class _End:
    """Marks the end of what is sent, in its order."""


_END: Final = _End()


class Endpoint(asyncio.Transport):
    """One end of a connection.

    Args:
        network: decides what arrives when.
        life: whose it is.
        uplink: over which machine's uplink it goes.
        certificate: what the other end's TLS showed, DER; None for a client's end.

    Attributes:
        heard_at_s: when something last arrived here.
        is_stalled: nothing is read here for now.
        is_severed: nothing that is sent here arrives any more, and nobody is told.
    """

    def __init__(
        self, network: "Network", life: Life, uplink: str, certificate: bytes | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._network = network
        self.life = life
        self.uplink = uplink
        self._extra = {
            "socket": _Socket(self),
            "peername": (uplink, SERVER_PORT),
            "sockname": (uplink, SERVER_PORT),
            "ssl_object": _Tls(certificate),
        }
        super().__init__(self._extra)
        self.peer: Endpoint
        self.protocol: Any = None
        self.heard_at_s = self._loop.time()
        self.is_stalled = self.is_severed = False
        self.is_lost = False  # its protocol was told that it is no more
        self._is_closing = False
        self._sent: deque[tuple[float, bytes | _End]] = deque()  # with when it arrives
        self._sent_bytes = 0
        self._arrives_s = self._loop.time()
        self._high_bytes = _WINDOW_BYTES
        self._is_paused = False

    # What a protocol calls.

    def get_protocol(self) -> Any:
        """Who reads here."""
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        """Somebody else reads here."""
        self.protocol = protocol

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        """What waits here, beyond what kernels hold."""
        return max(0, self._sent_bytes - _WINDOW_BYTES)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """From when on whoever sends is asked to pause."""
        del low
        self._high_bytes = _WINDOW_BYTES if high is None else high

    def write(self, data: Any) -> None:
        """Send; the bytes are copied."""
        if self._is_closing or self.life.is_over or not data:
            return
        copied = bytes(data)
        self._sent_bytes += len(copied)
        self._post(copied)
        if not self._is_paused and self.get_write_buffer_size() > self._high_bytes:
            self._is_paused = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        """Send in one piece."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Send what waits, then say goodbye."""
        if not self._is_closing and not self.life.is_over:
            self._is_closing = True
            self._post(_END)
            self._lose_when_sent()

    def abort(self) -> None:
        """Be gone; the other side is told, if it can be."""
        self._sent.clear()
        self._sent_bytes = 0
        if not self.is_lost and not self.life.is_over:
            self._is_closing = True
            self.lose(None)
            self.reset_peer()

    # What the network calls.

    def reset_peer(self) -> None:
        """Let the other side know, when the way is open, that nobody is here any more."""
        self._sent.clear()
        self._post(_END)

    def lose(self, error: Exception | None) -> None:
        """The connection is no more."""
        if not self.is_lost:
            self.is_lost = self._is_closing = True
            if self.protocol is not None:
                self.life.soon(self.protocol.connection_lost, error)

    def _post(self, what: bytes | _End) -> None:
        """On its way; what is sent later arrives later."""
        self._arrives_s = max(self._arrives_s, self._loop.time() + self._network.latency_s(self))
        self._sent.append((self._arrives_s, what))
        self._loop.call_at(self._arrives_s, self.pump)

    def pump(self) -> None:
        """Hand over, in order, what has arrived and can be read."""
        while self._sent and self._sent[0][0] <= self._loop.time():
            if self.is_severed or self.peer.life.is_over:
                self._sent.clear()
                return
            if self._network.is_cut_off(self.uplink) or not self.peer.reads():
                return
            _, what = self._sent.popleft()
            if isinstance(what, _End):
                self.peer.life.do(self.peer.hear_end)
                return
            self.peer.life.do(self.peer.hear, what)
            self._sent_bytes -= len(what)
            if self._is_paused and self.get_write_buffer_size() <= self._high_bytes // 4:
                self._is_paused = False
                self.life.soon(self.protocol.resume_writing)
            self._lose_when_sent()

    def _lose_when_sent(self) -> None:
        if self._is_closing and not self.get_write_buffer_size():
            self.lose(None)

    @property
    def lives(self) -> bool:
        """Whether this side takes it for a connection."""
        return not (self.is_lost or self.life.is_over)

    def reads(self) -> bool:
        """Whether somebody is here to read."""
        return self.protocol is not None and not self.is_stalled

    def hear(self, data: bytes) -> None:
        """Bytes have come."""
        self.heard_at_s = self._loop.time()
        rest = memoryview(data)
        while rest and not self._is_closing:
            room = self.protocol.get_buffer(-1)
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            self.protocol.buffer_updated(size)
            rest = rest[size:]

    def hear_end(self) -> None:
        """The other side sends no more."""
        if not self.is_lost:
            self._is_closing = True
            self.lose(None)


class _Socket:
    """What picows wants of a socket, and the door of one that was accepted."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *_: object) -> None:
        """Nothing to set."""

    def getsockopt(self, *_: object) -> int:
        return 0

    def close(self) -> None:
        self.endpoint.abort()


class _Tls:
    """What TLS has verified of the other end."""

    def __init__(self, certificate: bytes | None) -> None:
        self._certificate = certificate

    def getpeercert(self, _binary_form: bool) -> bytes | None:
        return self._certificate


class Listener:
    """The server's port; stands for a socket that listens."""

    def __init__(self, network: "Network", life: Life) -> None:
        self._network = network
        self.life = life
        self._came: asyncio.Queue[Endpoint] = asyncio.Queue()

    def setblocking(self, _is_blocking: bool) -> None:
        """It never blocks."""

    async def accept(self) -> tuple[_Socket, tuple[str, int]]:
        """Who has come."""
        endpoint = await self._came.get()
        return _Socket(endpoint), (endpoint.uplink, SERVER_PORT)

    def knock(self, endpoint: Endpoint) -> None:
        """Somebody has come."""
        self._came.put_nowait(endpoint)

    def close(self) -> None:
        """Nobody is let in any more."""
        if self._network.listener is self:
            self._network.listener = None


class Network:
    """Every connection between machines and the server.

    Args:
        seed: of how long things take.

    Attributes:
        listener: the server's port, while one listens.
        certificates: by uplink, what the machine there shows.
        connections: the server's ends of those that live.
    """

    def __init__(self, seed: object) -> None:
        self._chance = SeededChance(("network", seed))
        self._latencies_s: dict[str, float] = {}
        self._cut_off: dict[str, int] = {}  # how often each uplink was, and was not mended since
        self._opened = asyncio.Event()
        self.listener: Listener | None = None
        self.certificates: dict[str, bytes] = {}
        self._ends: list[Endpoint] = []  # the server's

    @property
    def connections(self) -> list[Endpoint]:
        """The server's ends of what is not known there to be lost."""
        self._ends = [end for end in self._ends if end.lives or end.peer.lives]
        return [end for end in self._ends if end.lives]

    def listen(self, life: Life) -> Listener:
        """The server has a port."""
        self.listener = Listener(self, life)
        return self.listener

    def latency_s(self, end: Endpoint) -> float:
        """How long the next bytes take."""
        if end.uplink not in self._latencies_s:
            choice = int(self._chance.random() * len(_LATENCIES_S))
            self._latencies_s[end.uplink] = _LATENCIES_S[choice]
        return self._latencies_s[end.uplink] * (1 + _JITTER * self._chance.random())

    def is_cut_off(self, uplink: str) -> bool:
        """Whether nothing comes through for now."""
        return self._cut_off.get(uplink, 0) > 0

    def cut_off(self, uplink: str) -> None:
        """Nothing comes through, until as many `mend`s."""
        self._cut_off[uplink] = self._cut_off.get(uplink, 0) + 1

    def mend(self, uplink: str) -> None:
        """What waited comes through."""
        self._cut_off[uplink] = max(0, self._cut_off.get(uplink, 0) - 1)
        self._opened.set()
        self._opened = asyncio.Event()
        self.pump(uplink)

    def mend_all(self) -> None:
        """Everything comes through, and everybody reads."""
        for uplink in self._cut_off:
            self._cut_off[uplink] = 0
            self.mend(uplink)
        for end in list(self._ends):
            self.stall(end.uplink, is_stalled=False)

    def sever(self, uplink: str) -> int:
        """Let nothing arrive any more on what is connected there; how many connections."""
        ends = [end for end in self._ends if end.uplink == uplink]
        for end in ends:
            end.is_severed = end.peer.is_severed = True
        return len(ends)

    def is_sound(self, uplink: str) -> bool:
        """Whether what is connected there hears each other."""
        ours = [end for end in self._ends if end.uplink == uplink]
        severed = [end for end in ours if end.is_severed or end.peer.is_severed]
        return not any(end.lives or end.peer.lives for end in severed)

    def reset(self, uplink: str, *, at_server: bool) -> None:
        """Break what is connected there; one side learns it at once, the other when it can."""
        for end in [end for end in self.connections if end.uplink == uplink]:
            first = end if at_server else end.peer
            first.lose(ConnectionResetError())
            first.reset_peer()

    def stall(self, uplink: str, *, is_stalled: bool) -> None:
        """A machine does not read, or does again."""
        for end in list(self._ends):
            if end.uplink == uplink:
                end.peer.is_stalled = is_stalled
                end.pump()

    def pump(self, uplink: str) -> None:
        """Let through what waits there."""
        for end in list(self._ends):
            if end.uplink == uplink:
                end.pump()
                end.peer.pump()

    def end_life(self, life: Life, *, silently: bool) -> None:
        """A process has ended: its kernel tells the others, unless that is gone too."""
        for end in list(self._ends):
            ours = end if end.life is life else end.peer if end.peer.life is life else None
            if ours is None or ours.is_lost:
                continue
            if silently:
                ours.peer.is_severed = True  # what it had sent is on its way, and arrives
            else:
                ours.reset_peer()
        if self.listener is not None and self.listener.life is life:
            self.listener = None

    async def dial(self, protocol_factory: Callable[[], Any], uplink: str) -> tuple[Endpoint, Any]:
        """A machine connects."""
        await asyncio.sleep(_LATENCIES_S[1])
        while self.is_cut_off(uplink):
            await self._opened.wait()
        listener = self.listener
        if listener is None or listener.life.is_over:
            raise ConnectionRefusedError("connection refused")
        ours = Endpoint(self, life_here(), uplink, None)
        theirs = Endpoint(self, listener.life, uplink, self.certificates.get(uplink))
        ours.peer, theirs.peer = theirs, ours
        self._ends.append(theirs)
        ours.protocol = protocol_factory()
        ours.protocol.connection_made(ours)
        listener.knock(theirs)
        return ours, ours.protocol

    async def receive(
        self, protocol_factory: Callable[[], Any], accepted: _Socket
    ) -> tuple[Endpoint, Any]:
        """The server takes up a connection that it accepted."""
        end = accepted.endpoint
        protocol = protocol_factory()
        protocol.connection_made(end)
        end.protocol = protocol
        end.life.soon(end.peer.pump)
        return end, protocol


@contextlib.contextmanager
def in_place_of_sockets(network: Network) -> Iterator[None]:
    """Let what runs on a `SimulatedLoop` connect over this network, and all else as ever.

    These two functions are the lowest place that both ends go through.
    """
    dial, receive = aiofastnet.create_connection, aiofastnet.connect_accepted_socket

    async def create_connection(
        loop: Any, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if isinstance(loop, SimulatedLoop):
            return await network.dial(protocol_factory, host)
        return await dial(loop, protocol_factory, host, port, **options)

    async def connect_accepted_socket(
        loop: Any, protocol_factory: Any, sock: Any, **options: Any
    ) -> Any:
        if isinstance(loop, SimulatedLoop):
            return await network.receive(protocol_factory, sock)
        return await receive(loop, protocol_factory, sock, **options)

    with (
        mock.patch.object(aiofastnet, "create_connection", create_connection),
        mock.patch.object(aiofastnet, "connect_accepted_socket", connect_accepted_socket),
    ):
        yield
