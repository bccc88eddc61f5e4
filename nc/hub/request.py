"""The request for a link, read and checked before picows gets it (RFC 6455, 4.2.1).

picows answers a bad request with a piece of it, and takes WebSocket versions that it does not
speak. So the request's bytes are collected here; what picows would refuse is refused in words of
our own, and picows is handed the others, together with what came behind them.
"""

import asyncio
import socket
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from typing import Final

# picows' own checks: what passes here passes there.
from picows.picows import _parse_http_request, _validate_upgrade_request  # type: ignore[attr-defined]  # its stubs leave them out

from nc.hub.refusals import LinkRefused, Refusal
from nc.net import wire

MAX_REQUEST_BYTES: Final = 16 * 1024

_END: Final = b"\r\n\r\n"

# RFC 6455, 4.4: a server answers a version that it does not speak with those that it does.
VERSION: Final = "13"
_VERSION_HEADER: Final = "Sec-WebSocket-Version"

_NO_REQUEST: Final = (
    f"this is no request for a link; ask with GET {wire.PATH}, HTTP/1.1, Host, Upgrade: websocket, "
    f"Connection: Upgrade, {_VERSION_HEADER}: {VERSION} and a Sec-WebSocket-Key of 16 bytes"
)


class RequestReader(asyncio.BufferedProtocol):
    """Collects a connection's first bytes, up to the end of the request.

    Args:
        hand_over: gets the transport and all bytes, once they begin with a proper request.

    Attributes:
        done: they did; LinkRefused if not, ConnectionError without a whole request: then the
            connection is closed.
    """

    def __init__(self, hand_over: Callable[[asyncio.Transport, bytes], None]) -> None:
        self._hand_over = hand_over
        self._buffer = bytearray(MAX_REQUEST_BYTES)
        self._size = 0
        self._refusal: LinkRefused | None = None
        self._transport: asyncio.Transport
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # the one of a connection
        # picows does so, too, but later: a client may wait for our acknowledgement to go on.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return memoryview(self._buffer)[self._size :]

    def buffer_updated(self, nbytes: int) -> None:
        begin = max(self._size - len(_END) + 1, 0)
        self._size += nbytes
        end = self._buffer.find(_END, begin, self._size)
        if self._refusal is not None:
            self._size = 0  # what else it sends is of no interest
            return
        if end < 0 and self._size < MAX_REQUEST_BYTES:
            return
        try:
            check_request(bytes(self._buffer[:end]) if end >= 0 else b"")
        except LinkRefused as refusal:
            self._refuse(refusal)
        else:
            received = bytes(self._buffer[: self._size])
            self._hand_over(self._transport, received)
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(self._refusal or exc or ConnectionResetError())

    def _refuse(self, refusal: LinkRefused) -> None:
        self._refusal = refusal
        self._size = 0
        self._transport.write(answer(refusal))
        self._transport.close()

    def _finish(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
            self.done.exception()  # nobody may wait for it any more


def check_request(head: bytes) -> None:
    """Check that this is a request that a WebSocket server must take (RFC 6455, 4.2.1).

    Args:
        head: the request up to the empty line, without it.

    Raises:
        LinkRefused: 400 or, for another version of the protocol, 426; nothing of the request is in
            the text.
    """
    try:
        request = _parse_http_request(head)
        versions = request.headers.getall(_VERSION_HEADER, [])
        is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if is_upgrade and versions and versions != [VERSION]:
            raise LinkRefused(
                Refusal.WRONG_VERSION,
                HTTPStatus.UPGRADE_REQUIRED,
                f"this server speaks version {VERSION} of WebSocket alone (RFC 6455)",
                {_VERSION_HEADER: VERSION, "Upgrade": "websocket"},
            )
        if len(request.headers.getall("Host", [])) != 1:  # RFC 9112, 3.2
            raise ValueError("Host")  # noqa: TRY301 - see below
        accept_lists(request.headers)
        _validate_upgrade_request(request)
    except (RuntimeError, ValueError):
        raise LinkRefused(Refusal.BAD_REQUEST, HTTPStatus.BAD_REQUEST, _NO_REQUEST) from None


def accept_lists(headers: MutableMapping[str, str]) -> None:
    """Put `Connection: keep-alive, Upgrade` as the single word that picows wants."""
    tokens = headers.get("Connection", "").lower().split(",")
    if "upgrade" in (token.strip() for token in tokens):
        headers["Connection"] = "upgrade"


def answer(refusal: LinkRefused) -> bytes:
    """The whole HTTP answer to a request that is refused before picows has it."""
    body = f"{refusal}\n".encode()
    headers = {
        "Connection": "close",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
        **refusal.headers,
    }
    lines = [f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
