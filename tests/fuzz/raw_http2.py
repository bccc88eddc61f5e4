"""A connection that speaks just enough HTTP/2 to say what gRPC's own client would never say.

HTTP/2: RFC 9113. Header fields are sent as literals without indexing (RFC 7541, 6.2.2), so that
they may hold any byte.

    frame    length (3) | type (1) | flags (1) | stream (4) | payload
"""

import socket
import ssl
import struct
from collections.abc import Iterable
from contextlib import AbstractContextManager

from tests.support.server_process import LOOPBACK, PATIENCE_S, ServerProcess

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS = 1, 4
ACK = 1

Fields = Iterable[tuple[bytes, bytes]]


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _integer(number: int, prefix_bits: int) -> bytes:
    """RFC 7541, 5.1."""
    limit = (1 << prefix_bits) - 1
    if number < limit:
        return bytes([number])
    data = bytearray([limit])
    number -= limit
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def string(value: bytes) -> bytes:
    """A name or a value, not compressed (RFC 7541, 5.2)."""
    return _integer(len(value), 7) + value


def literals(fields: Fields) -> bytes:
    """Header fields, as they are."""
    return b"".join(b"\x00" + string(name) + string(value) for name, value in fields)


def request(path: bytes, message: bytes = b"", fields: Fields = ()) -> bytes:
    """A whole call on stream 1: headers, then one message."""
    return PREFACE + frame(SETTINGS) + call(1, path, message, fields)


def call(stream: int, path: bytes, message: bytes = b"", fields: Fields = ()) -> bytes:
    """A whole call on a stream: headers, then one message."""
    headers = literals(
        [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path),
            (b":authority", b"localhost"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            *fields,
        ]
    )
    data = b"\x00" + struct.pack(">I", len(message)) + message
    return frame(HEADERS, headers, END_HEADERS, stream) + frame(DATA, data, END_STREAM, stream)


def connect(
    server: ServerProcess, port: int, *, alpn: str = "h2", plaintext: bool, certificate: bool
) -> socket.socket:
    """A TCP connection, with TLS on it unless the server has none."""
    raw = socket.create_connection((LOOPBACK, port), timeout=PATIENCE_S)
    if plaintext:
        return raw
    pki = server.data_dir / "pki" / "grpc"
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.set_alpn_protocols([alpn])
    if certificate:
        context.load_cert_chain(pki / "client.pem", pki / "client-key.pem")
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def converse(connection: AbstractContextManager[socket.socket], data: bytes) -> bytes:
    """Send, say that no more comes, and read until the server hangs up; fails if it never does."""
    received = bytearray()
    with connection as channel:
        try:
            channel.sendall(data)
            channel.shutdown(socket.SHUT_WR)
            while part := channel.recv(65536):
                received += part
        except TimeoutError:  # it never hung up
            raise
        except OSError:  # it hung up first
            pass
    return bytes(received)


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Send one call, and read until the server has ended stream 1 or the connection."""
    received = bytearray()
    with connection:
        connection.sendall(data)
        while not _has_ended(received) and (part := connection.recv(65536)):
            received += part
    return bytes(received)


def _has_ended(received: bytearray) -> bool:
    at = 0
    while at + 9 <= len(received):
        size = int.from_bytes(received[at : at + 3])
        kind, flags, stream = struct.unpack(">BBI", received[at + 3 : at + 9])
        ends = flags & END_STREAM and kind in {DATA, HEADERS}
        if (stream == 1 and (ends or kind == RST_STREAM)) or kind == GOAWAY:
            return at + 9 + size <= len(received)
        at += 9 + size
    return False
