"""One accepted connection as picows has it: the WebSocket of a link, or of one that is refused.

picows' own `ws_create_server` decides about an upgrade without knowing the connection, and so the
certificate. So its protocol object is made here, and handed the request when all of it is there.

Of a WebSocket server's duties (RFC 6455) picows does these: masked frames only (5.1), known opcodes
and shortest lengths (5.2), control frames of at most 125 bytes and in one piece (5.5), codes and
text of close frames (5.5.1, 7.4). `nc.hub.request` checks the request (4.2.1), and `nc.hub.session`
the reserved bits (5.2). Left out on purpose: that Text is UTF-8 (8.1), since existing clients send
packets as Text, and messages in several frames (5.4), since a packet is one.
"""

import asyncio
import ssl
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stubs leave it out
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.hub.peer_link import PeerLink
from nc.hub.reachable import Reachable
from nc.hub.refusals import LinkRefused
from nc.hub.request import accept_lists
from nc.hub.session import Session
from nc.net import wire
from nc.net.wire import CloseCode

_READ_BUFFER_BYTES: Final = 1024  # to begin with; it doubles up to what a link needs

# To a client of another make these are a link that is closed with the reason: it shows that and
# ends, where it takes an HTTP status for a bad handshake and comes back twice a second for ever.
_FOR_GOOD: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class AcceptedConnection(WSProtocol):  # type: ignore[misc]  # it has no stubs
    """One connection, from TCP's handshake on.

    Args:
        upgrade: makes the session for a request, or raises LinkRefused.
        close_timeout_s: see `nc.hub.limits`.
        peer: the other end's address and port, for people to read.
        log: gets the traceback of a bug of ours.
        reachable: where this server and its peers are.
    """

    def __init__(
        self,
        upgrade: "Upgrade",
        peer: str,
        log: FilteringBoundLogger,
        reachable: Reachable,
        close_timeout_s: float,
    ) -> None:
        super().__init__(
            host_port=None,
            ws_path=None,
            is_client_side=False,
            ws_listener_factory=partial(_answer, self, upgrade),
            logger=_PicowsLogger(log, self._on_violation),
            disconnect_on_exception=True,
            websocket_handshake_timeout=None,  # `Acceptor` has one
            enable_auto_ping=False,  # `nc.hub.heartbeat` pings
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,  # a ping is a sign of life, which sessions must see
            max_frame_size=wire.MAX_FRAME_BYTES,
            extra_headers=None,
            read_buffer_init_size=_READ_BUFFER_BYTES,
        )
        self.peer = peer
        self.reachable = reachable
        self.close_timeout_s = close_timeout_s

    def take_over(self, transport: asyncio.Transport, received: bytes) -> None:
        """Go on from the request; `received` begins with it."""
        transport.set_protocol(self)
        self.connection_made(transport)
        rest = memoryview(received)
        while rest and not transport.is_closing():
            room = self.get_buffer(-1)
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            self.buffer_updated(size)
            rest = rest[size:]

    async def wait_until_decided(self) -> None:
        """Wait until there is a link, or the connection is closed because there is none."""
        await self.wait_until_handshake_complete()
        if isinstance(self.listener, _RefusedLink):
            await self.listener.closed

    def _on_violation(self) -> None:
        if isinstance(self.listener, Session | PeerLink):
            self.listener.on_violation()

    @property
    def certificate_pem(self) -> bytes | None:
        """The client's certificate, which TLS has verified; None without TLS."""
        tls = self.transport.underlying_transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(True)
        return None if der is None else ssl.DER_cert_to_PEM_cert(der).encode()


Upgrade = Callable[[AcceptedConnection, WSUpgradeRequest], Session | PeerLink]


def _answer(connection: AcceptedConnection, upgrade: Upgrade, request: WSUpgradeRequest) -> Any:
    """The HTTP response that picows sends, and the session behind it."""
    accept_lists(request.headers)
    try:
        link = upgrade(connection, request)
    except LinkRefused as refusal:
        return _refused(connection, request, refusal)
    headers = {}
    if isinstance(link, PeerLink):
        headers[wire.REPLICA_HEADER] = link.own_session
    elif wire.offers_offload(request.headers.get(wire.SUBPROTOCOL_HEADER)):
        headers[wire.SUBPROTOCOL_HEADER] = wire.OFFLOAD
        headers[wire.ADDRESSES_HEADER] = wire.addresses_text(connection.reachable.told())
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(headers), link)


def _refused(
    connection: AcceptedConnection, request: WSUpgradeRequest, refusal: LinkRefused
) -> WSUpgradeResponseWithListener:
    """The refusal as the client understands it: an HTTP status, or a close frame."""
    headers = dict(refusal.headers)
    if refusal.now_s is not None:  # the client's clock may be what is wrong
        headers["Date"] = formatdate(refusal.now_s, usegmt=True)
    is_agent = wire.offers_offload(request.headers.get(wire.SUBPROTOCOL_HEADER))
    is_ours = is_agent or wire.REPLICA_HEADER in request.headers
    if refusal.status in _FOR_GOOD and not is_ours:
        return WSUpgradeResponseWithListener(
            WSUpgradeResponse.create_101_response(headers),
            _RefusedLink(str(refusal), connection.close_timeout_s),
        )
    headers["Content-Type"] = "text/plain; charset=utf-8"
    response = WSUpgradeResponse.create_error_response(
        refusal.status, f"{refusal}\n".encode(), headers
    )
    return WSUpgradeResponseWithListener(response, None)


class _RefusedLink(WSListener):
    """A link that is closed at once; nothing that comes is looked at but the answering close.

    Attributes:
        closed: the connection is.
    """

    def __init__(self, sentence: str, close_timeout_s: float) -> None:
        self._sentence = sentence
        self._close_timeout_s = close_timeout_s
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        reason = wire.close_reason(self._sentence).encode()
        transport.send_close(WSCloseCode(int(CloseCode.POLICY)), reason)
        end = partial(self._abort, transport)
        asyncio.get_running_loop().call_later(self._close_timeout_s, end)

    def _abort(self, transport: WSTransport) -> None:
        if not transport.is_disconnected:
            transport.disconnect(graceful=False)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Nothing more is written. picows raises without this."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""


class _PicowsLogger:
    """The logger given to picows, which has no other way to report why it ends a connection.

    Args:
        log: gets our own exceptions, with their tracebacks.
        on_violation: called when the other end broke the protocol. picows sends a close frame, but
            keeps reading for a moment, and would hand over frames that it refused.
    """

    def __init__(self, log: FilteringBoundLogger, on_violation: Callable[[], None]) -> None:
        self._log = log
        self._on_violation = on_violation

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - logging.Logger's name
        return False

    def ignore(self, *_: object) -> None:
        """Log nothing: the message may hold a stranger's bytes."""

    log = debug = info = warning = ignore

    def error(self, *_: object) -> None:
        self._on_violation()

    def exception(self, message: str, *_: object) -> None:
        self._log.exception(log_events.LINK_CRASHED, message=message)
        self._on_violation()
