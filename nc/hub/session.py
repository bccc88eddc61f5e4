"""One session: a node's WebSocket, from the upgrade to the end of its connection.

Frames go to `receive`: the hub's handshake first, the switch once the node has its address. A
session ends once; what happens to its socket later has no effect.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from nc.domain.profile import Facts
from nc.hub.ports import MAX_QUEUED_BYTES, SwitchPort
from nc.hub.turns import MUCH_WORK
from nc.net import wire
from nc.net.wire import Close, Frame

if TYPE_CHECKING:
    from nc.hub.hub import Hub

# Looked up once: enums are slow, and each frame needs them.
_TEXT = WSMsgType.TEXT
_BINARY = WSMsgType.BINARY
_PING = WSMsgType.PING
_CLOSE = WSMsgType.CLOSE


class Session(WSListener):
    """A node's link.

    Args:
        owner: decides what a session cannot decide by itself.
        node_id, link_id: whose it is, and which one.
        peer: the other end's address and port, for people to read.
        facts: what the request says of the node's machine, and where it came from.
        offloads: whether both ends speak the offload subprotocol.
        hears_servers: whether the node is told where servers are.
        told_version: which version of that it knows (`nc.hub.reachable`).
        since_ns: Unix time of the request.
        ends_at_ms: when the certificate does that was shown on it, Unix time; None without one.
        close_timeout_s: see `nc.hub.limits`.

    Attributes:
        port: its port of the switch, once it is open.
        receive: takes each frame.
        is_over: it has ended, or is about to.
        still_carries: packets come and go although it is over (`nc.hub.superseded`).
        is_accepted: the log may have its AcceptLink.
        node_name: what the node was called when the link was opened.
        heard: whether a frame came since the last check (`nc.hub.heartbeat`).
        idle_ticks: how many checks in a row found none.
    """

    port: SwitchPort
    receive: Callable[[Frame], None]
    _transport: WSTransport

    def __init__(
        self,
        owner: "Hub",
        node_id: str,
        link_id: str,
        peer: str,
        *,
        facts: Facts,
        offloads: bool,
        hears_servers: bool,
        told_version: int,
        since_ns: int,
        ends_at_ms: int | None,
        close_timeout_s: float,
    ) -> None:
        self._owner = owner
        self.node_id = node_id
        self.link_id = link_id
        self.peer = peer
        self.facts = facts
        self.offloads = offloads
        self.hears_servers = hears_servers
        self.told_version = told_version
        self.since_ns = since_ns
        self.ends_at_ms = ends_at_ms
        self._frames = 0
        self._work_so_far = 0
        self._close_timeout_s = close_timeout_s
        self.heard = True
        self.idle_ticks = 0
        self.is_over = self.still_carries = False
        self.is_accepted = False
        self.node_name = ""

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.port = SwitchPort(
            partial(transport.send, _BINARY if self.offloads else _TEXT),
            transport.underlying_transport.get_write_buffer_size,
            offloads=self.offloads,
        )
        self._owner.on_open(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.heard = True
        self._frames += 1
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._refuse_reserved_bits()
            return
        kind = frame.msg_type
        if (kind is _TEXT or kind is _BINARY) and frame.fin:
            if not self.is_over or self.still_carries:
                self.receive(frame.get_payload_as_memoryview())
        elif kind is _PING:
            if self.port.queued_bytes() < MAX_QUEUED_BYTES:  # else the node reads no pong either
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._on_close_frame(transport, frame)
        elif kind is not WSMsgType.PONG and not self.is_over:
            self._owner.on_fragment(self)
        if frame.last_in_buffer:
            self._weigh()

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        if not self.is_over:
            self._owner.on_closed(self)
        self._owner.on_disconnected(self)

    def pause_writing(self) -> None:
        """Nothing to do: the switch looks at the queue itself. picows raises without this."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    def on_violation(self) -> None:
        """The other end broke the protocol, and picows has sent it a close frame."""
        if not self.is_over:
            self._owner.on_closed(self)
            self._abort_soon()

    def pause_reading(self) -> None:
        self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.underlying_transport.resume_reading()

    def _weigh(self) -> None:
        """See whether what came since the last time was much work."""
        work = self._frames + self.port.packets_in
        is_of_use = not self.is_over or self.still_carries
        if work - self._work_so_far >= MUCH_WORK and is_of_use:
            self._owner.on_much_work(self)
        self._work_so_far = work

    def _refuse_reserved_bits(self) -> None:
        """Fail the connection: no extension was agreed that gives them a meaning (5.2)."""
        if not self.is_over:
            self._owner.on_closed(self)
            self.close(wire.RESERVED_BITS)

    def send_handshake(self, message: bytes) -> None:
        """Send a frame of the handshake: always Text, also where packets are Binary."""
        self._transport.send(_TEXT, message)

    def ping(self) -> None:
        self._transport.send_ping()

    def close(self, close: Close) -> None:
        """Send a close frame; the connection ends when it is answered, or after a time limit."""
        reason = wire.close_reason(close.reason)
        self._transport.send_close(WSCloseCode(int(close.code)), reason.encode())
        self._abort_soon()

    def _abort_soon(self) -> None:
        asyncio.get_running_loop().call_later(self._close_timeout_s, self._abort)

    def _abort(self) -> None:
        if not self._transport.is_disconnected:
            self._transport.disconnect(graceful=False)

    def _on_close_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer the other end's close frame, unless it answers ours; then disconnect."""
        if not self.is_over:
            code = frame.get_close_code()
            self._owner.on_closed(self)
            transport.send_close(WSCloseCode.OK if code == WSCloseCode.NO_INFO else code)
            self._abort_soon()
        transport.disconnect()
