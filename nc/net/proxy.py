"""A TCP connection to a server, directly or through an HTTP proxy (CONNECT, RFC 9110, 9.3.6)."""

import base64
import socket
from typing import Final
from urllib.parse import unquote, urlsplit

from nc.text import host_port

_MAX_HEAD_BYTES: Final = 16 * 1024


class ProxyRefused(OSError):
    """The proxy does not connect to the server."""

    def __init__(self, answer: str) -> None:
        super().__init__(f"the proxy answers {answer}")


def dial(host: str, port: int, timeout_s: float, proxy: str | None = None) -> socket.socket:
    """A connected socket.

    The proxy's URL is `http://[NAME:PASSWORD@]HOST:PORT`; None connects directly.

    Raises:
        OSError: there is no connection.
    """
    if proxy is None:
        return socket.create_connection((host, port), timeout_s)
    url = urlsplit(proxy)
    connection = socket.create_connection((url.hostname, url.port or 80), timeout_s)
    try:
        connection.sendall(_request(host_port(host, port), url.username, url.password))
        _require_tunnel(_head(connection))
    except BaseException:
        connection.close()
        raise
    return connection


def _require_tunnel(head: str) -> None:
    status, _, _ = head.partition("\r\n")
    if status.split(" ")[1:2] != ["200"]:
        raise ProxyRefused(repr(status[:100]))


def _request(target: str, name: str | None, password: str | None) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if name is not None:
        secret = f"{unquote(name)}:{unquote(password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(secret).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


def _head(connection: socket.socket) -> str:
    """The answer's head, byte by byte: what follows it is the server's."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte or len(head) == _MAX_HEAD_BYTES:
            raise ProxyRefused("no HTTP")
        head += byte
    return head.decode("latin-1")
