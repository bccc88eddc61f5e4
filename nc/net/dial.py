"""Connects to a server: to the first of its addresses that answers, or through an HTTP proxy.

An address that swallows packets must not hide one that works: the next is tried beside it after a
short delay, families in turn (RFC 8305, "happy eyeballs"). A proxy is asked to connect (CONNECT,
RFC 9110, 9.3.6). The link does the same by way of its library, with this delay, and gRPC does it
by itself, with the same.
"""

import asyncio
import base64
import socket
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from nc.text import host_port

ATTEMPT_DELAY_S: Final = 0.25  # RFC 8305, 5

_MAX_HEAD_BYTES: Final = 16 * 1024

AddressInfo = tuple[int, int, int, str, Any]  # as `getaddrinfo` gives it


class ProxyRefused(OSError):
    """The proxy does not connect to the server."""

    def __init__(self, answer: str) -> None:
        super().__init__(f"the proxy answers {answer}")


async def dial(host: str, port: int, timeout_s: float, proxy: str | None = None) -> socket.socket:
    """A connected socket, not blocking.

    The proxy's URL is `http://[NAME:PASSWORD@]HOST:PORT`; None connects directly.

    Raises:
        OSError: no address answers, or not in time; the last one's reason.
        ProxyRefused: the proxy does not connect to the server.
        UnicodeError: the host is no name.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if proxy is None:
                return await _dial_directly(host, port)
            return await _dial_through(proxy, host_port(host, port))
    except TimeoutError:
        raise TimeoutError("timed out") from None


async def _dial_directly(host: str, port: int) -> socket.socket:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await _first_connected(in_turn(found))


async def _dial_through(proxy: str, target: str) -> socket.socket:
    url = urlsplit(proxy)
    connection = await _dial_directly(url.hostname or "", url.port or 80)
    try:
        request = _connect_request(target, url.username, url.password)
        await asyncio.get_running_loop().sock_sendall(connection, request)
        status, _, _ = (await _head(connection)).partition("\r\n")
        if status.split(" ")[1:2] != ["200"]:
            raise ProxyRefused(repr(status[:100]))  # noqa: TRY301 - the connection is closed below
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_request(target: str, name: str | None, password: str | None) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if name is not None:
        secret = f"{unquote(name)}:{unquote(password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(secret).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _head(connection: socket.socket) -> str:
    """The answer's head, byte by byte: what follows it is the server's."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = await asyncio.get_running_loop().sock_recv(connection, 1)
        if not byte or len(head) == _MAX_HEAD_BYTES:
            raise ProxyRefused("no HTTP")
        head += byte
    return head.decode("latin-1")


def in_turn(found: "Sequence[AddressInfo]") -> "list[AddressInfo]":
    """The addresses with their families in turn, the family of the first one first."""
    first = [info for info in found if info[0] == found[0][0]]
    second = [info for info in found if info[0] != found[0][0]]
    return [info for info in chain(*zip_longest(first, second)) if info is not None]


async def _first_connected(addresses: "list[AddressInfo]") -> socket.socket:
    waiting = list(addresses)
    attempts: set[asyncio.Task[socket.socket]] = set()
    last_error: BaseException = OSError("the name has no address")
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(connect_to(waiting.pop(0))))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=ATTEMPT_DELAY_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            connected = [attempt.result() for attempt in done if attempt.exception() is None]
            for beaten in connected[1:]:
                beaten.close()
            if connected:
                return connected[0]
            for attempt in done:
                last_error = attempt.exception() or last_error
        raise last_error
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close)


def _close(attempt: "asyncio.Task[socket.socket]") -> None:
    """A connection that came too late."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def connect_to(info: AddressInfo) -> socket.socket:
    family, kind, protocol, _, address = info
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
