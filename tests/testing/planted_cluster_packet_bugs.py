"""Planted bugs about packets and addresses: who has which, and how packets reach it."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from nc.domain import addresses
from nc.domain.network import Network
from nc.hub.switch import Switch
from tests.testing.cluster_planting import ClusterBug, into

BUGS: list[ClusterBug] = []
bug = into(BUGS)


@bug("a packet arrives at the one it is for", "a packet arrives or is counted as dropped")
def the_older_link_s_end_detaches_the_newer_port(patch: pytest.MonkeyPatch) -> None:
    """The port that has the address is detached, whichever it is."""

    def careless(self: Switch, port: Any) -> None:
        self.ports.pop(port.address, None)

    patch.setattr(Switch, "detach", careless)


@bug("a node comes back with its address")
def who_is_idle_holds_no_address(patch: pytest.MonkeyPatch) -> None:
    """It is folded so, though nothing says it."""
    state_changed = addresses.evolve_state_changed

    def greedy(draft: Any, node_id: str, seq: int, at_ms: int, *, is_idle: bool) -> None:
        state_changed(draft, node_id, seq, at_ms, is_idle=is_idle)
        if is_idle:
            draft.by_node.discard(node_id)

    patch.setattr(addresses, "evolve_state_changed", greedy)


@bug("no two nodes hold one address", "an address is one for nodes")
def a_node_gets_another_s_peer_address(patch: pytest.MonkeyPatch) -> None:
    """The even one above each."""
    address = Network.address

    def even(self: Network, slot: int) -> str | None:
        odd = address(self, slot)
        return odd and str(IPv4Address(odd) + 1)

    patch.setattr(Network, "address", even)


@bug("a packet hops once at the most", is_shared=True)
def a_packet_is_passed_on_to_where_its_node_has_gone(patch: pytest.MonkeyPatch) -> None:
    """It hops twice."""
    route = Switch._route_from_peer

    def helpful(self: Switch, peer: Any, packet: Any, source: int, destination: int) -> Any:
        is_elsewhere = destination not in self.ports and destination != self.own_address
        if is_elsewhere and (there := self.peers.get(destination)) is not None:
            return there
        return route(self, peer, packet, source, destination)

    patch.setattr(Switch, "_route_from_peer", helpful)


@bug("a packet hops once at the most", "a packet arrives at the one it is for", is_shared=True)
def what_comes_from_a_server_is_forwarded_like_a_kernel_s(patch: pytest.MonkeyPatch) -> None:
    """To wherever it is for, and from whomever it says."""

    def trusting(self: Switch, peer: Any, _packet: Any, _source: int, destination: int) -> Any:
        return self.ports.get(destination) or self._route_beyond(peer, destination)

    patch.setattr(Switch, "_route_from_peer", trusting)


@bug("a packet arrives at the one it is for", is_shared=True)
def the_source_of_another_server_s_packet_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    """It may send as any node."""
    route = Switch._route_from_peer

    def trusting(self: Switch, peer: Any, packet: Any, source: int, destination: int) -> Any:
        known = self.peers
        self.peers = {**known, source: peer}
        try:
            return route(self, peer, packet, source, destination)
        finally:
            self.peers = known

    patch.setattr(Switch, "_route_from_peer", trusting)
