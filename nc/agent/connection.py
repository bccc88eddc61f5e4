"""A node's connection to the hub, from the TLS handshake to its end.

    connect ──▶ TLS ──▶ upgrade ──▶ hello ──▶ address ──▶ frames both ways ──▶ ended

The reason for which a link ended, or was not made, is one of few kinds, and decides what the agent
does next: try again, try again later, or give up.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from nc.agent.link_errors import LinkEnded, closed_by
from nc.net import wire
from nc.net.machine import NO_FACTS, MachineFacts
from nc.net.wire import HandshakeError
from nc.text import host_port

# From the first TCP packet to the node's address.
CONNECT_TIMEOUT_S: Final = 15.0

PING_INTERVAL_S: Final = 30.0  # LiteKube link reference
SILENCE_LIMIT_S: Final = 60.0

# Where there is another address to go to: a server that is gone costs so long, and with the link to
# the next one less than 15 s.
SHORT_PING_INTERVAL_S: Final = 4.0
SHORT_SILENCE_LIMIT_S: Final = 12.0

# How much is queued before the TUN device is paused: a few super-packets.
WRITE_BUFFER_BYTES: Final = 256 * 1024

# Frames that come while the device is set up; more are dropped. They are 16 MiB at the very most.
_MAX_EARLY: Final = 256

# How long the server may take to answer our close frame.
_CLOSE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """A link port, and the node token for it.

    Attributes:
        tls: None for plain text.
        held: the address of the last link.
        proxy: the URL of an HTTP proxy to go through; None connects directly, whatever the
            environment says.
        offload: whether frames may hold what is left to a TUN device; without, each is one whole
            packet.
        machine: what the server is told of this machine.
        timeout_s: from the first TCP packet to the node's address.
        has_others: whether there are other addresses to go to.
        certificate_problem: what is wrong with the dates of the certificate that is shown.
    """

    host: str
    port: int
    token: str
    tls: ssl.SSLContext | None
    held: IPv4Address | None = None
    proxy: str | None = None
    offload: bool = True
    machine: MachineFacts = NO_FACTS
    timeout_s: float = CONNECT_TIMEOUT_S
    has_others: bool = False
    certificate_problem: str = ""

    def __repr__(self) -> str:
        return f"Target({self})"

    def __str__(self) -> str:
        return host_port(self.host, self.port)


Deliver = Callable[[memoryview, bool], None]  # a frame, and whether it begins with a vnet header


class HubConnection(WSListener):
    """One link, as picows' listener; made by `nc.agent.connecting.connect`.

    Attributes:
        interface: the node's address and network, once `connect` has returned.
        offload: whether the server speaks the offload subprotocol.
        told: where the server says that it and its like are reached.
        is_to_leave: the server asks the node to go to another: it stops, or is cut off from them.
        has_newer: this agent has begun a newer link, or tried to.
        on_told: called when it has said so anew.
        deliver: gets every packet, from `begin` on.
        writable: called with False when the send queue is full, and with True when it is not.
        greeted: the address, when the server has sent it.
        ended: the reason, when the link has ended.
    """

    interface: IPv4Interface

    def __init__(self, ping_interval_s: float, silence_limit_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.offload = False
        self.told: tuple[wire.Address, ...] = ()
        self.is_to_leave = self.has_newer = False
        self.on_told: Callable[[], None] | None = None
        self.deliver: Deliver | None = None
        self.writable: Callable[[bool], None] | None = None
        self.ended: asyncio.Future[LinkEnded] = loop.create_future()
        self.greeted: asyncio.Future[IPv4Interface] = loop.create_future()
        self._loop = loop
        self._ping_interval_s = ping_interval_s
        self._silence_limit_s = silence_limit_s
        self._heard_at_s = loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: WSTransport
        self._kind = WSMsgType.TEXT
        self._early: list[tuple[bytes, bool]] = []
        self._reason: LinkEnded | None = None

    @property
    def server_address(self) -> str:
        """The IP address that the link goes to."""
        peer = self._transport.underlying_transport.get_extra_info("peername")
        return str(peer[0]).removeprefix("::ffff:")

    def begin(self, deliver: Deliver) -> None:
        """Deliver every packet from now on, and before them those that came early."""
        self.deliver = deliver
        early, self._early = self._early, []
        for frame, has_header in early:
            deliver(memoryview(frame), has_header)

    def hurry(self) -> None:
        """Notice soon that the server is gone: there are others."""
        self._ping_interval_s = min(self._ping_interval_s, SHORT_PING_INTERVAL_S)
        self._silence_limit_s = min(self._silence_limit_s, SHORT_SILENCE_LIMIT_S)

    def send(self, frame: bytes) -> None:
        """Send a packet, behind its vnet header if the link offloads."""
        self._transport.send(self._kind, frame)

    async def close(self) -> None:
        """Send a close frame, unless the link has ended, and wait a moment for the answer."""
        self._reason = self._reason or LinkEnded("closed by this node")
        if not self.ended.done():
            self._transport.send_close(WSCloseCode.OK, b"")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await asyncio.shield(self.ended)
        self._transport.disconnect(False)

    def hang_up(self, reason: str) -> None:
        """End the link at once."""
        self._reason = self._reason or LinkEnded(reason)
        self._transport.disconnect(False)

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        headers = transport.response.headers
        if headers.get(wire.SUBPROTOCOL_HEADER) == wire.OFFLOAD:
            self.offload, self._kind = True, WSMsgType.BINARY
            self._note(wire.Told(wire.read_addresses(headers.get(wire.ADDRESSES_HEADER, ""))))
        transport.send(WSMsgType.TEXT, wire.hello())
        self._timer = self._loop.call_later(self._ping_interval_s, self._ping)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heard_at_s = self._loop.time()
        kind = frame.msg_type
        if kind is WSMsgType.BINARY or kind is WSMsgType.TEXT:
            if not self.greeted.done():
                self._read_answer(frame.get_payload_as_bytes())
            elif self.offload and kind is WSMsgType.TEXT:
                self._note(wire.read_servers(frame.get_payload_as_bytes()))
            elif self.deliver is not None:
                self.deliver(frame.get_payload_as_memoryview(), self.offload)
            elif len(self._early) < _MAX_EARLY:
                self._early.append((frame.get_payload_as_bytes(), self.offload))
        elif kind is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            self._reason = self._reason or closed_by(frame, has_newer=self.has_newer)
            transport.send_close(WSCloseCode.OK, b"")
            transport.disconnect()
            self._finish()  # an upstream server keeps TCP open, and `disconnect` waits for its end

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self._finish()

    def _finish(self) -> None:
        """Tell those that wait why the link ended, once."""
        if self._timer is not None:
            self._timer.cancel()
        reason = self._reason or LinkEnded("the connection was cut")
        if not self.greeted.done():
            self.greeted.set_exception(reason)
            self.greeted.exception()  # `connect` may have given up before
        if not self.ended.done():
            self.ended.set_result(reason)

    def pause_writing(self) -> None:
        if self.writable is not None:
            self.writable(False)

    def resume_writing(self) -> None:
        if self.writable is not None:
            self.writable(True)

    def _note(self, told: wire.Told) -> None:
        """Keep where the servers are."""
        if not told.servers:
            return
        self.told, self.is_to_leave = told
        if len(self.told) > 1:
            self.hurry()
        if self.on_told is not None:
            self.on_told()

    def _read_answer(self, payload: bytes) -> None:
        try:
            self.interface = wire.read_answer(payload)
        except HandshakeError as error:
            self.hang_up(str(error))
        else:
            self.greeted.set_result(self.interface)

    def _ping(self) -> None:
        """Ping; or end a link that was silent for the limit, to the second."""
        silent_s = self._loop.time() - self._heard_at_s
        if silent_s >= self._silence_limit_s:
            self.hang_up(f"nothing was heard for {self._silence_limit_s:g} s")
            return
        self._transport.send_ping()
        wait_s = min(self._ping_interval_s, self._silence_limit_s - silent_s)
        self._timer = self._loop.call_later(wait_s, self._ping)
