"""Which of a server's ports answers at an address: told apart by what a TLS handshake shows.

    port       speaks HTTP/2 (ALPN)   then, to a client without a certificate
    bootstrap  yes                    sends its settings
    control    yes                    ends the connection: a certificate is required
    link       no                     ends the connection: as above

Nothing but the handshake is sent. A server that is just stopping ends connections too, so a refusal
counts if a second handshake ends in the same way.
"""

import asyncio
import socket
import ssl
from enum import Enum
from typing import Final, NamedTuple

from nc.client.certificate_dates import HANDSHAKE_TIMEOUT_S, chain_of, unverified
from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT, DEFAULT_LINK_PORT
from nc.net.dial import dial

_FIRST_BYTE_TIMEOUT_S: Final = 2.0  # servers write theirs at once
_HTTP2: Final = "h2"
_REFUSED: Final = ("CERTIFICATE_REQUIRED", "UNEXPECTED_EOF")  # in the reason of an SSLError


class PortKind(Enum):
    """A port's name in sentences, and its usual number."""

    CONTROL = ("control port", DEFAULT_GRPC_PORT)
    BOOTSTRAP = ("bootstrap port", DEFAULT_BOOTSTRAP_PORT)
    LINK = ("link port", DEFAULT_LINK_PORT)


class Answer(NamedTuple):
    kind: PortKind | None  # None: it cannot be told
    chain: list[bytes]  # the certificates that are shown, DER, the server's own first; unverified


async def ask(host: str, port: int, proxy: str | None = None) -> Answer:
    """Connect without a certificate, and see what is there.

    Raises:
        OSError: there is no TLS handshake.
        UnicodeError: the host is no name.
    """
    answer = await _ask(host, port, proxy)
    if answer.kind in {PortKind.CONTROL, PortKind.LINK}:
        return await _ask(host, port, proxy)
    return answer


async def _ask(host: str, port: int, proxy: str | None) -> Answer:
    connected = await dial(host, port, HANDSHAKE_TIMEOUT_S, proxy)
    return await asyncio.to_thread(_look, connected, host)


def _look(connected: socket.socket, host: str) -> Answer:
    with unverified(connected, host) as connection:
        return Answer(_kind_of(connection), chain_of(connection))


async def other_port(host: str, port: int, expected: PortKind, proxy: str | None = None) -> str:
    """A sentence about another port of a server that answers there; "" for none, or in doubt."""
    try:
        return mistaken(port, (await ask(host, port, proxy)).kind, expected)
    except (OSError, ValueError):
        return ""


def mistaken(port: int, found: PortKind | None, expected: PortKind) -> str:
    """A sentence about a port that is not the expected one; "" if it is, or in doubt."""
    if found is None or found is expected:
        return ""
    name, _ = found.value
    wanted, number = expected.value
    return f"port {port} is the server's {name}; use its {wanted}, which is {number} by default"


def _kind_of(connection: ssl.SSLSocket) -> PortKind | None:
    is_http2 = connection.selected_alpn_protocol() == _HTTP2
    connection.settimeout(_FIRST_BYTE_TIMEOUT_S)
    try:
        is_welcome = bool(connection.recv(1))
    except ssl.SSLError as error:
        if not any(reason in (error.reason or "") for reason in _REFUSED):
            return None
        is_welcome = False
    except ConnectionResetError:
        is_welcome = False
    except OSError:  # a timeout is one
        return None
    if is_welcome:
        return PortKind.BOOTSTRAP if is_http2 else None
    return PortKind.CONTROL if is_http2 else PortKind.LINK
