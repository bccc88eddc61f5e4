"""Packets of a simulated cluster, each with a number: from whom, to whom, over how many servers."""

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from nc.net.ipv4 import MIN_HEADER_BYTES
from nc.net.wire import PLAIN_VNET_HEADER, Frame, packets
from nc.testing.contract.laws.cluster import ONE_HOP, RIGHT_ONE
from nc.testing.simulation.machines import Machine, number_of, packet
from nc.testing.simulation.site import Site

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster


class Traffic:
    """The packets of one cluster.

    Attributes:
        under_way: those that have not arrived, by number: from whose address to which.
        arrived: how many have.
    """

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self.under_way: dict[int, tuple[str, str]] = {}
        self.arrived = 0
        self._hops: Counter[int] = Counter()
        self._numbers = itertools.count(1)

    def send(self, sender: Machine, destination: str, size_bytes: int) -> int:
        """Send one packet; returns its number, 0 if it was not sent."""
        number = next(self._numbers)
        self.under_way[number] = (sender.address, destination)
        if sender.send(number, destination, size_bytes):
            return number
        del self.under_way[number]
        return 0

    def forge(self, site: Site, victim: Machine) -> None:
        """A server sends all others a packet from a node to itself, which no node has sent."""
        server, node_id = site.server, self._cluster.node_id(victim)
        if server is None or server.hub.mesh is None or not victim.address:
            return
        if any(link.node_id == node_id for link in server.hub.sessions.values()):
            return  # it might be the node's
        for link in server.hub.mesh.open.values():
            number, address = next(self._numbers), victim.address
            forged = packet(number, address, address, MIN_HEADER_BYTES)
            link.send(PLAIN_VNET_HEADER + forged)

    def hop(self, frame: Frame) -> None:
        """Packets have come from one server to another."""
        for number in map(number_of, packets(frame)):
            self._hops[number] += 1
            what = f"packet {number} has come from another server {self._hops[number]} times"
            self._cluster.saw(ONE_HOP, what, holds=self._hops[number] == 1)

    def arrive(self, machine: Machine, number: int, destination: str) -> None:
        sent = self.under_way.pop(number, None)
        is_right = sent is not None and destination == machine.address == sent[1]
        self.arrived += 1
        what = f"{machine.name} at {machine.address} got packet {number} for {destination}"
        self._cluster.saw(RIGHT_ONE, what, holds=is_right)
