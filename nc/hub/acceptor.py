"""The door: accepts connections, sees them through TLS and the upgrade, and lets nobody linger.

picows speaks WebSocket. Its own `ws_create_server` decides about an upgrade without knowing the
connection, and so the certificate; and it lets any number of connections begin. So connections are
accepted here, and picows' protocol object is made here: the only place that knows how.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import aiofastnet
import aiofastnet.constants
from picows import (
    WSAutoPingStrategy,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stubs leave it out
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.hub.admission import Refused
from nc.hub.limits import Limits
from nc.hub.session import Link
from nc.net import wire
from nc.text import host_port

# How long TLS may take to say goodbye.
_TLS_GOODBYE_S: Final = 1.0

# With no file descriptor left, how long until the next try.
_OUT_OF_FILES_PAUSE_S: Final = 0.1

# What TLS may have encrypted, on its way in and out: a record, and the largest frame. aiofastnet's
# own choice is 264 KiB each, all of which a link that was busy once would keep.
_TLS_RECORD_BYTES: Final = 16 * 1024 + 64
_TLS_READ_BYTES: Final = _TLS_RECORD_BYTES
_TLS_WRITE_BYTES: Final = 5 * _TLS_RECORD_BYTES

# What is read of one link before it is others' turn, and calls': of small packets these are more
# than two hundred, a millisecond's work. There is no other way to say it.
aiofastnet.constants.MAX_READ_BYTES_PER_CYCLE_HINT = _TLS_READ_BYTES

_READ_BUFFER_BYTES: Final = 1024  # to begin with; it doubles up to what a link needs


class Connection(WSProtocol):  # type: ignore[misc]  # it has no stubs
    """One connection, from TCP's handshake on.

    Args:
        greet: told of the request for an upgrade; answers with the link, or raises Refused.
        peer: where it comes from, for people to read.
        log: where a bug of ours is said.
    """

    def __init__(self, greet: "Greet", peer: str, log: FilteringBoundLogger) -> None:
        super().__init__(
            host_port=None,
            ws_path=None,
            is_client_side=False,
            ws_listener_factory=partial(_answer, self, greet),
            logger=_Reporter(log, self._end_link),
            disconnect_on_exception=True,
            websocket_handshake_timeout=None,  # `Acceptor` sees to it
            enable_auto_ping=False,  # and the hub to this
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,  # a ping is a sign of life, and links want to see those
            max_frame_size=wire.MAX_FRAME_BYTES,
            extra_headers=None,
            read_buffer_init_size=_READ_BUFFER_BYTES,
        )
        self.peer = peer
        self._log = log

    def greet(self, greet: "Greet", request: WSUpgradeRequest) -> Link:
        """The link that the request leads to.

        Raises:
            Refused: none; a bug of ours is told to our log, and to nobody else.
        """
        try:
            return greet(self, request)
        except Refused:
            raise
        except Exception:  # noqa: BLE001 - picows would show it to whoever is on the other end
            self._log.exception(log_events.LINK_CRASHED)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            raise Refused(status, "something is wrong with the server; try again") from None

    def _end_link(self) -> None:
        """Let the link, if it has come to that, know that it is over."""
        if isinstance(self.listener, Link):
            self.listener.on_violation()

    @property
    def certificate_pem(self) -> bytes | None:
        """The client's certificate, which TLS has verified; None without TLS."""
        tls = self.transport.underlying_transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(True)
        return None if der is None else ssl.DER_cert_to_PEM_cert(der).encode()


Greet = Callable[[Connection, WSUpgradeRequest], Link]


def _answer(connection: Connection, greet: Greet, request: WSUpgradeRequest) -> Any:
    """What picows sends back."""
    # A list of tokens (RFC 6455, 4.2.1), of which picows wants to see one.
    connection_header = request.headers.get("Connection", "").lower()
    if "upgrade" in (token.strip() for token in connection_header.split(",")):
        request.headers["Connection"] = "upgrade"
    try:
        link = connection.greet(greet, request)
    except Refused as refusal:
        response = WSUpgradeResponse.create_error_response(
            refusal.status, f"{refusal}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"}
        )
        return WSUpgradeResponseWithListener(response, None)
    headers = {}
    if wire.offers_offload(request.headers.get(wire.SUBPROTOCOL_HEADER)):
        headers[wire.SUBPROTOCOL_HEADER] = wire.OFFLOAD
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(headers), link)


class Acceptor:
    """The link port.

    Args:
        greet: see `Connection`.
        tls: asked for with each connection, since certificates are renewed; None is plain text.
        log: where what goes wrong is said.
        limits: how many may come at once, and how long they may take.
    """

    def __init__(
        self,
        greet: Greet,
        tls: Callable[[], ssl.SSLContext | None],
        log: FilteringBoundLogger,
        limits: Limits,
    ) -> None:
        self._greet = greet
        self._tls = tls
        self._log = log
        self._upgrade_timeout_s = limits.upgrade_timeout_s
        self._room = asyncio.Semaphore(limits.max_newcomers)
        self._newcomers: set[asyncio.Task[None]] = set()
        self.turned_away = 0  # connections that never got to ask for an upgrade

    async def serve(self, listener: socket.socket) -> None:
        """Accept whoever comes, until cancelled; then the listener and newcomers are closed."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            while True:
                await self._room.acquire()
                try:
                    accepted, address = await loop.sock_accept(listener)
                except OSError:  # no file descriptor is left, or the client has gone
                    self._room.release()
                    await asyncio.sleep(_OUT_OF_FILES_PAUSE_S)
                    continue
                newcomer = loop.create_task(self._receive(accepted, address))
                self._newcomers.add(newcomer)
                newcomer.add_done_callback(self._leave)
        finally:
            listener.close()
            for newcomer in self._newcomers:
                newcomer.cancel()
            if self._newcomers:
                await asyncio.wait(self._newcomers)

    def _leave(self, newcomer: "asyncio.Task[None]") -> None:
        self._newcomers.discard(newcomer)
        self._room.release()

    async def _receive(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        """See a connection through to its upgrade, or its end."""
        transport: asyncio.Transport | None = None
        is_through = False
        try:
            async with asyncio.timeout(self._upgrade_timeout_s):
                transport, connection = await self._connect(accepted, address)
                await connection.wait_until_handshake_complete()
            is_through = True
        except OSError:  # SSLError, no certificate of ours, and TimeoutError are among them
            self.turned_away += 1
        finally:
            if not is_through and transport is not None:
                transport.abort()
            elif not is_through:
                accepted.close()

    async def _connect(
        self, accepted: socket.socket, address: tuple[str, int]
    ) -> tuple[asyncio.Transport, Connection]:
        tls = self._tls()
        transport, protocol = await aiofastnet.connect_accepted_socket(
            asyncio.get_running_loop(),
            partial(Connection, self._greet, _as_text(*address[:2]), self._log),
            accepted,
            ssl=tls,
            ssl_shutdown_timeout=None if tls is None else _TLS_GOODBYE_S,
            ssl_incoming_bio_size=None if tls is None else _TLS_READ_BYTES,
            ssl_outgoing_bio_size=None if tls is None else _TLS_WRITE_BYTES,
        )
        # What Python makes of the certificate stays with the transport; nobody asks for it.
        (transport.get_extra_info("peercert") or {}).clear()
        return transport, protocol


def _as_text(host: str, port: int) -> str:
    """`192.0.2.9:51234`."""
    bare_host = host.removeprefix("::ffff:")  # IPv4 on a socket that takes both
    return host_port(bare_host, port)


class _Reporter:
    """What picows takes for a logger: the only way in which it says why it ends a connection.

    Args:
        log: where our own exceptions go, with their tracebacks.
        on_violation: told that the other end broke the protocol. picows says goodbye to it, but
            goes on reading for a moment, and would hand over what it refused.
    """

    def __init__(self, log: FilteringBoundLogger, on_violation: Callable[[], None]) -> None:
        self._log = log
        self._on_violation = on_violation

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - logging.Logger's name
        return False

    def ignore(self, *_: object) -> None:
        """Not for anybody's eyes: it may be a stranger's bytes."""

    log = debug = info = warning = ignore

    def error(self, *_: object) -> None:
        self._on_violation()

    def exception(self, message: str, *_: object) -> None:
        self._log.exception(log_events.LINK_CRASHED, message=message)
        self._on_violation()
