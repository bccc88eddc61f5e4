"""A connection between two servers: packets go one way, from the one that has opened it.

Each frame holds packets as in the offload subprotocol of links (`nc.net.wire`).
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from nc.hub.ports import PeerPort
from nc.hub.turns import MUCH_WORK
from nc.net import wire
from nc.net.dial import ATTEMPT_DELAY_S
from nc.net.wire import Frame
from nc.text import host_port

PING_INTERVAL_S: Final = 2.0
SILENCE_LIMIT_S: Final = 6.0

_CONNECT_TIMEOUT_S: Final = 6.0
_UPGRADE_TIMEOUT_S: Final = 3.0


class PeerUnreachable(Exception):
    """There is no connection to another server; the text says why."""


class PeerLink(WSListener):
    """One end.

    Args:
        port: of the server at the other end.
        own_session: of this server.
        receive: takes what comes; None at the end that has opened it, where nothing does.
        on_much_work: called when what was read at once was much work (`nc.hub.turns`).
        close_timeout_s: how long the other end may take to answer a close frame.
        on_open: called when the connection is upgraded.

    Attributes:
        ended: why, when it has ended.
    """

    _transport: WSTransport

    def __init__(
        self,
        port: PeerPort,
        own_session: str,
        receive: Callable[[Frame], None] | None,
        on_much_work: "Callable[[PeerLink], None]",
        close_timeout_s: float,
        on_open: "Callable[[PeerLink], None] | None" = None,
    ) -> None:
        self.port = port
        self.own_session = own_session
        self._receive = receive
        self._on_much_work = on_much_work
        self._close_timeout_s = close_timeout_s
        self._on_open = on_open
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self._frames = self._work_so_far = 0
        self._has_heard = True
        self._silent_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._why = ""

    def send(self, frame: Frame) -> None:
        self._transport.send(WSMsgType.BINARY, frame)

    @property
    def transport(self) -> WSTransport:
        return self._transport

    def end(self, why: str) -> None:
        self._why = self._why or why
        if not self.ended.done():
            self._transport.send_close(WSCloseCode.GOING_AWAY, wire.close_reason(why).encode())
            self._loop.call_later(self._close_timeout_s, self._abort)

    def _abort(self) -> None:
        if not self._transport.is_disconnected:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._timer = self._loop.call_later(PING_INTERVAL_S, self._look)
        if self._on_open is not None:
            self._on_open(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._has_heard = True
        self._frames += 1
        kind = frame.msg_type
        if kind is WSMsgType.BINARY and frame.fin and self._receive is not None:
            self._receive(frame.get_payload_as_memoryview())
        elif kind is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            message = frame.get_close_message() or b""
            self._why = self._why or message.decode("utf-8", "replace")
            transport.send_close(WSCloseCode.OK, b"")
            transport.disconnect()
        elif kind is not WSMsgType.PONG:
            self.end("this is no packet")
        if frame.last_in_buffer:
            work = self._frames + self.port.packets_in
            if work - self._work_so_far >= MUCH_WORK:
                self._on_much_work(self)
            self._work_so_far = work

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.ended.done():
            self.ended.set_result(self._why or "the connection was cut")

    def on_violation(self) -> None:
        """The other end broke the protocol, and picows has sent it a close frame."""
        self._why = self._why or "the other end broke the protocol"
        self._loop.call_later(self._close_timeout_s, self._abort)

    def pause_writing(self) -> None:
        """Nothing to do: the switch looks at the queue itself. picows raises without this."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    def pause_reading(self) -> None:
        self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.underlying_transport.resume_reading()

    def _look(self) -> None:
        """Ping; or end what was silent for too long."""
        self._silent_s = 0.0 if self._has_heard else self._silent_s + PING_INTERVAL_S
        self._has_heard = False
        if self._silent_s >= SILENCE_LIMIT_S:
            self._why = self._why or f"nothing was heard for {SILENCE_LIMIT_S:g} s"
            self._abort()
            return
        self._transport.send_ping()
        self._timer = self._loop.call_later(PING_INTERVAL_S, self._look)


async def open_peer_link(
    peer: wire.Address, tls: ssl.SSLContext | None, make: Callable[[], PeerLink]
) -> PeerLink:
    """Connect to another server's link port.

    Args:
        peer: where it is.
        tls: with this server's certificate; None for plain text.
        make: makes this end, which names the session that has to answer.

    Raises:
        PeerUnreachable: it is not there, refuses this server, or another session answers.
    """
    link = make()
    url = f"{'ws' if tls is None else 'wss'}://{host_port(*peer)}{wire.PEERS_PATH}"
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            transport, _ = await ws_connect(
                lambda: link,
                url,
                ssl_context=tls,
                websocket_handshake_timeout=_UPGRADE_TIMEOUT_S,
                enable_auto_pong=False,  # a ping is a sign of life, which `on_ws_frame` must see
                max_frame_size=wire.MAX_FRAME_BYTES,
                happy_eyeballs_delay=ATTEMPT_DELAY_S,
                max_redirects=0,
                logger_name="nowhere",
                extra_headers={wire.REPLICA_HEADER: link.own_session},
            )
    except (OSError, WSError, ValueError) as error:  # TimeoutError is an OSError
        raise PeerUnreachable(str(error) or type(error).__name__) from error
    if transport.response.headers.get(wire.REPLICA_HEADER) != link.port.session:
        transport.disconnect(graceful=False)
        raise PeerUnreachable("another server answers there, or it was started anew")
    return link
