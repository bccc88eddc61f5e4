"""Where this server and its peers are reached, as agents are told it.

Agents try them in the order in which they are told, so each is told this server's own addresses
first and then the peers' in another order: a server that goes away leaves its nodes to all others.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

from nc.hub.session import Session
from nc.hub.turns import LINKS_PER_TURN
from nc.net import wire
from nc.net.wire import Address

if TYPE_CHECKING:
    from nc.hub.hub import Hub

# How long a stop waits for nodes that go to a peer: some round trips.
_GOING_S: Final = 1.0

_LOOK_S: Final = 0.02


class Reachable:
    """The addresses of link ports.

    Attributes:
        own: of this server.
        version: grows with every change of what agents are told.
    """

    def __init__(self) -> None:
        self.own: tuple[Address, ...] = ()
        self.version = 0
        self._peers: tuple[Address, ...] = ()
        self._is_to_leave = self._is_stopping = False
        self._turns = count()

    def change(self, peers: tuple[Address, ...]) -> bool:
        """Take over where the peers are; whether that is news."""
        if peers == self._peers:
            return False
        self._peers = peers
        self.version += 1
        return True

    def send_away(self, is_to_leave: bool) -> bool:
        """Take over whether nodes had better go to a peer; whether that is news."""
        is_to_leave = is_to_leave or self._is_stopping
        if is_to_leave is self._is_to_leave:
            return False
        self._is_to_leave = is_to_leave
        self.version += 1
        return True

    def told(self) -> tuple[Address, ...]:
        """What the next agent is told; each once, and no more than agents read."""
        peers = self._peers
        at = next(self._turns) % len(peers) if peers else 0
        return tuple(dict.fromkeys((*self.own, *peers[at:], *peers[:at])))[: wire.MAX_ADDRESSES]

    def tell(self, link: Session) -> None:
        """Tell a node that has its address where servers are, if that is news to it."""
        is_news = link.told_version != self.version and link.port.address is not None
        if is_news and link.hears_servers:
            link.told_version = self.version
            link.send_handshake(wire.servers_message(self.told(), leave=self._is_to_leave))

    async def tell_all(self, links: Mapping[str, Session]) -> None:
        for number, link_id in enumerate(list(links), 1):
            if link_id in links:
                self.tell(links[link_id])
            if number % LINKS_PER_TURN == 0:
                await asyncio.sleep(0)

    async def send_all_away(self, hub: "Hub") -> None:
        """Send every node to a peer before the server stops, and wait a moment for that.

        Each keeps its link until it has another one, so that no packet is lost.
        """
        self._is_stopping = True
        if not self._peers or not hub.is_current():
            return
        self.send_away(True)
        await self.tell_all(hub.sessions)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOING_S):
                while any(link.hears_servers for link in hub.sockets):  # noqa: ASYNC110 - bounded
                    await asyncio.sleep(_LOOK_S)
