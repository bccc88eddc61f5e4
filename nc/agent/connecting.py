"""Opens a link: TCP, TLS, the upgrade, the handshake, up to the node's address."""

import asyncio
from typing import Final

from picows import WSError, WSTransport, ws_connect
from python_socks import ProxyError  # what picows raises for a proxy that refuses

from nc.agent.connection import PING_INTERVAL_S, SILENCE_LIMIT_S, HubConnection, Target
from nc.agent.link_errors import LinkEnded, UntrustedServer, connecting_failed
from nc.client.port_probe import PortKind, other_port
from nc.net import wire
from nc.net.dial import ATTEMPT_DELAY_S
from nc.net.machine import machine_headers

# The upgrade's share of the time for a link. picows enforces it and then closes the connection,
# which cancelling picows does not do: so it must be over before the whole.
_UPGRADE_SHARE: Final = 1 / 3


async def connect(
    target: Target,
    *,
    ping_interval_s: float = PING_INTERVAL_S,
    silence_limit_s: float = SILENCE_LIMIT_S,
) -> HubConnection:
    """Open a link, up to the address that the server hands over.

    Raises:
        LinkEnded: or a subclass.
    """
    link = HubConnection(ping_interval_s, silence_limit_s)
    if target.has_others:
        link.hurry()
    opening = ws_connect(
        lambda: link,
        f"{'ws' if target.tls is None else 'wss'}://{target}{wire.PATH}",
        ssl_context=target.tls,
        proxy=target.proxy,
        websocket_handshake_timeout=target.timeout_s * _UPGRADE_SHARE,
        enable_auto_pong=False,  # a ping is a sign of life, which `on_ws_frame` must see
        max_frame_size=wire.MAX_FRAME_BYTES,
        happy_eyeballs_delay=ATTEMPT_DELAY_S,
        max_redirects=0,  # the token is sent to no other server
        logger_name="nowhere",
        extra_headers=_headers(target),
    )
    transport: WSTransport | None = None
    try:
        async with asyncio.timeout(target.timeout_s):
            transport, _ = await opening
            if transport.is_disconnected and not link.greeted.done():
                raise ConnectionResetError
            await link.greeted
    except LinkEnded:
        if transport is not None:
            transport.disconnect(False)
        raise
    except (
        OSError,
        WSError,
        ProxyError,
        ValueError,
        asyncio.CancelledError,
    ) as error:  # ValueError: not a host name
        if transport is not None:
            transport.disconnect(False)
        if isinstance(error, asyncio.CancelledError):
            raise
        raise await _why_failed(error, target) from None
    return link


def _headers(target: Target) -> dict[str, str]:
    offers = wire.subprotocols(target.held, offload=target.offload)
    return {
        wire.TOKEN_HEADER: target.token,
        **({wire.SUBPROTOCOL_HEADER: offers} if offers else {}),
        **machine_headers(target.machine),
    }


async def _why_failed(error: Exception, target: Target) -> LinkEnded:
    """The reason for which a link was not made; another port of the server is one."""
    failed = connecting_failed(error, target.host, is_tls=target.tls is not None)
    if isinstance(failed, UntrustedServer) and not failed.is_for_dates:
        problem = await other_port(target.host, target.port, PortKind.LINK, target.proxy)
        if problem:
            return UntrustedServer(problem)
    if failed.is_cut_short and target.certificate_problem:  # a likelier reason than any other
        ended = LinkEnded(f"the handshake was cut short: {target.certificate_problem}")
        ended.is_cut_short = True
        return ended
    return failed
