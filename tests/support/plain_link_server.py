"""A server that speaks the link's protocol as LiteKube's does, and nothing better.

Written from the protocol's description alone, without our code: WebSocket by hand (RFC 6455), the
handshake as bytes, every packet a Text frame. Frames go to whoever holds the destination address.
As a program it does so for whoever connects: `python plain_link_server.py PORT CERTIFICATES`.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import ssl
import struct
import sys
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LONG, LONGER = 126, 127


@dataclass
class PlainLink:
    """One connection, on the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    headers: dict[str, str] = field(default_factory=dict)
    frames: "asyncio.Queue[tuple[int, bytes]]" = field(default_factory=asyncio.Queue)

    async def upgrade(self, refusal: tuple[int, str] | None, location: str) -> bool:
        """Read the request and answer it; `location` is where a redirection leads."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        request, *lines = head.decode("latin-1").split("\r\n")
        assert request == "GET /ws HTTP/1.1", request
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        if refusal is not None:
            status, text = refusal
            body = text.encode()
            self.writer.write(
                b"HTTP/1.1 %d No\r\nLocation: %b\r\nDate: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (status, location.encode(), formatdate(usegmt=True).encode(), len(body), body)
            )
            await self.writer.drain()
            return False
        key = self.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        self.writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        return True

    async def read_frame(self) -> tuple[int, bytes]:
        """One frame: its opcode, and its payload without the mask."""
        first, second = await self.reader.readexactly(2)
        assert first & 0xF0 == 0x80, "one message is one frame, without extensions"
        assert second & 0x80, "a client masks its frames (RFC 6455, 5.3)"
        size = second & 0x7F
        if size == LONG:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == LONGER:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        mask = await self.reader.readexactly(4)
        masked = await self.reader.readexactly(size)
        stream = (mask * (size // 4 + 1))[:size]
        number = int.from_bytes(masked, "big") ^ int.from_bytes(stream, "big")
        return first & 0x0F, number.to_bytes(size, "big")

    def send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < LONG:
            head = bytes([0x80 | opcode, size])
        elif size < 1 << 16:
            head = bytes([0x80 | opcode, LONG]) + struct.pack("!H", size)
        else:
            head = bytes([0x80 | opcode, LONGER]) + struct.pack("!Q", size)
        self.writer.write(head + payload)

    def close(self, code: int, reason: str) -> None:
        self.send(CLOSE, struct.pack("!H", code) + reason.encode())


class PlainLinkServer:
    """Accepts links on a port of the loopback interface, or of all; open within `async with`.

    Attributes:
        refusal: answer this status and text instead of upgrading.
        close: answer the first frame by this close frame, and keep TCP open, as upstream does.
        hands_over: every node this address and prefix, instead of one in 10.1.1.0/24.
        is_mute: neither pong nor answer anything.
        requests: how many connections asked for an upgrade.
        links: every link that was upgraded and greeted, as they come.
    """

    def __init__(self, tls: ssl.SSLContext | None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.refusal: tuple[int, str] | None = None
        self.close: tuple[int, str] | None = None
        self.is_mute = False
        self.hands_over = ""
        self.requests = 0
        self.links: asyncio.Queue[PlainLink] = asyncio.Queue()
        self._by_address: dict[bytes, PlainLink] = {}
        self._address_of: dict[str, int] = {}  # last octets, by token
        self._tls, self._host, self.port = tls, host, port
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await self._converse(PlainLink(reader, writer))
        writer.transport.abort()

    async def _converse(self, link: PlainLink) -> None:
        self.requests += 1
        if not await link.upgrade(self.refusal, f"ws://127.0.0.1:{self.port}/ws"):
            return
        opcode, first = await link.read_frame()
        assert opcode == TEXT
        assert json.loads(first) == {"connectionState": 2, "payload": None}, first
        if self.close is not None:
            link.close(*self.close)
            transport = link.writer.transport
            assert isinstance(transport, asyncio.Transport)
            transport.pause_reading()  # so that TLS does not answer a close, either
            await asyncio.Event().wait()
        last = self._address_of.setdefault(
            link.headers["node-token"], 3 + 2 * len(self._address_of)
        )
        payload = base64.b64encode((self.hands_over or f"10.1.1.{last}/24").encode()).decode()
        link.send(TEXT, json.dumps({"connectionState": 2, "payload": payload}).encode())
        self._by_address[bytes([10, 1, 1, last])] = link
        self.links.put_nowait(link)
        while True:
            opcode, payload_bytes = await link.read_frame()
            link.frames.put_nowait((opcode, payload_bytes))
            if self.is_mute:
                continue
            if opcode == PING:
                link.send(PONG, payload_bytes)
            elif opcode == CLOSE:
                link.send(CLOSE, payload_bytes)
                await link.writer.drain()
                return
            elif opcode == TEXT and (receiver := self._by_address.get(payload_bytes[16:20])):
                receiver.send(TEXT, payload_bytes)
                await receiver.writer.drain()


def server_tls(certificates: Path) -> ssl.SSLContext:
    """Mutual TLS with a folder of `ca.pem server.pem server-key.pem`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _main(port: int, certificates: Path) -> None:
    async with PlainLinkServer(server_tls(certificates), "0.0.0.0", port) as server:  # noqa: S104
        print("ready", flush=True)  # noqa: T201 - what the test waits for
        while True:
            link = await server.links.get()
            link.frames = _Nowhere()


class _Nowhere(asyncio.Queue[tuple[int, bytes]]):
    """Keeps nothing."""

    def put_nowait(self, item: tuple[int, bytes]) -> None:
        """Forget it."""


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), Path(sys.argv[2])))
