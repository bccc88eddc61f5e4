"""The demo's machines on the link: the handshake by hand, and packets that a program reads."""

import asyncio
from ipaddress import IPv4Address, IPv4Interface

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from nc.cli.entrypoint import OperationFailed
from nc.client.tls import ClientTls
from nc.net import ipv4, wire

# Far beyond what any step takes.
_PATIENCE_S = 10.0


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
        packet = ipv4.build_packet(source or self.interface.ip, to, text.encode())
        self._transport.send(WSMsgType.TEXT, packet)

    async def receive(self) -> tuple[str, IPv4Address]:
        """The next packet's text, and who it is from."""
        async with asyncio.timeout(_PATIENCE_S):
            packet = await self._frames.get()
        return packet[ipv4.MIN_HEADER_BYTES :].decode(), IPv4Address(packet[12:16])

    async def farewell(self) -> str:
        """What the server says when it closes the link."""
        async with asyncio.timeout(_PATIENCE_S):
            return await self._farewell

    def pull_the_plug(self) -> None:
        """Be gone without a word."""
        self._transport.disconnect(graceful=False)


async def plug_in(url: str, token: str, tls: ClientTls) -> PacketEnd:
    """Connect a machine, as far as INIT.

    Args:
        url: of the link port.
        token: the machine's node token.
        tls: its network certificate.
    """
    _, end = await ws_connect(
        PacketEnd,
        url,
        ssl_context=tls.context(),
        extra_headers={wire.TOKEN_HEADER: token},
    )
    if not isinstance(end, PacketEnd):
        raise OperationFailed("the link is none of ours")
    return end
