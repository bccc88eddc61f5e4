"""The demo's machines on the link: the handshake by hand, and packets that a program reads."""

import asyncio
import ssl
import struct
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from nc.cli.entrypoint import OperationFailed
from nc.client.channel import ClientTls
from nc.net import wire

# Far beyond what any step takes.
_PATIENCE_S = 10.0

_UDP = 17


class PacketEnd(WSListener):
    """One machine's end of its link; a real one would have a TUN device behind it."""

    interface: IPv4Interface  # what it was told
    _transport: WSTransport

    def __init__(self) -> None:
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._farewell: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The server has accepted the link."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The handshake's answer, a packet, or a farewell."""
        if frame.msg_type == WSMsgType.CLOSE:
            self._farewell.set_result(f"{frame.get_close_code().value}, {frame.get_close_reason()}")
            transport.disconnect()
        else:
            self._frames.put_nowait(frame.get_payload_as_bytes())

    async def say_hello(self) -> IPv4Interface:
        """Ask for the address, and be connected with it."""
        self._transport.send(WSMsgType.TEXT, wire.hello())
        async with asyncio.timeout(_PATIENCE_S):
            self.interface = wire.read_answer(await self._frames.get())
        return self.interface

    def send(self, text: str, to: IPv4Address, source: IPv4Address | None = None) -> None:
        """Send a packet, by default from the own address."""
        packet = _packet(source or self.interface.ip, to, text.encode())
        self._transport.send(WSMsgType.TEXT, packet)

    async def receive(self) -> tuple[str, IPv4Address]:
        """The next packet's text, and who it is from."""
        async with asyncio.timeout(_PATIENCE_S):
            packet = await self._frames.get()
        return packet[_PACKET.size :].decode(), IPv4Address(packet[12:16])

    async def farewell(self) -> str:
        """What the server says when it closes the link."""
        async with asyncio.timeout(_PATIENCE_S):
            return await self._farewell

    def pull_the_plug(self) -> None:
        """Be gone without a word."""
        self._transport.disconnect(graceful=False)


async def plug_in(url: str, token: str, tls: ClientTls, folder: Path) -> PacketEnd:
    """Connect a machine, as far as INIT.

    Args:
        url: of the link port.
        token: the machine's node token.
        tls: its network certificate.
        folder: where that may lie meanwhile: TLS reads it from files.
    """
    _, end = await ws_connect(
        PacketEnd,
        url,
        ssl_context=_context(tls, folder),
        extra_headers={wire.TOKEN_HEADER: token},
    )
    if not isinstance(end, PacketEnd):
        raise OperationFailed("the link is none of ours")
    return end


def _context(tls: ClientTls, folder: Path) -> ssl.SSLContext:
    """TLS as a client of the link port has it."""
    if tls.key_pem is None or tls.certificate_pem is None:
        raise OperationFailed("a link needs a certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    key.write_bytes(tls.key_pem)
    certificate.write_bytes(tls.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=tls.ca_pem.decode("ascii"))
    context.load_cert_chain(certificate, key)
    key.unlink()
    return context


_PACKET = struct.Struct("!BBHHHBBH4s4s")


def _packet(source: IPv4Address, to: IPv4Address, payload: bytes) -> bytes:
    total = _PACKET.size + len(payload)
    return _PACKET.pack(0x45, 0, total, 0, 0, 64, _UDP, 0, source.packed, to.packed) + payload
