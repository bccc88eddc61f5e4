"""One end of a simulated connection: an asyncio transport over which bytes go to its peer.

    write ──▶ on its way ──▶ arrived ──▶ read ──▶ the peer's protocol
                │                │
                └ severed: gone  └ cut off, or nothing reads: it waits

Neither end learns that it is severed; what waits counts as the sender's buffer, beyond what kernels
hold.
"""

import asyncio
from collections import deque
from typing import Any, Final, Protocol

from nc.testing.simulation.loop import Life

SERVER_PORT: Final = 6441

# What the kernels on both sides take before a sender's own buffer grows.
_WINDOW_BYTES: Final = 64 * 1024


class Way(Protocol):
    def latency_s(self, end: "Endpoint") -> float: ...

    def is_cut_off(self, uplink: str) -> bool: ...


class _End:
    """Marks the end of what is sent, in its order."""


_END: Final = _End()


class Endpoint(asyncio.Transport):
    """One end of a connection.

    Args:
        uplink: the name of the machine whose uplink it goes over.
        peer_ip: of the other end.
        certificate: what the other end's TLS showed, DER; None for a client's end.

    Attributes:
        heard_at_s: when something last arrived here.
        is_stalled: nothing is read here for now.
        is_severed: nothing that is sent here arrives any more, and neither end learns of it.
    """

    def __init__(
        self, network: Way, life: Life, uplink: str, peer_ip: str, certificate: bytes | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._network = network
        self.life = life
        self.uplink = uplink
        self._extra = {
            "socket": Socket(self),
            "peername": (peer_ip, SERVER_PORT),
            "sockname": (uplink, SERVER_PORT),
            "ssl_object": _Tls(certificate),
        }
        super().__init__(self._extra)
        self.peer: Endpoint
        self.protocol: Any = None
        self.heard_at_s = self._loop.time()
        self.is_stalled = self.is_severed = False
        self._reads = True
        self.is_lost = False  # its protocol has had `connection_lost`
        self._is_closing = False
        self._sent: deque[tuple[float, bytes | _End]] = deque()  # with when it arrives
        self._sent_bytes = 0
        self._arrives_s = self._loop.time()
        self._high_bytes = _WINDOW_BYTES
        self._is_paused = False

    # What a protocol calls.

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._reads = False

    def resume_reading(self) -> None:
        self._reads = True
        self._loop.call_soon(self.peer.pump)

    def get_write_buffer_size(self) -> int:
        """The bytes in this end's buffer, beyond what kernels hold."""
        return max(0, self._sent_bytes - _WINDOW_BYTES)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how many buffered bytes pause the writer."""
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
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Send what waits, then the end."""
        if not self._is_closing and not self.life.is_over:
            self._is_closing = True
            self._post(_END)
            self._lose_when_sent()

    def abort(self) -> None:
        """End at once; the peer learns of it, if it can."""
        self._sent.clear()
        self._sent_bytes = 0
        if not self.is_lost and not self.life.is_over:
            self._is_closing = True
            self.lose(None)
            self.reset_peer()

    # What the network calls.

    def reset_peer(self) -> None:
        """Reset the connection: the peer learns of it once the network lets bytes through."""
        self._sent.clear()
        self._post(_END)

    def lose(self, error: Exception | None) -> None:
        if not self.is_lost:
            self.is_lost = self._is_closing = True
            if self.protocol is not None:
                self.life.soon(self.protocol.connection_lost, error)

    def _post(self, what: bytes | _End) -> None:
        """Put bytes on the network; they arrive in the order in which they are sent."""
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
        """Whether this side considers the connection open."""
        return not (self.is_lost or self.life.is_over)

    def reads(self) -> bool:
        return self.protocol is not None and self._reads and not self.is_stalled

    def hear(self, data: bytes) -> None:
        self.heard_at_s = self._loop.time()
        rest = memoryview(data)
        while rest and not self._is_closing:
            room = self.protocol.get_buffer(-1)
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            self.protocol.buffer_updated(size)
            rest = rest[size:]

    def hear_end(self) -> None:
        if not self.is_lost:
            self._is_closing = True
            self.lose(None)


class Socket:
    """What picows needs of a socket, and the acceptor of one that was accepted."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def fileno(self) -> int:
        """None, so that nothing goes past the transport."""
        return -1

    def setsockopt(self, *_: object) -> None: ...

    def getsockopt(self, *_: object) -> int:
        return 0

    def close(self) -> None:
        """Send what waits, then the end."""
        self.endpoint.abort()


class _Tls:
    """What TLS would have verified of the other end."""

    def __init__(self, certificate: bytes | None) -> None:
        self._certificate = certificate

    def getpeercert(self, _binary_form: bool) -> bytes | None:
        return self._certificate
