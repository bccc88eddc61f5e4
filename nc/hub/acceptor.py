"""The acceptor: accepts TCP, does TLS and the WebSocket upgrade, enforces time limits.

picows speaks WebSocket. Its own `ws_create_server` decides about an upgrade without knowing the
connection, and so the certificate; and it lets any number of connections begin. So connections are
accepted here, and picows' protocol object is made here.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from email.utils import formatdate
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
from nc.hub.admission import LinkRefused
from nc.hub.limits import Limits
from nc.hub.session import Session
from nc.net import wire
from nc.text import host_port

# How long TLS may take to close.
_TLS_SHUTDOWN_S: Final = 1.0

# With no file descriptor left, how long until the next try.
_OUT_OF_FILES_PAUSE_S: Final = 0.1

# TLS buffers, in and out: a record, and the largest frame. aiofastnet's own choice is 264 KiB each,
# all of which a link that was busy once would keep.
_TLS_RECORD_BYTES: Final = 16 * 1024 + 64
_TLS_READ_BYTES: Final = _TLS_RECORD_BYTES
_TLS_WRITE_BYTES: Final = 5 * _TLS_RECORD_BYTES

# How much is read from one link in one turn of the event loop: more than two hundred small packets,
# a millisecond's work. aiofastnet has no other way to set it.
aiofastnet.constants.MAX_READ_BYTES_PER_CYCLE_HINT = _TLS_READ_BYTES

_READ_BUFFER_BYTES: Final = 1024  # to begin with; it doubles up to what a link needs


class AcceptedConnection(WSProtocol):  # type: ignore[misc]  # it has no stubs
    """One connection, from TCP's handshake on.

    Args:
        upgrade: makes the session for a request, or raises LinkRefused.
        peer: the other end's address and port, for people to read.
        log: gets the traceback of a bug of ours.
        addresses: where this server is reached.
    """

    def __init__(
        self,
        upgrade: "Upgrade",
        peer: str,
        log: FilteringBoundLogger,
        addresses: tuple[wire.Address, ...] = (),
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
        self.addresses = addresses
        self._log = log

    def upgrade(self, upgrade: "Upgrade", request: WSUpgradeRequest) -> Session:
        """The session for a request.

        Raises:
            LinkRefused: there is none; a bug of ours goes to the log, and the client gets a 500.
        """
        try:
            return upgrade(self, request)
        except LinkRefused:
            raise
        except Exception:  # noqa: BLE001 - picows would send its text to the client
            self._log.exception(log_events.LINK_CRASHED)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            text = "something is wrong with the server: its log has the reason; try again"
            raise LinkRefused(status, text) from None

    def _on_violation(self) -> None:
        if isinstance(self.listener, Session):
            self.listener.on_violation()

    @property
    def certificate_pem(self) -> bytes | None:
        """The client's certificate, which TLS has verified; None without TLS."""
        tls = self.transport.underlying_transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(True)
        return None if der is None else ssl.DER_cert_to_PEM_cert(der).encode()


Upgrade = Callable[[AcceptedConnection, WSUpgradeRequest], Session]


def _answer(connection: AcceptedConnection, upgrade: Upgrade, request: WSUpgradeRequest) -> Any:
    """The HTTP response that picows sends, and the session behind it."""
    # A list of tokens (RFC 6455, 4.2.1), where picows accepts a single one.
    connection_header = request.headers.get("Connection", "").lower()
    if "upgrade" in (token.strip() for token in connection_header.split(",")):
        request.headers["Connection"] = "upgrade"
    try:
        link = connection.upgrade(upgrade, request)
    except LinkRefused as refusal:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if refusal.now_s is not None:  # the client's clock may be what is wrong
            headers["Date"] = formatdate(refusal.now_s, usegmt=True)
        response = WSUpgradeResponse.create_error_response(
            refusal.status, f"{refusal}\n".encode(), headers
        )
        return WSUpgradeResponseWithListener(response, None)
    headers = {}
    if wire.offers_offload(request.headers.get(wire.SUBPROTOCOL_HEADER)):
        headers[wire.SUBPROTOCOL_HEADER] = wire.OFFLOAD
        headers[wire.ADDRESSES_HEADER] = wire.addresses_text(connection.addresses)
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(headers), link)


class Acceptor:
    """Accepts connections on the link port.

    Args:
        upgrade: see `AcceptedConnection`.
        tls: gives the context for a new connection; None for plain text.

    Attributes:
        newcomers: the connections that are not upgraded yet, as tasks.
        rejected: how many connections ended before the upgrade.
        addresses: where this server is reached, for agents.
    """

    def __init__(
        self,
        upgrade: Upgrade,
        tls: Callable[[], ssl.SSLContext | None],
        log: FilteringBoundLogger,
        limits: Limits,
    ) -> None:
        self._upgrade = upgrade
        self._tls = tls
        self._log = log
        self._upgrade_timeout_s = limits.upgrade_timeout_s
        self._free_places = asyncio.Semaphore(limits.max_newcomers)
        self.newcomers: set[asyncio.Task[None]] = set()
        self.rejected = 0
        self.addresses: tuple[wire.Address, ...] = ()

    async def serve(self, listener: socket.socket) -> None:
        """Accept until cancelled; then close the listener and all newcomers."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            while True:
                await self._free_places.acquire()
                try:
                    accepted, address = await loop.sock_accept(listener)
                except OSError:  # no file descriptor is left, or the client has closed
                    self._free_places.release()
                    await asyncio.sleep(_OUT_OF_FILES_PAUSE_S)
                    continue
                newcomer = loop.create_task(self._receive(accepted, address))
                self.newcomers.add(newcomer)
                newcomer.add_done_callback(self._forget)
        finally:
            listener.close()
            for newcomer in self.newcomers:
                newcomer.cancel()
            if self.newcomers:
                await asyncio.wait(self.newcomers)

    def _forget(self, newcomer: "asyncio.Task[None]") -> None:
        self.newcomers.discard(newcomer)
        self._free_places.release()

    async def _receive(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        """Bring a connection to its upgrade, or close it."""
        transport: asyncio.Transport | None = None
        is_through = False
        try:
            async with asyncio.timeout(self._upgrade_timeout_s):
                transport, connection = await self._connect(accepted, address)
                await connection.wait_until_handshake_complete()
            is_through = True
        except OSError:  # SSLError, no certificate of ours, and TimeoutError are among them
            self.rejected += 1
        finally:
            if not is_through and transport is not None:
                transport.abort()
            elif not is_through:
                accepted.close()

    async def _connect(
        self, accepted: socket.socket, address: tuple[str, int]
    ) -> tuple[asyncio.Transport, AcceptedConnection]:
        tls = self._tls()
        transport, protocol = await aiofastnet.connect_accepted_socket(
            asyncio.get_running_loop(),
            partial(
                AcceptedConnection,
                self._upgrade,
                _as_text(*address[:2]),
                self._log,
                self.addresses,
            ),
            accepted,
            ssl=tls,
            ssl_shutdown_timeout=None if tls is None else _TLS_SHUTDOWN_S,
            ssl_incoming_bio_size=None if tls is None else _TLS_READ_BYTES,
            ssl_outgoing_bio_size=None if tls is None else _TLS_WRITE_BYTES,
        )
        # The transport would keep Python's parsed copy of the certificate, which nothing reads.
        (transport.get_extra_info("peercert") or {}).clear()
        return transport, protocol


def _as_text(host: str, port: int) -> str:
    """`192.0.2.9:51234`."""
    bare_host = host.removeprefix("::ffff:")  # IPv4 on a socket that takes both
    return host_port(bare_host, port)


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
