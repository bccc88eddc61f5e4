"""A connection that speaks just enough HTTP/2 to say what gRPC's own client would never say.

HTTP/2: RFC 9113. Header fields are sent as literals without indexing (RFC 7541, 6.2.2), so that
they may hold any byte.

    frame    length (3) | type (1) | flags (1) | stream (4) | payload
"""

import contextlib
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

from tests.support.server_process import LOOPBACK, PATIENCE_S, ServerProcess

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS = 1, 4
ACK = 1
INITIAL_WINDOW_SIZE = 4  # of SETTINGS

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


def headers(stream: int, path: bytes, flags: int = END_HEADERS, fields: Fields = ()) -> bytes:
    """The headers of a call."""
    standard = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )
    return frame(HEADERS, literals((*standard, *fields)), flags, stream)


def request(path: bytes, message: bytes = b"", fields: Fields = ()) -> bytes:
    """A whole call on stream 1: headers, then one message."""
    return PREFACE + frame(SETTINGS) + call(1, path, message, fields)


def call(stream: int, path: bytes, message: bytes = b"", fields: Fields = ()) -> bytes:
    """A whole call on a stream: headers, then one message."""
    data = b"\x00" + struct.pack(">I", len(message)) + message
    return headers(stream, path, fields=fields) + frame(DATA, data, END_STREAM, stream)


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


class Peer:
    """An open connection that is read frame by frame, and sends no more than it may."""

    def __init__(self, channel: socket.socket, settings: bytes = b"") -> None:
        self.socket = channel
        self.window = self.initial_window = 65535
        self.stream_windows: Counter[int] = Counter()  # beyond the initial one
        self._received = b""
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as gRPC's own clients do
        channel.sendall(PREFACE + frame(SETTINGS, settings))

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """The frames that come: kind, flags, stream, payload; settings are acknowledged."""
        while part := self.socket.recv(65536):
            self._received += part
            while len(self._received) >= 9 and len(self._received) >= (end := self._end()):
                kind, flags, stream = struct.unpack(">BBI", self._received[3:9])
                payload, self._received = self._received[9:end], self._received[end:]
                self._note(kind, flags, stream, payload)
                yield kind, flags, stream, payload

    def _end(self) -> int:
        return 9 + int.from_bytes(self._received[:3])

    def _note(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            (more,) = struct.unpack(">I", payload)
            if stream:
                self.stream_windows[stream] += more
            else:
                self.window += more
        elif kind == SETTINGS and not flags & ACK:
            for key, value in struct.iter_unpack(">HI", payload):
                if key == INITIAL_WINDOW_SIZE:
                    self.initial_window = value
            self.socket.sendall(frame(SETTINGS, flags=ACK))

    def end_of(self, stream: int) -> bytes:
        """Read until the server has ended a stream; its header fields, as they came."""
        fields = b""
        for kind, flags, of, payload in self.frames():
            if of == stream and kind == HEADERS:
                fields += payload
                if flags & END_STREAM:
                    break
        return fields

    def stuff(self, streams: Iterable[int], body_bytes: int) -> int:
        """Send of a body on each stream what the server takes; returns how much it took in all.

        The last byte of a body is never sent.
        """
        prefix = b"\0" + struct.pack(">I", body_bytes)
        sent = dict.fromkeys(streams, 0)
        self.socket.settimeout(0.5)  # no frame for so long: no more is taken
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in self.frames():
                for stream in sent:
                    room = self.initial_window + self.stream_windows[stream] - sent[stream]
                    room = min(room, self.window, 16_384, body_bytes + 4 - sent[stream])
                    if room > 0:
                        start = b"" if sent[stream] else prefix
                        self.socket.sendall(frame(DATA, (start + bytes(room))[:room], 0, stream))
                        sent[stream] += room
                        self.window -= room
        return sum(sent.values())
