"""A demo machine's link: the handshake by hand, and packets sent and read without a TUN device."""

import asyncio
from ipaddress import IPv4Address, IPv4Interface

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from nc.cli.entrypoint import OperationFailed
from nc.client.tls import ClientTls
from nc.net import ipv4, wire

_TIMEOUT_S = 10.0


class DemoLink(WSListener):
    interface: IPv4Interface  # its address, once the server has answered
    _transport: WSTransport

    def __init__(self) -> None:
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            if not self._closed.done():  # close_reason may have waited long enough
                self._closed.set_result(
                    f"{frame.get_close_code().value}, {frame.get_close_reason()}"
                )
            transport.disconnect()
        else:
            self._frames.put_nowait(frame.get_payload_as_bytes())

    async def request_address(self) -> IPv4Interface:
        """Ask for the address, which ends the handshake."""
        self._transport.send(WSMsgType.TEXT, wire.hello())
        async with asyncio.timeout(_TIMEOUT_S):
            self.interface = wire.read_answer(await self._frames.get())
        return self.interface

    def send(self, text: str, to: IPv4Address, source: IPv4Address | None = None) -> None:
        packet = ipv4.build_packet(source or self.interface.ip, to, text.encode())
        self._transport.send(WSMsgType.TEXT, packet)

    async def receive(self) -> tuple[str, IPv4Address]:
        """The next packet's text, and its source address."""
        async with asyncio.timeout(_TIMEOUT_S):
            packet = await self._frames.get()
        return packet[ipv4.MIN_HEADER_BYTES :].decode(), IPv4Address(packet[12:16])

    async def close_reason(self) -> str:
        """The code and the reason with which the server closes the link."""
        async with asyncio.timeout(_TIMEOUT_S):
            return await self._closed

    def disconnect(self) -> None:
        """Close the TCP connection without a Close frame, as an unplugged machine does."""
        self._transport.disconnect(graceful=False)


async def open_link(url: str, token: str, tls: ClientTls) -> DemoLink:
    """Open a link, as far as INIT.

    Args:
        url: of the link port.
        token: the machine's node token.
        tls: its network certificate.
    """
    _, end = await ws_connect(
        DemoLink,
        url,
        ssl_context=tls.context(),
        extra_headers={wire.TOKEN_HEADER: token},
    )
    if not isinstance(end, DemoLink):
        raise OperationFailed("the link has another listener")
    return end
