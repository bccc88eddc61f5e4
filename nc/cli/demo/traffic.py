"""Packets between the demo's nodes: each sends to the others, and takes what comes."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

from nc.agent.program import LinkEnded, NodeLink
from nc.net import ipv4

_EVERY_S: Final = 0.25


async def exchange(links: Mapping[str, NodeLink]) -> None:
    """Send packets over all links that are there at the time, until this is cancelled."""
    while True:
        there = list(links.values())
        for link in there:
            for other in there:
                if other is not link:
                    with contextlib.suppress(LinkEnded):
                        await link.send(_packet(link, other))
        await asyncio.sleep(_EVERY_S)
        for link in there:
            await _take_all(link)


def _packet(source: NodeLink, target: NodeLink) -> bytes:
    return ipv4.build_packet(source.interface.ip, target.interface.ip, b"are you there?")


async def _take_all(link: NodeLink) -> None:
    with contextlib.suppress(LinkEnded, TimeoutError):
        while True:
            async with asyncio.timeout(0):
                await link.receive()
