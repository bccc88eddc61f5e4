"""The address pool of the model: which node holds which address, and which comes next."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from nc.testing.contract.overlay import assignable, named

Choose = Callable[[list[Any]], Any]

_SHARE: Final = 4  # a newcomer takes nothing beyond a quarter of the network for its token


class AddressModel:
    """Addresses, and since when the nodes that hold them are idle.

    What is released at one time is in no particular order in `rested`.

    Args:
        network: the server's own address in the overlay, and the prefix length.
        choose: picks one of several things that the contract allows.
        reclaim_after_ms: how long a node must have been idle to lose its address; 0: not at all.
    """

    def __init__(self, network: str, choose: Choose, reclaim_after_ms: int) -> None:
        self.choose = choose
        self.reclaim_after_ms = reclaim_after_ms
        self.network = named(network)
        self.pool = assignable(network)
        self.come_up = 0  # how many of the pool have had their turn since the network was chosen
        self.rested: list[frozenset[str]] = []  # released, longest ago first
        self.held: dict[str, str] = {}  # address by node
        self.assigned: set[str] = set()  # nodes whose address an operator chose
        # Tick and time; of the nodes that hold an address and are idle.
        self.idle_since: dict[str, tuple[int, int]] = {}
        self.tick = 0  # a command's turn: what one command makes idle at once has the same
        self.now_ms = 0

    @property
    def idle_order(self) -> list[str]:
        """The idle nodes that hold an address, longest idle first."""
        return sorted(self.idle_since, key=lambda node: (self.idle_since[node], node))

    def is_idle(self, nodes: Iterable[str]) -> None:
        """These nodes have become idle at the same moment, so that all are idle equally long."""
        self.tick += 1
        for node in nodes:
            if node in self.held:
                self.idle_since[node] = self.tick, self.now_ms

    def change_network(self, network: str) -> None:
        """Another network is given out from its beginning."""
        if named(network) != self.network:
            self.network = named(network)
            self.pool = assignable(network)
            self.come_up = 0
            self.rested = []

    def has_good_address(self, node: str) -> bool:
        return self.held.get(node) in self.pool

    def next_addresses(self, *, takes: bool) -> list[tuple[str, str]]:
        """The addresses that the next node may get, each with the node that loses it, if any.

        `takes` is whether it may take one from another node at all.
        """
        held = set(self.held.values())
        fresh = next((a for a in self.pool[self.come_up :] if a not in held), None)
        if fresh or self.rested:
            return [(a, "") for a in ([fresh] if fresh else sorted(self.rested[0]))]
        idle = [
            node
            for node in self.idle_order
            if takes
            and self.has_good_address(node)
            and node not in self.assigned
            and max(0, self.now_ms - self.idle_since[node][1]) >= self.reclaim_after_ms
        ]
        longest = [node for node in idle if self.idle_since[node][0] == self.idle_since[idle[0]][0]]
        return [(self.held[node], node) for node in longest]

    def is_beyond_share(self, rank: int) -> bool:
        """Whether a newcomer takes nothing, being its token's node of this number in a day."""
        size = 1 << (32 - int(self.network.partition("/")[2]))
        return bool(self.reclaim_after_ms) and rank > max(1, size // 2 // _SHARE)

    def take(self, node: str, address: str) -> None:
        rested = [group - {address} for group in self.rested]
        if rested == self.rested:
            index = self.pool.index(address)
            between = self.pool[self.come_up : index]
            if index >= self.come_up and set(between) <= set(self.held.values()):
                self.come_up = index + 1
        self.rested = [group for group in rested if group]
        self.held[node] = address

    def free(self, nodes: Iterable[str]) -> None:
        """These nodes give their addresses up at the same moment."""
        freed = set()
        for node in nodes:
            address = self.held.pop(node, None)
            self.idle_since.pop(node, None)
            self.assigned.discard(node)
            if address in self.pool[: self.come_up]:
                freed.add(str(address))
        if freed:
            self.rested.append(frozenset(freed))
