"""An audit: every few seconds, checks what must hold of the whole cluster at every moment.

What may take a moment (a link that is just being closed) is wrong only if the next look, some
seconds later, still finds it. While a server is down, or its disk full, not everything can be put
right, and the audit waits.
"""

import asyncio
from collections import Counter
from itertools import permutations
from typing import Final

from eventlog import LogRewound
from nc.clock import now_ms
from nc.clock_watch import STEADY_AFTER_S
from nc.domain.codec.digest import digest
from nc.domain.errors import DomainError
from nc.domain.fsm import ConnectionState
from nc.domain.nodes import require_live
from nc.domain.replica_addresses import own_address
from nc.hub.heartbeat import CHECKS_PER_TIMEOUT
from nc.hub.limits import Limits
from nc.hub.session import Session
from nc.testing.contract.laws import cluster as laws
from nc.testing.contract.overlay import assignable
from nc.testing.simulation.cluster import Cluster
from nc.testing.simulation.machines import Machine
from nc.testing.simulation.servers import SimulatedServer
from nc.testing.simulation.shared_log import SharedLog

LOOK_S: Final = 5.0

# A link is looked at so often within the time that it may be silent, and then closed.
_SILENT_S: Final = Limits().silence_timeout_s * (1 + 3 / CHECKS_PER_TIMEOUT)

# After a jump of the clock, expired nodes keep their links for so long.
_DOUBTED_S: Final = STEADY_AFTER_S + 2 * LOOK_S

_MOST_MACHINES: Final = 6  # try packets among
_PACKET_S: Final = 3.0
_PACKET_BYTES: Final = 100


class Audit:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._before: set[object] = set()  # what the last look found to be wrong
        self._servers: list[SimulatedServer] = []

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        cluster, servers = self._cluster, self._cluster.servers
        if cluster.in_trouble:
            self._before = set()
            return
        if servers != self._servers:
            self._servers, self._before = servers, set()
        found: set[object] = set()
        links = list(self._links().values())
        for node_id, count in Counter(link.node_id for link in links).items():
            ids = tuple(link.link_id for link in links if link.node_id == node_id)
            key = ("several", ids)
            if count > 1:
                found.add(key)
            what = f"node {node_id} has the links {', '.join(ids)}"
            cluster.saw(laws.ONE_LINK, what, holds=key not in self._before or count == 1)
        for link in links:
            found |= self._look_at_right(link)
        self._look_for_silence()
        found |= self.compare_links(self._before)
        self._before = found

    def _links(self) -> dict[str, Session]:
        hubs = (server.hub for server in self._cluster.servers)
        return {link_id: link for hub in hubs for link_id, link in hub.sessions.items()}

    def _look_at_right(self, link: Session) -> set[object]:
        state, key = self._cluster.state, ("right", link.link_id)
        try:
            now = now_ms(self._cluster.clock)
            require_live(state.nodes, state.unregistered, link.node_id, now)
        except DomainError as error:
            what = f"link {link.link_id} of node {link.node_id}: {error}"
            is_doubted = self._cluster.now_s - self._cluster.clock_set_at_s < _DOUBTED_S
            holds = is_doubted or key not in self._before
            self._cluster.saw(laws.NO_RIGHT, what, holds=holds)
            return {key}
        self._cluster.saw(laws.NO_RIGHT, "", holds=True)
        return set()

    def _look_for_silence(self) -> None:
        links = self._links()
        for end in self._cluster.network.connections:
            link = getattr(end.protocol, "listener", None)
            if isinstance(link, Session) and links.get(link.link_id) is link:
                silent_s = self._cluster.now_s - end.heard_at_s
                what = f"nothing came over link {link.link_id} for {silent_s:.0f} s"
                self._cluster.saw(laws.SILENCE, what, holds=silent_s <= _SILENT_S)

    def compare_links(self, before: set[object], *, is_quiet: bool = False) -> set[object]:
        """Compare the links in the log with those of the hubs; what differs now.

        Args:
            before: what differed some seconds ago, and may not differ any more.
            is_quiet: nothing is going on, so that every link in the log has to be CONNECTED.
        """
        cluster = self._cluster
        in_log = {link.link_id: link.state for link in cluster.state.links.values()}
        at_hubs = set(self._links())
        if is_quiet:  # what a newer link replaced has had time to end, too
            hubs = [server.hub for server in cluster.servers]
            sockets = [(hub.switch.ports.values(), link) for hub in hubs for link in hub.sockets]
            at_hubs |= {link.link_id for ports, link in sockets if link.port in ports}
        differ = in_log.keys() ^ at_hubs
        if is_quiet:
            differ |= {i for i, s in in_log.items() if s is not ConnectionState.CONNECTED}
        wrong = {i for i in differ if ("differs", i) in before}
        for link_id in sorted(wrong):
            where = "the log" if link_id in in_log else "a hub"
            cluster.saw(laws.SAME_LINKS, f"only {where} has link {link_id}", holds=False)
        if not wrong and (in_log or at_hubs):
            cluster.saw(laws.SAME_LINKS, "", holds=True)
        return {("differs", link_id) for link_id in differ}

    def _may_connect(self) -> list[Machine]:
        cluster = self._cluster
        found: list[Machine] = []
        for machine in cluster.machines.values():
            if machine.is_on:
                try:
                    state, node_id = cluster.state, cluster.node_id(machine)
                    now = now_ms(cluster.clock)
                    require_live(state.nodes, state.unregistered, node_id, now)
                except DomainError:
                    continue
                found.append(machine)
        return found

    def _is_connected(self, machine: Machine) -> bool:
        """Whether server and agent both consider it connected, over a working connection."""
        cluster = self._cluster
        if not cluster.network.is_sound(machine.name):
            return False
        link = cluster.state.links.get(cluster.node_id(machine))
        is_there = link is not None and link.state is ConnectionState.CONNECTED
        return is_there and machine.is_connected

    def missing(self) -> list[Machine]:
        """Machines that should be connected, and are not; none if the address pool is used up."""
        expected = self._may_connect()
        missing = [machine for machine in expected if not self._is_connected(machine)]
        state = self._cluster.state
        taken = [
            own for session in state.sessions if (own := own_address(state.addresses, session))
        ]
        room = len(assignable(self._cluster.plan.network)) - len(taken)  # servers have some, too
        return missing if len(expected) - len(missing) < min(room, len(expected)) else []

    def look_for_missing(self) -> None:
        """Report agents that are still not connected after the time that this may take."""
        missing = self.missing()
        for machine in missing:
            why = machine.has_given_up or "not in time"
            self._cluster.saw(laws.COMES_BACK, f"{machine.name}: {why}", holds=False)
        for _ in range(len(self._may_connect()) - len(missing)):
            self._cluster.saw(laws.COMES_BACK, "", holds=True)

    async def try_packets(self) -> None:
        """Each machine sends one packet to each other, and one to an address without a node."""
        cluster, traffic = self._cluster, self._cluster.traffic
        traffic.under_way.clear()
        machines = [m for m in self._may_connect() if self._is_connected(m)][:_MOST_MACHINES]
        if not machines:
            return
        arrived, dropped = traffic.arrived, self._dropped()
        numbers = {}
        for sender, receiver in permutations(machines, 2):
            number = traffic.send(sender, receiver.address, _PACKET_BYTES)
            numbers[number] = (sender, receiver)
        nowhere = cluster.plan.network.partition("/")[0]
        for sender in machines:
            traffic.send(sender, nowhere, _PACKET_BYTES)
        sent = len(traffic.under_way)
        await asyncio.sleep(_PACKET_S)
        for number, (sender, receiver) in numbers.items():
            is_there = number != 0 and number not in traffic.under_way
            what = f"a packet from {sender.name} to {receiver.name} was lost"
            cluster.saw(laws.PACKETS_COUNT, what, holds=is_there)
        arrived = traffic.arrived - arrived
        dropped = self._dropped() - dropped
        what = f"of {sent} packets {arrived} arrived, and {dropped} were counted as dropped"
        cluster.saw(laws.PACKETS_COUNT, what, holds=sent == arrived + dropped)

    def _dropped(self) -> int:
        return sum(server.hub.switch.drops.total() for server in self._cluster.servers)

    def agree(self) -> bool:
        """Whether all servers have the same state now; one may be reading another's event."""
        return len({digest(server.replica.state) for server in self._cluster.servers}) == 1

    def look_for_survivors(self, log: SharedLog) -> None:
        """See that servers go on only with what the log has, and that the others say why not."""
        there = [record.payload for record in log.records]
        for site in self._cluster.sites:
            if site.server is not None:
                known = [record.payload for record in site.server.log.read()]
                what = f"{site.name} goes on with another log than there is"
                self._cluster.saw(laws.REWOUND, what, holds=known == there[: len(known)])
            elif log.is_rewound and site.failure is not None:
                what = f"{site.name} does not say that the log lost events: {site.failure}"
                # Where something follows on what was lost, a server may have come upon that.
                says = isinstance(site.failure, LogRewound) or not log.is_chained
                self._cluster.saw(laws.REWOUND, what, holds=says)
