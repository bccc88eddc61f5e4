"""A node client that does exactly what the link's contract says, by itself.

It speaks WebSocket over a bare socket (RFC 6455) with nothing of ours and no library: what a client
in the field relies on is tested against what it would do. Tests can also let it misbehave.
"""

import asyncio
import base64
import hashlib
import json
import os
import ssl
import struct
import tempfile
from pathlib import Path
from typing import NamedTuple, Self

from tests.support.plain_packets import ip_packet

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HELLO = b'{"connectionState":2,"payload":null}'
PATIENCE_S = 60.0
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Frame(NamedTuple):
    opcode: int
    payload: bytes


class NoUpgrade(Exception):
    """The server answered something else than 101."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body
        super().__init__(f"{status}: {body}")


class Closed(Exception):
    """The link is over; 1006 without a close frame."""

    def __init__(self, code: int, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")


class Identity(NamedTuple):
    """What a node shows, and whom it trusts; PEM."""

    ca: str
    key: str
    certificate: str

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.ca)
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
            key.write_text(self.key)
            certificate.write_text(self.certificate)
            context.load_cert_chain(certificate, key)
        return context


def frame(opcode: int, payload: bytes, *, first: int = 0x80, mask: bytes | None = b"abcd") -> bytes:
    """The bytes of a frame; `first` holds FIN and the reserved bits."""
    size, masked = len(payload), 0 if mask is None else 0x80
    if size < 126:
        head = struct.pack("!BB", first | opcode, masked | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first | opcode, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first | opcode, masked | 127, size)
    if mask is None:
        return head + payload
    repeated = (mask * (size // 4 + 1))[:size]
    number = int.from_bytes(payload) ^ int.from_bytes(repeated)
    return head + mask + number.to_bytes(size)


class LinkClient:
    """A client's end; `async with` closes the socket, without a word, at the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.protocol = ""  # the subprotocol that was agreed upon

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.vanish()

    @classmethod
    async def reach(
        cls, port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> "LinkClient":
        async with asyncio.timeout(PATIENCE_S):
            return cls(*await asyncio.open_connection(host, port, ssl=tls))

    @classmethod
    async def connect(
        cls, port: int, token: str | None, tls: ssl.SSLContext | None = None, **headers: str
    ) -> "LinkClient":
        """A connection that is upgraded.

        Raises:
            NoUpgrade: with the server's answer.
        """
        client = await cls.reach(port, tls)
        try:
            await client.upgrade(token, **headers)
        except BaseException:
            await client.vanish()
            raise
        return client

    @property
    def server_certificate_der(self) -> bytes:
        """What the server showed; TLS only."""
        der: bytes = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return der

    async def upgrade(self, token: str | None, path: str = "/ws", **headers: str) -> None:
        """Ask for it, and see that the answer is one to this question."""
        key = base64.b64encode(os.urandom(16))
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: server",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key.decode()}",
            *([] if token is None else [f"node-token: {token}"]),
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        self.send_raw("\r\n".join([*lines, "", ""]).encode())
        status, answer, body = await self.http_answer()
        if status != 101:
            raise NoUpgrade(status, body)
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
        assert answer["sec-websocket-accept"] == accept.decode()
        self.protocol = answer.get("sec-websocket-protocol", "")

    async def http_answer(self) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case, and body."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            answer = {name.lower(): value for name, value in headers.items()}
            body = await self._reader.readexactly(int(answer.get("content-length", "0")))
        return int(head[0].split()[1]), answer, body.decode()

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send a frame; Text, as existing clients do."""
        self.send_raw(frame(opcode, payload))

    async def drain(self) -> None:
        """Wait until what was sent has left."""
        await self._writer.drain()

    async def receive(self) -> Frame:
        """The next frame, whatever it is.

        Raises:
            Closed: the connection has ended.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                first, size = await self._reader.readexactly(2)
                assert first & 0x70 == 0, "reserved bits"
                assert size & 0x80 == 0, "a server masks nothing"
                if size == 126:
                    (size,) = struct.unpack("!H", await self._reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
                return Frame(first & 0x0F, await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            raise Closed(1006) from None

    async def packet(self) -> bytes:
        """The next packet; pings are answered on the way, other Text or Binary is a packet.

        Raises:
            Closed: the server closed the link, with its code and reason.
        """
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                self.send(payload[:2], CLOSE)
                raise Closed(int.from_bytes(payload[:2]), payload[2:].decode())
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode in {TEXT, BINARY}:
                return payload

    async def hand_shake(self) -> str:
        """Say hello; returns the address and prefix length, `10.1.1.3/24`."""
        self.send(HELLO)
        opcode, payload = await self.receive()
        if opcode == CLOSE:
            raise Closed(int.from_bytes(payload[:2]), payload[2:].decode())
        assert opcode == TEXT, payload
        answer = json.loads(payload)
        assert (
            payload == json.dumps(answer, separators=(",", ":")).encode()
        )  # as it is in the field
        assert list(answer) == ["connectionState", "payload"]
        assert answer["connectionState"] == 2
        return base64.b64decode(answer["payload"], validate=True).decode()

    async def end(self) -> Closed:
        """How the server closes the link, whatever it sends before."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    await self.packet()
            except Closed as closed:
                return closed

    @classmethod
    async def refusal(cls, port: int, token: str | None, tls: ssl.SSLContext | None) -> Closed:
        """How a link is refused: it is upgraded, and closed before anything else is read."""
        client = await cls.connect(port, token, tls)
        try:
            return await client.end()
        finally:
            await client.vanish()

    async def vanish(self) -> None:
        """End the connection without a word."""
        self._writer.transport.abort()
        await asyncio.sleep(0)


def packet(source: str, destination: str, payload: bytes = b"", options: bytes = b"") -> bytes:
    """An IPv4 packet that carries UDP's protocol number and these bytes."""
    return ip_packet(source, destination, 17, payload, options=options)
