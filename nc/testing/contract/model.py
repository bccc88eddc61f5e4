"""A reference model of a network controller, in plain dictionaries.

Nothing in here is taken from `nc.domain`, so that a mistake has to be made twice to go unseen. It
follows the contract's words. What the contract leaves open is a choice: the model asks for it
(`choose`), and `PossibleStates` tries each. A moment is an interval, since
from a real server it is known only between which two times it answered.

    model = Model("10.1.1.1/24")
    model.issue("t", 10, at(0))
    model.redeem("t", "n", at(600_000))     raises Refused("BootstrapTokenExpired")
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from nc.testing.contract.overlay import assignable, named

T = TypeVar("T")
Choose = Callable[[list[Any]], Any]

DAY_MS = 24 * 60 * 60 * 1000
MINUTE_MS = 60_000
DEFAULT_MINUTES = 10
TEN_YEARS_MINUTES = 5_256_000

HELLO_LIMIT_MS = 10_000  # how long a link may go without a handshake

IDLE, INIT, CONNECTED = -1, 1, 3  # as clients see them


class Moment(NamedTuple):
    """Something happened between these two times, Unix milliseconds, both included."""

    earliest_ms: int
    latest_ms: int

    def plus(self, ms: int) -> "Moment":
        """Both bounds, `ms` later."""
        return Moment(self.earliest_ms + ms, self.latest_ms + ms)


Expiry = Moment | None  # None: never


def at(ms: int) -> Moment:
    """An exact moment."""
    return Moment(ms, ms)


class Refused(Exception):
    """The command changes nothing; the argument says why, in one word."""


class Model:
    """Tokens, nodes, links and addresses, each command a method that changes them or refuses.

    Args:
        network: the server's own address in the overlay, and the prefix length.
        choose: picks one of several things that the contract allows; by default the first.
        acts_alone: whether the server ends links by itself when their time has come.
    """

    def __init__(
        self,
        network: str = "10.1.1.1/24",
        choose: Choose = lambda options: options[0],
        *,
        acts_alone: bool = False,
    ) -> None:
        self.choose = choose
        self.acts_alone = acts_alone
        self.network = named(network)
        self.pool = assignable(network)
        self.come_up = 0  # how many of the pool have had their turn since the network was chosen
        self.rested: list[str] = []  # released, longest ago first
        self.tokens: dict[str, Expiry] = {}
        self.nodes: dict[str, Expiry] = {}
        self.links: dict[str, tuple[int, str]] = {}  # state and link, unless idle
        self.hello_due_ms: dict[str, int] = {}  # by node, for its newest link
        self.held: dict[str, str] = {}  # address by node
        self.idle_since: dict[str, int] = {}  # tick; the nodes that hold an address and are idle
        self.tick = 0  # a command's turn: what one command makes idle at once has the same

    def copy(self, choose: Choose) -> "Model":
        """A copy of the state, with another `choose`."""
        other = Model.__new__(Model)
        other.__dict__.update(self.__dict__)
        other.choose = choose
        for name in ("rested", "tokens", "nodes", "links", "hello_due_ms", "held", "idle_since"):
            setattr(other, name, getattr(self, name).copy())
        return other

    def key(self) -> tuple[object, ...]:
        """A key that is equal for models that will behave alike."""
        maps = (self.tokens, self.nodes, self.links, self.held)
        ticks = sorted(set(self.idle_since.values()))
        idle = tuple((node, ticks.index(self.idle_since[node])) for node in self.idle_order)
        rested = tuple(self.rested)
        known = [frozenset(entries.items()) for entries in maps]
        return (self.network, self.come_up, rested, idle, *known)

    @property
    def idle_order(self) -> list[str]:
        """The idle nodes that hold an address, longest idle first."""
        return sorted(self.idle_since, key=lambda node: (self.idle_since[node], node))

    # Tokens

    def issue(self, token: str, minutes: int, now: Moment) -> None:
        """GetBootStrapToken: 0 minutes are ten, fewer are for ever."""
        if minutes > TEN_YEARS_MINUTES:
            raise Refused("LifetimeTooLong")
        if token in self.tokens:
            raise Refused("IdTaken")
        if minutes < 0:
            self.tokens[token] = None
        else:
            self.tokens[token] = now.plus((minutes or DEFAULT_MINUTES) * MINUTE_MS)

    def redeem(self, token: str, node: str, now: Moment) -> None:
        """GetToken: any number of nodes until the token expires."""
        if token not in self.tokens:
            raise Refused("BootstrapTokenUnknown")
        if self._has_passed(self.tokens, token, now):
            raise Refused("BootstrapTokenExpired")
        if node in self.nodes:
            raise Refused("IdTaken")
        self.nodes[node] = None

    def forget(self, now: Moment, tokens: Iterable[str] | None = None) -> None:
        """Tokens that expired a day ago are not remembered."""
        for token in list(self.tokens if tokens is None else tokens):
            expiry = self.tokens.get(token)
            if expiry is not None and now.earliest_ms - expiry.latest_ms >= DAY_MS:
                del self.tokens[token]

    # Nodes

    def unregister(self, node: str) -> None:
        """UnRegister: remove the node, close its link, free its address."""
        if node not in self.nodes:
            raise Refused("NodeUnknown")
        self._cut([node])
        self._free(node)
        del self.nodes[node]

    def set_expiries(self, expiries: list[tuple[str, int]], now: Moment) -> None:
        """UpdateSensorExpireTime: all or nothing; the last entry of a node counts; ms, 0 never."""
        for node, _ in expiries:
            if node not in self.nodes:
                raise Refused("ListedNodeUnknown")
        for node, expires_at_ms in dict(expiries).items():
            had_passed = self._has_passed(self.nodes, node, now)
            self.nodes[node] = at(expires_at_ms) if expires_at_ms else None
            if had_passed or self._has_passed(self.nodes, node, now):
                self._cut([node])

    def expire(self, now: Moment) -> None:
        """Close the links of expired nodes."""
        self._cut([node for node in self.links if self._has_passed(self.nodes, node, now)])

    def check_live(self, node: str, now: Moment) -> None:
        """Refuse a node that is unknown or expired."""
        if node not in self.nodes:
            raise Refused("NodeUnknown")
        if self._has_passed(self.nodes, node, now):
            raise Refused("NodeExpired")

    # Links

    def accept(self, node: str, link: str, now: Moment) -> None:
        """The newer link wins; refused if there would be no address for it."""
        self.check_live(node, now)
        if self.links.get(node, (IDLE, ""))[1] == link:
            return
        if not self._has_good_address(node) and not self._next_addresses():
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
        self.links[node] = (CONNECTED, link)

    def _have_address(self, node: str) -> None:
        if not self._has_good_address(node):
            possible = self._next_addresses()
            if not possible:
                raise Refused("AddressPoolExhausted")
            address, loser = possible[0] if len(possible) == 1 else self.choose(possible)
            self._free(node)
            if loser:
                self._free(loser)
            self._take(node, address)

    def drop(self, node: str, link: str) -> None:
        if self.links.get(node, (IDLE, ""))[1] == link:
            self._cut([node])

    def act_alone(self, now: Moment) -> None:
        """Background work of the server: each expired link has been closed, or not yet.

        The sweep closes links of expired nodes; a handshake has a time limit.
        """
        if self.acts_alone:
            ended = [
                node
                for node, (state, _) in self.links.items()
                if (
                    self._has_passed(self.nodes, node, now)
                    or (state == INIT and now.latest_ms >= self.hello_due_ms[node])
                )
                and self.choose([True, False])
            ]
            self._cut(ended)

    # The server's life

    def start(self, network: str) -> None:
        """Every link ends; another network is given out from its beginning."""
        if named(network) != self.network:
            self.network = named(network)
            self.pool = assignable(network)
            self.come_up = 0
            self.rested = []
        self.stop()

    def stop(self) -> None:
        """Every link ends."""
        self._cut(self.links)

    # Parts of the commands

    def _has_passed(self, expiries: dict[str, Expiry], name: str, now: Moment) -> bool:
        """Whether its expiry is over: from its very millisecond on, it is.

        Where the two intervals overlap, it is a choice, which is remembered.
        """
        expiry = expiries[name]
        if expiry is None or now.latest_ms < expiry.earliest_ms:
            return False
        if now.earliest_ms >= expiry.latest_ms:
            return True
        has_passed: bool = self.choose([True, False])
        expiries[name] = (
            Moment(expiry.earliest_ms, min(expiry.latest_ms, now.latest_ms))
            if has_passed
            else Moment(max(expiry.earliest_ms, now.earliest_ms + 1), expiry.latest_ms)
        )
        return has_passed

    def _cut(self, nodes: Iterable[str]) -> None:
        """Close these nodes' links at the same moment, so that all are idle equally long."""
        self.tick += 1
        for node in list(nodes):
            if self.links.pop(node, None) and node in self.held:
                self.idle_since[node] = self.tick

    def _has_good_address(self, node: str) -> bool:
        return self.held.get(node) in self.pool

    def _next_addresses(self) -> list[tuple[str, str]]:
        """The addresses that the next node may get, each with the node that loses it, if any."""
        held = set(self.held.values())
        fresh = next((a for a in self.pool[self.come_up :] if a not in held), None)
        if fresh or self.rested:
            return [(fresh or self.rested[0], "")]
        idle = [node for node in self.idle_order if self._has_good_address(node)]
        longest = [node for node in idle if self.idle_since[node] == self.idle_since[idle[0]]]
        return [(self.held[node], node) for node in longest]

    def _take(self, node: str, address: str) -> None:
        if address in self.rested:
            self.rested.remove(address)
        else:
            self.come_up = self.pool.index(address) + 1
        self.held[node] = address

    def _free(self, node: str) -> None:
        address = self.held.pop(node, None)
        self.idle_since.pop(node, None)
        if address in self.pool[: self.come_up]:
            self.rested.append(address)
