"""Which overlay address is behind which other server: the state's links, as the switch needs them.

A link's owner is its session. A node that moves stays where it was until it is CONNECTED elsewhere,
so that packets reach its older link for as long as that carries any.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Final

from nc.domain.events import Event
from nc.domain.fsm import ConnectionState
from nc.domain.replica_addresses import own_address
from nc.domain.replicas import SESSION_EVENTS
from nc.domain.state import State
from nc.hub.ports import PeerPort
from nc.hub.switch import Switch

_SERVER_EVENTS: Final = SESSION_EVENTS | {"replica_address_bound"}

# How many nodes are looked at in one turn of the event loop: some milliseconds.
_NODES_PER_TURN: Final = 1000


class PeerNodes:
    """Keeps a switch's table of what is behind the peers.

    Args:
        state: the state now.
        own: the session of this server now.

    Attributes:
        ports: of the other servers, by session.
    """

    def __init__(self, switch: Switch, state: Callable[[], State], own: Callable[[], str]) -> None:
        self._switch = switch
        self._state = state
        self._own = own
        self.ports: dict[str, PeerPort] = {}
        self._past: Counter[str] = Counter()  # of ports that are gone
        self._nodes: dict[str, int] = {}  # the addresses of peers' nodes in the table
        self._servers: frozenset[int] = frozenset()

    def totals(self) -> Counter[str]:
        """Packets and bytes exchanged with all peers since the start; in any thread."""
        return sum(map(_counters, [*self.ports.values()]), Counter(self._past))

    def follow(self, events: Iterable[Event]) -> None:
        """Look at what these events, which are part of the state, may have changed."""
        for event in events:
            kind = event.WhichOneof("kind")
            if kind == "state_changed":
                self.look_at(event.state_changed.node_id)
            elif kind in _SERVER_EVENTS:
                self.look_at_servers()

    async def look_at_all(self) -> None:
        """Look at every node and server, as at a start."""
        self.look_at_servers()
        for count, node_id in enumerate(list(self._state().links), 1):
            self.look_at(node_id)
            if count % _NODES_PER_TURN == 0:
                await asyncio.sleep(0)

    def look_at_servers(self) -> None:
        """Take over the sessions that go on, and their own addresses."""
        state, own = self._state(), self._own()
        others = dict.fromkeys(session for session in sorted(state.sessions) if session != own)
        for session in [each for each in self.ports if each not in others]:
            self._past.update(_counters(self.ports.pop(session)))
        for session in others:
            if session not in self.ports:
                self.ports[session] = PeerPort(session)
        for address in self._servers:
            self._switch.peers.pop(address, None)
        behind = {_number(own_address(state.addresses, s)): port for s, port in self.ports.items()}
        behind.pop(None, None)
        self._servers = self._switch.servers = frozenset(a for a in behind if a is not None)
        self._switch.peers.update((a, port) for a, port in behind.items() if a is not None)
        number = _number(own_address(state.addresses, own))
        if number != self._switch.own_address:
            self._switch.own_address = number
            self._switch.own_changed()

    def look_at(self, node_id: str) -> None:
        """Take over where a node is."""
        state = self._state()
        link = state.links.get(node_id)
        if link is not None and link.state is not ConnectionState.CONNECTED:
            return  # it is on its way
        port = None if link is None else self.ports.get(link.session)
        address = None if port is None else _number(state.addresses.address_of(node_id))
        before = self._nodes.get(node_id)
        if before is not None and before != address:
            del self._nodes[node_id]
            self._switch.peers.pop(before, None)
        if port is not None and address is not None:
            self._nodes[node_id] = address
            self._switch.peers[address] = port


def _counters(port: PeerPort) -> Counter[str]:
    names = ("packets_in", "packets_out", "bytes_in", "bytes_out")
    return Counter({name: getattr(port, name) for name in names})


def _number(address: str) -> int | None:
    return int(IPv4Address(address)) if address else None
