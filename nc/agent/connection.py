"""A node's end of one link: from the TLS handshake to the moment at which it ends, and why.

    connect ──▶ TLS ──▶ upgrade ──▶ hello ──▶ address ──▶ frames both ways ──▶ ended

Why a link ended, or never came about, is one of few kinds, since what a node does next depends on
nothing else: try again, try again later, or give up.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Interface
from typing import Any, Final

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from nc.client.connection_errors import in_words
from nc.net import wire
from nc.net.wire import CloseCode, HandshakeError
from nc.pki.names import NOT_ITS_NAME
from nc.text import host_port

# From the first TCP packet to the node's address.
CONNECT_TIMEOUT_S: Final = 15.0

# The upgrade's share of that. picows watches it, and closes the connection when it is over, which
# giving up on picows does not: so its time should be over before the whole.
_UPGRADE_SHARE: Final = 1 / 3

PING_INTERVAL_S: Final = 30.0  # LiteKube link reference
SILENCE_LIMIT_S: Final = 60.0

# What may wait to be sent before the TUN device is left alone: a few super-packets.
WRITE_BUFFER_BYTES: Final = 256 * 1024

# How long the other side may take to answer our farewell.
_FAREWELL_S: Final = 1.0

_GIVEN_UP: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class LinkEnded(Exception):
    """There is no link, or none any more; the text says why. Trying again may well succeed."""


class RetryLater(LinkEnded):
    """The server knows us and wants no link now: expired, or taken over by another machine."""


class UntrustedServer(LinkEnded):
    """Whoever answers has no certificate from our network's CA."""


class NodeRejected(LinkEnded):
    """The server does not know this node any more; trying again is in vain."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to connect to, and as whom. `tls` is None for plain text."""

    host: str
    port: int
    token: str
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"Target({self})"

    def __str__(self) -> str:
        return host_port(self.host, self.port)


Deliver = Callable[[memoryview, bool], None]  # a frame, and whether it begins with a vnet header


class HubConnection(WSListener):
    """One link, as picows' listener; made by `connect`.

    Attributes:
        interface: the node's address and network, once `connect` has returned.
        offload: whether the server speaks the offload subprotocol.
        deliver: gets every packet; packets that come before it is set are dropped.
        writable: told whether the server takes more.
        ended: why, once it has ended.
    """

    interface: IPv4Interface

    def __init__(self, ping_interval_s: float, silence_limit_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.offload = False
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
        self._reason: LinkEnded | None = None

    @property
    def server_address(self) -> str:
        """The IP address that the link goes to."""
        peer = self._transport.underlying_transport.get_extra_info("peername")
        return str(peer[0]).removeprefix("::ffff:")

    def send(self, frame: bytes) -> None:
        """Send a frame: a packet, behind its vnet header if the link offloads."""
        self._transport.send(self._kind, frame)

    async def close(self) -> None:
        """End it, if it has not ended: say goodbye, and see the connection closed."""
        self._reason = self._reason or LinkEnded("closed by this node")
        if not self.ended.done():
            self._transport.send_close(WSCloseCode.OK, b"")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await asyncio.shield(self.ended)
        self._transport.disconnect(False)

    def hang_up(self, reason: str) -> None:
        """End it at once, for a reason of our own."""
        self._reason = self._reason or LinkEnded(reason)
        self._transport.disconnect(False)

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done: say hello."""
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        headers = transport.response.headers
        if headers.get(wire.SUBPROTOCOL_HEADER) == wire.OFFLOAD:
            self.offload, self._kind = True, WSMsgType.BINARY
        transport.send(WSMsgType.TEXT, wire.hello())
        self._timer = self._loop.call_later(self._ping_interval_s, self._ping)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame has come, whole."""
        self._heard_at_s = self._loop.time()
        kind = frame.msg_type
        if kind is WSMsgType.BINARY or kind is WSMsgType.TEXT:
            if not self.greeted.done():
                self._read_answer(frame.get_payload_as_bytes())
            elif self.deliver is not None:
                has_header = self.offload and kind is WSMsgType.BINARY
                self.deliver(frame.get_payload_as_memoryview(), has_header)
        elif kind is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            self._reason = self._reason or _closed(frame)
            transport.send_close(WSCloseCode.OK, b"")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone."""
        del transport
        if self._timer is not None:
            self._timer.cancel()
        reason = self._reason or LinkEnded("the connection was cut")
        if not self.greeted.done():
            self.greeted.set_exception(reason)
            self.greeted.exception()  # `connect` may have given up before
        if not self.ended.done():
            self.ended.set_result(reason)

    def pause_writing(self) -> None:
        """The server takes no more just now."""
        if self.writable is not None:
            self.writable(False)

    def resume_writing(self) -> None:
        """It does again."""
        if self.writable is not None:
            self.writable(True)

    def _read_answer(self, payload: bytes) -> None:
        try:
            self.interface = wire.read_answer(payload)
        except HandshakeError as error:
            self.hang_up(str(error))
        else:
            self.greeted.set_result(self.interface)

    def _ping(self) -> None:
        """Ping; give up what has been silent for too long, neither sooner nor at the next ping."""
        silent_s = self._loop.time() - self._heard_at_s
        if silent_s >= self._silence_limit_s:
            self.hang_up(f"nothing was heard for {self._silence_limit_s:g} s")
            return
        self._transport.send_ping()
        wait_s = min(self._ping_interval_s, self._silence_limit_s - silent_s)
        self._timer = self._loop.call_later(wait_s, self._ping)


async def connect(
    target: Target,
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
    ping_interval_s: float = PING_INTERVAL_S,
    silence_limit_s: float = SILENCE_LIMIT_S,
) -> HubConnection:
    """Open a link, up to the address that the server hands over.

    Raises:
        LinkEnded: one of its kinds.
    """
    end = HubConnection(ping_interval_s, silence_limit_s)
    opening = ws_connect(
        lambda: end,
        f"{'ws' if target.tls is None else 'wss'}://{target}{wire.PATH}",
        ssl_context=target.tls,
        websocket_handshake_timeout=timeout_s * _UPGRADE_SHARE,
        enable_auto_pong=False,  # a ping is a sign of life, and we want to see those
        max_frame_size=wire.MAX_FRAME_BYTES,
        max_redirects=0,  # the token goes nowhere else
        logger_name="nowhere",
        extra_headers={
            wire.TOKEN_HEADER: target.token,
            wire.SUBPROTOCOL_HEADER: wire.OFFLOAD,
        },
    )
    transport: WSTransport | None = None
    try:
        async with asyncio.timeout(timeout_s):
            transport, _ = await opening
            if transport.is_disconnected and not end.greeted.done():
                raise ConnectionResetError
            await end.greeted
    except LinkEnded:
        raise
    except (OSError, WSError, ValueError, asyncio.CancelledError) as error:  # a name that is none
        if transport is not None:
            transport.disconnect(False)
        if isinstance(error, asyncio.CancelledError):
            raise
        raise _failed(error, target) from None
    return end


def _closed(frame: WSFrame) -> LinkEnded:
    """What the server's close frame says of the reason."""
    code, text = int(frame.get_close_code().value), frame.get_close_message() or b""
    reason = text.decode("utf-8", "replace")
    sentence = f"the server closed the link: {reason or 'no reason given'} (code {code})"
    if code != CloseCode.POLICY:
        return LinkEnded(sentence)
    if reason == wire.UNREGISTERED.reason:
        return NodeRejected(sentence)
    is_later = reason in {wire.EXPIRED.reason, wire.SUPERSEDED.reason}
    return RetryLater(sentence) if is_later else LinkEnded(sentence)


def _failed(error: Exception, target: Target) -> LinkEnded:
    """Why a link never came about."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in NOT_ITS_NAME:
        return UntrustedServer(
            f"the server's certificate is not for {target.host} ({error.verify_message}); the "
            "server must know what it is called (network-controller serve --advertise)"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return UntrustedServer(
            f"the server's certificate is not trusted: {error.verify_message}; either its CA was "
            "replaced, and this machine must join again, or this is not our server"
        )
    if isinstance(error, ConnectionResetError):  # most often over TLS, which one side has not
        wanted = "want" if target.tls is None else "speak"
        return LinkEnded(f"the handshake was cut short (does the server {wanted} TLS?)")
    if isinstance(error, TimeoutError):
        return LinkEnded("the server did not answer in time")
    if isinstance(error, WSHandshakeError) and error.response is not None:
        return _refused(error)
    return LinkEnded(f"no connection: {in_words(error)}")


def _refused(error: Any) -> LinkEnded:
    """An answer that is no upgrade: its status, and the first line of what came with it."""
    status = int(error.response.status)
    lines = (error.raw_body or b"").decode("utf-8", "replace").splitlines()
    said = json.dumps(lines[0])[1:-1][:300] if lines else "no reason given"
    sentence = f"the server refuses this node: {said} (HTTP {status})"
    if said.startswith(wire.EXPIRED.reason):
        return RetryLater(sentence)
    return NodeRejected(sentence) if status in _GIVEN_UP else LinkEnded(sentence)
