"""A node's end of one link, over mutual TLS; it sends its handshake on request."""

import asyncio
import ssl
from typing import Any, Final

from picows import WSError, WSFrame, WSHandshakeError, WSMsgType, WSTransport, ws_connect

from nc.agent.connection import PING_INTERVAL_S, SILENCE_LIMIT_S, HubConnection, Target
from nc.client.tls import ClientTls
from nc.net import wire
from nc.net.machine import MachineFacts, machine_headers
from nc.testing.contract.history import CertificateSet

# Far beyond what anything here takes: it only turns what never comes into a breach of a law.
PATIENCE_S: Final = 20.0

CUT: Final = "no connection"  # the code of an answer that the end of the connection is


class NotUpgraded(Exception):
    """The upgrade was refused; the text is the body of the server's answer.

    Attributes:
        code: the HTTP status, or `CUT`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


class LinkEnd(HubConnection):
    """One link; made by `open_link`.

    Attributes:
        opened_by, greeted_by: the request ids of the operations that opened it and said hello.
        close_code, close_reason: of the close frame that came; 0 if none did.
        has_left: it was closed by the node.
        extra: how many frames came where none should.
    """

    def __init__(self, opened_by: str) -> None:
        super().__init__(PING_INTERVAL_S, SILENCE_LIMIT_S)
        self.opened_by = opened_by
        self.greeted_by = ""
        self.close_code = 0
        self.close_reason = ""
        self.has_left = False
        self.extra = 0
        self.is_upgraded = False
        self.deliver = self._count
        self._pong = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the node considers the link open."""
        return not self.ended.done()

    @property
    def own_address(self) -> str:
        """The local address, in the form that the server uses."""
        host, port, *_ = self._transport.underlying_transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done; the handshake is sent later."""
        self._transport, self.is_upgraded = transport, True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            self.close_code = int(frame.get_close_code().value)
            self.close_reason = (frame.get_close_message() or b"").decode("utf-8", "replace")
        elif frame.msg_type is WSMsgType.PONG:
            self._pong.set()
        super().on_ws_frame(transport, frame)

    async def say_hello(self, request_id: str) -> None:
        """Send the handshake, and wait for the answer or the link's end."""
        self.greeted_by = request_id
        self._transport.send(WSMsgType.TEXT, wire.hello())
        await asyncio.wait([self.greeted], timeout=PATIENCE_S)

    async def say_hello_again(self) -> None:
        """Send a second handshake, which is an error, and wait until the server has read it."""
        self._pong.clear()
        self._transport.send(WSMsgType.TEXT, wire.hello())
        self._transport.send_ping()
        heard = asyncio.create_task(self._pong.wait())
        waiting: list[asyncio.Future[Any]] = [heard, self.ended]
        await asyncio.wait(waiting, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()

    async def leave(self) -> None:
        """Close the link, as a node that stops."""
        self.has_left = True
        await self.close()
        await asyncio.wait([self.ended], timeout=PATIENCE_S)

    def _count(self, _frame: memoryview, _has_header: bool) -> None:
        self.extra += 1


async def open_link(target: Target, opened_by: str, facts: MachineFacts) -> LinkEnd:
    """Connect, up to the upgrade.

    Raises:
        NotUpgraded: the server refused the link.
    """
    end = LinkEnd(opened_by)
    try:
        await ws_connect(
            lambda: end,
            f"wss://{target}{wire.PATH}",
            ssl_context=target.tls,
            websocket_handshake_timeout=PATIENCE_S,
            enable_auto_pong=False,
            max_frame_size=wire.MAX_FRAME_BYTES,
            max_redirects=0,
            logger_name="nowhere",
            extra_headers={wire.TOKEN_HEADER: target.token, **machine_headers(facts)},
        )
    except WSHandshakeError as error:
        if error.response is None:
            raise NotUpgraded(CUT, str(error)) from None
        said = (error.raw_body or b"").decode("utf-8", "replace").strip()
        raise NotUpgraded(f"HTTP {int(error.response.status)}", said) from None
    except (OSError, WSError) as error:
        raise NotUpgraded(CUT, str(error) or type(error).__name__) from None
    if not end.is_upgraded:  # the server was killed meanwhile
        raise NotUpgraded(CUT, "the connection was cut")
    return end


def link_tls(certificates: CertificateSet) -> ssl.SSLContext:
    return ClientTls(certificates.ca, certificates.key, certificates.certificate).context()
