"""One link: a node's WebSocket, once its request was granted.

What comes in is told to the hub until the node has its address, and goes straight to the switch
from then on. A link ends once: whatever happens later to its socket is of no consequence.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from nc.hub.switch import MAX_QUEUED_BYTES, Port
from nc.net import wire
from nc.net.wire import Close, Frame

# Looked up once: enums are slow, and each frame needs them.
_TEXT = WSMsgType.TEXT
_BINARY = WSMsgType.BINARY
_PING = WSMsgType.PING
_CLOSE = WSMsgType.CLOSE


class Owner(Protocol):
    """Who is told what a link cannot decide by itself."""

    def on_open(self, link: "Link") -> None:
        """The upgrade is done."""

    def on_fragment(self, link: "Link") -> None:
        """A piece of a message came, where a packet should be."""

    def on_gone(self, link: "Link") -> None:
        """The other end has closed the link, or it broke."""

    def on_lost(self, link: "Link") -> None:
        """Nothing is left of the connection."""


class Link(WSListener):
    """A node's link.

    Args:
        owner: the hub.
        node_id, link_id: whose it is, and which one.
        peer: where it comes from, for people to read.
        offloads: whether both ends speak the offload subprotocol.
        since_ns: Unix time of the request.
        close_timeout_s: see `nc.hub.limits`.

    Attributes:
        port: its end of the switch, once it is open.
        take: where packets go.
        is_over: it has ended, or is about to.
        may_be_recorded: the log knows of it, as far as can be known here.
        heard: whether anything came since somebody set this to False; `idle_ticks` counts how
            often nothing had.
    """

    port: Port
    take: Callable[[Frame], None]
    _transport: WSTransport

    def __init__(
        self,
        owner: Owner,
        node_id: str,
        link_id: str,
        peer: str,
        *,
        offloads: bool,
        since_ns: int,
        close_timeout_s: float,
    ) -> None:
        self._owner = owner
        self.node_id = node_id
        self.link_id = link_id
        self.peer = peer
        self.offloads = offloads
        self.since_ns = since_ns
        self._close_timeout_s = close_timeout_s
        self.heard = True
        self.idle_ticks = 0
        self.is_over = False
        self.is_accepted = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done."""
        self._transport = transport
        self.port = Port(
            partial(transport.send, _BINARY if self.offloads else _TEXT),
            transport.underlying_transport.get_write_buffer_size,
            offloads=self.offloads,
        )
        self._owner.on_open(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Something came."""
        self.heard = True
        kind = frame.msg_type
        if (kind is _TEXT or kind is _BINARY) and frame.fin:
            if not self.is_over:
                self.take(frame.get_payload_as_memoryview())
        elif kind is _PING:
            if self.port.queued_bytes() < MAX_QUEUED_BYTES:  # whoever reads nothing needs no pong
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._hear_close(transport, frame)
        elif kind is not WSMsgType.PONG and not self.is_over:
            self._owner.on_fragment(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is no more."""
        del transport
        if not self.is_over:
            self._owner.on_gone(self)
        self._owner.on_lost(self)

    def pause_writing(self) -> None:
        """Nothing is to be done: the switch looks at the queue itself."""

    def resume_writing(self) -> None:
        """As above; picows would make an exception of it each time."""

    def on_violation(self) -> None:
        """The other end broke the protocol; it has been told."""
        if not self.is_over:
            self._owner.on_gone(self)
            asyncio.get_running_loop().call_later(self._close_timeout_s, self.abort)

    def say(self, message: bytes) -> None:
        """Send a frame of the handshake, which is Text whatever follows."""
        self._transport.send(_TEXT, message)

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._transport.send_ping()

    def close(self, close: Close) -> None:
        """Take leave, and see to it that the connection ends soon."""
        reason = wire.close_reason(close.reason)
        self._transport.send_close(WSCloseCode(int(close.code)), reason.encode())
        asyncio.get_running_loop().call_later(self._close_timeout_s, self.abort)

    def abort(self) -> None:
        """End the connection now."""
        if not self._transport.is_disconnected:
            self._transport.disconnect(graceful=False)

    def _hear_close(self, transport: WSTransport, frame: WSFrame) -> None:
        """The other end takes leave, or answers ours."""
        if not self.is_over:
            code = frame.get_close_code()
            self._owner.on_gone(self)
            transport.send_close(WSCloseCode.OK if code == WSCloseCode.NO_INFO else code)
            asyncio.get_running_loop().call_later(self._close_timeout_s, self.abort)
        transport.disconnect()
