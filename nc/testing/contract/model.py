"""A reference model of a network controller, in plain dictionaries.

Nothing in here is taken from `nc.domain`, so that a mistake has to be made twice to go unseen. It
follows the contract's words. What the contract leaves open is a choice: the model asks for it
(`choose`), and `PossibleStates` tries each. A moment is an interval, since
from a real server it is known only between which two times it answered.

    model = Model("10.1.1.1/24")
    model.issue("t", 10, at(0))
    model.redeem("t", "n", at(600_000))     raises Refused("BootstrapTokenExpired")
"""

from collections.abc import Iterable

from nc.testing.contract.address_model import Choose
from nc.testing.contract.membership_model import MembershipModel
from nc.testing.contract.values import (
    CONNECTED,
    HELLO_LIMIT_MS,
    IDLE,
    INIT,
    LATEST_EXPIRY_MS,
    NO_FACTS,
    NO_LIMITS,
    Limits,
    Moment,
    Refused,
    Told,
    at,
)


class Model(MembershipModel):
    """Tokens, nodes, links and operators, each command a method that changes them or refuses.

    Args:
        network: the server's own address in the overlay, and the prefix length.
        choose: picks one of several things that the contract allows; by default the first.
        acts_alone: whether the server ends links by itself when their time has come.
        limits: its settings, and what it begins with.
        now_ms: when it begins.
    """

    def __init__(
        self,
        network: str = "10.1.1.1/24",
        choose: Choose = lambda options: options[0],
        *,
        acts_alone: bool = False,
        limits: Limits = NO_LIMITS,
        now_ms: int = 0,
    ) -> None:
        super().__init__(network, choose, limits, now_ms)
        self.acts_alone = acts_alone
        self.links: dict[str, tuple[int, str]] = {}  # state and link, unless idle
        self.linked: set[str] = set()  # nodes that were handed an address
        self.telling: dict[str, Told] = {}  # facts, by the link that they come with
        self.hello_due_ms: dict[str, int] = {}  # by node, for its newest link

    def copy(self, choose: Choose) -> "Model":
        """A copy of the state, with another `choose`."""
        other = Model.__new__(Model)
        for name, value in vars(self).items():
            other.__dict__[name] = value.copy() if isinstance(value, dict | set) else value
        other.rested = self.rested.copy()
        other.choose = choose
        return other

    def key(self) -> tuple[object, ...]:
        """A key that is equal for models that will behave alike."""
        maps = (self.tokens, self.nodes, self.links, self.held)
        others = (self.uses, self.days, self.revoked, self.profiles, self.operators)
        more = (self.operators_end, self.invitations, self.joined)
        ticks = sorted({tick for tick, _ in self.idle_since.values()})
        idle = tuple(
            (node, ticks.index(tick), self.reclaim_after_ms and at_ms)
            for node, (tick, at_ms) in sorted(self.idle_since.items())
        )
        known = [frozenset(entries.items()) for entries in (*maps, *others, *more)]
        servers = (self.replicas, self.removed, self.old, self.twins, self.databases)
        of_nodes = (self.assigned, self.linked, self.gone, self.waiting)
        sets = [frozenset(each) for each in (*of_nodes, *servers)]
        return (self.network, self.come_up, tuple(self.rested), idle, *known, *sets)

    # Nodes

    def unregister(self, *nodes: str) -> None:
        """UnRegister: remove the nodes, close their links, free their addresses."""
        if not self.nodes.keys() >= set(nodes):
            raise Refused("NodeUnknown")
        self._cut(nodes)
        self.free(nodes)
        self.linked.difference_update(nodes)
        self.gone.update(nodes)
        for node in nodes:
            del self.nodes[node], self.profiles[node]

    def update(self, node: str, name: str, label: str) -> None:
        """Nodes.Update: give it a name, a label, or both; "" leaves it as it is."""
        profile = self.profiles[node]
        if name and any(p.name == name for n, p in self.profiles.items() if n != node):
            raise Refused("NodeNameTaken")
        changed = profile._replace(name=name or profile.name, label=label or profile.label)
        self.profiles[node] = changed

    def assign(self, node: str, address: str) -> None:
        """Nodes.AssignAddress: its link ends if it had another one; "" lets it be reclaimed."""
        had = self.held.get(node, "")
        if not address and (not had or node not in self.assigned):
            return
        if address and address not in self.pool:
            raise Refused("AddressNotAssignable")
        if address and address in [held for other, held in self.held.items() if other != node]:
            raise Refused("AddressTaken")
        if had == address and node in self.assigned:
            return
        if address and had != address:
            if had:
                self._cut([node])
            self.free([node])
            self.take(node, address)
        (self.assigned.add if address else self.assigned.discard)(node)
        if node not in self.links:
            self.is_idle([node])

    def set_expiries(self, expiries: list[tuple[str, int]], now: Moment) -> None:
        """UpdateSensorExpireTime: all or nothing; the last entry of a node counts; ms, 0 never."""
        for node, _ in expiries:
            if node not in self.nodes:
                raise Refused("ListedNodeUnknown")
        if any(expires_at_ms > LATEST_EXPIRY_MS for _, expires_at_ms in expiries):
            raise Refused("ExpiryTooLate")
        for node, expires_at_ms in dict(expiries).items():
            had_passed = self.has_passed(self.nodes, node, now)
            self.nodes[node] = at(expires_at_ms) if expires_at_ms else None
            if had_passed or self.has_passed(self.nodes, node, now):
                self._cut([node])

    def expire(self, now: Moment) -> None:
        self._cut([node for node in self.links if self.has_passed(self.nodes, node, now)])

    def check_live(self, node: str, now: Moment) -> None:
        if node not in self.nodes:
            raise Refused("NodeUnknown")
        if self.has_passed(self.nodes, node, now):
            raise Refused("NodeExpired")

    # Links

    def accept(self, node: str, link: str, now: Moment) -> None:
        """The newer link wins; refused if there would be no address for it."""
        self.check_live(node, now)
        if self.links.get(node, (IDLE, ""))[1] == link:
            return
        if not self.has_good_address(node) and not self._possible_for(node):
            raise Refused("AddressPoolExhausted")
        self._cut([node])
        self.links[node] = (INIT, link)
        self.hello_due_ms[node] = now.earliest_ms + HELLO_LIMIT_MS
        self.idle_since.pop(node, None)

    def hand_over(self, node: str, link: str, now: Moment) -> None:
        """The current link gets the node's address, and is connected; if refused, it ends."""
        try:
            self._establish(node, link, now)
        except Refused:
            if self.links.get(node) == (INIT, link):
                self._cut([node])
            raise

    def _establish(self, node: str, link: str, now: Moment) -> None:
        self.check_live(node, now)
        state, current = self.links.get(node, (IDLE, ""))
        if current != link:
            raise Refused("LinkSuperseded")
        if state != INIT:
            raise Refused("IllegalTransition")
        self._have_address(node)
        self.linked.add(node)
        self.tell(node, self.telling.get(link, NO_FACTS))
        self.links[node] = (CONNECTED, link)

    def _have_address(self, node: str) -> None:
        if not self.has_good_address(node):
            possible = self._possible_for(node)
            if not possible:
                raise Refused("AddressPoolExhausted")
            address, loser = possible[0] if len(possible) == 1 else self.choose(possible)
            self.free([node])
            if loser:
                self.free([loser])
            self.take(node, address)

    def _possible_for(self, node: str) -> list[tuple[str, str]]:
        """The addresses that it may get; a newcomer beyond its token's share takes no other's."""
        takes = node in self.linked or not self.is_beyond_share(self.profiles[node].rank)
        return self.next_addresses(takes=takes)

    def drop(self, node: str, link: str) -> None:
        if self.links.get(node, (IDLE, ""))[1] == link:
            self._cut([node])

    def act_alone(self, now: Moment) -> None:
        """Background work of the server: each expired link has been closed, or not yet.

        The sweep closes links of expired nodes; a handshake has a time limit.
        """
        self.now_ms = now.latest_ms
        if self.acts_alone:
            ended = [
                node
                for node, (state, _) in self.links.items()
                if (
                    self.has_passed(self.nodes, node, now)
                    or (state == INIT and now.latest_ms >= self.hello_due_ms[node])
                )
                and self.choose([True, False])
            ]
            self._cut(ended)

    # The server's life

    def start(self, network: str, now_ms: int = 0) -> None:
        """Every link ends, now; another network is given out from its beginning."""
        self.now_ms = now_ms
        self.change_network(network)
        self.waiting.clear()
        self.old.clear()
        self.stop()

    def stop(self) -> None:
        self._cut(self.links)

    # Parts of the commands

    def _cut(self, nodes: Iterable[str]) -> None:
        """Close these nodes' links at the same moment."""
        self.is_idle([node for node in list(nodes) if self.links.pop(node, None)])
