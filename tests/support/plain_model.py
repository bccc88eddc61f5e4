"""What the network controller should do, written down once more in plain dictionaries.

Nothing in here is taken from `nc.domain`, so that a mistake has to be made twice to go unseen. It
follows the contract's words; the names of the refusals are all that it shares with the code.
"""

from ipaddress import IPv4Address, IPv4Interface

DAY_MS = 24 * 60 * 60 * 1000
TEN_YEARS_MINUTES = 5_256_000


class Refused(Exception):
    """The command changes nothing; the argument names the error that says so."""


def assignable(network: str) -> list[str]:
    """The addresses for nodes: the odd hosts from .3 up, then host 1 unless the server is there."""
    interface = IPv4Interface(network)
    first, last = interface.network.network_address, interface.network.broadcast_address
    server = interface.ip if interface.ip != first else first + 1
    return [
        str(IPv4Address(number))
        for number in [*range(int(first) + 3, int(last), 2), int(first) + 1]
        if number % 256 != 255 and abs(number - int(server)) > 1
    ]


class PlainModel:
    """Tokens, nodes, links and addresses, each command a method that changes them or refuses."""

    def __init__(self) -> None:
        self.network = "10.1.1.1/24"
        self.pool = assignable(self.network)
        self.come_up = 0  # how many of the pool have had their turn since the network was chosen
        self.rested: list[str] = []  # released, longest ago first
        self.tokens: dict[str, int] = {}  # expiry, 0 never
        self.nodes: dict[str, int] = {}  # expiry, 0 never
        self.links: dict[str, tuple[str, str]] = {}  # state and link id of whoever is not idle
        self.held: dict[str, str] = {}  # address by node
        self.digested = 0  # the event that the last recorded digest is of
        self.idle_order: list[str] = []  # holders of addresses that are idle, longest first

    # Tokens

    def issue(self, token: str, minutes: int, now: int) -> None:
        """GetBootStrapToken: 0 minutes are ten, fewer are for ever."""
        if minutes > TEN_YEARS_MINUTES:
            raise Refused("LifetimeTooLong")
        if token in self.tokens:
            raise Refused("IdTaken")
        if minutes < 0:
            self.tokens[token] = 0
        else:
            self.tokens[token] = now + (10 if minutes == 0 else minutes) * 60_000

    def redeem(self, token: str, node: str, now: int) -> None:
        """GetToken: any number of nodes until the token expires."""
        if token not in self.tokens:
            raise Refused("BootstrapTokenUnknown")
        if self.tokens[token] and self.tokens[token] <= now:
            raise Refused("BootstrapTokenExpired")
        if node in self.nodes:
            raise Refused("IdTaken")
        self.nodes[node] = 0

    def forget(self, now: int) -> None:
        """Tokens that expired a day ago are not remembered."""
        for token, expiry in list(self.tokens.items()):
            if expiry and now - expiry >= DAY_MS:
                del self.tokens[token]

    # Nodes

    def unregister(self, node: str) -> None:
        """Gone for good; the link is cut and the address free."""
        if node not in self.nodes:
            raise Refused("NodeUnknown")
        self._cut(node)
        self._free(node)
        del self.nodes[node]

    def set_expiries(self, expiries: list[tuple[str, int]], now: int) -> None:
        """All or nothing; of a repeated node the last one counts."""
        for node, _ in expiries:
            if node not in self.nodes:
                raise Refused("ListedNodeUnknown")
        last_word = dict(expiries)
        for node, expiry in last_word.items():
            self.nodes[node] = expiry
            if expiry and expiry <= now:
                self._cut(node)

    def expire(self, now: int) -> None:
        """Cut the links of nodes whose time is over."""
        for node in sorted(self.links):
            if self.nodes[node] and self.nodes[node] <= now:
                self._cut(node)

    # Links

    def accept(self, node: str, link: str, now: int) -> None:
        """The newer link wins; refused if there would be no address for it."""
        self._check_live(node, now)
        if self.links.get(node, ("", ""))[1] == link:
            return
        if not self._has_good_address(node):
            self._next_address()
        self._cut(node)
        self.links[node] = ("INIT", link)
        if node in self.idle_order:
            self.idle_order.remove(node)

    def hand_over(self, node: str, link: str, now: int) -> None:
        """The current link gets the node's address, and is connected."""
        self._check_live(node, now)
        state, current = self.links.get(node, ("IDLE", ""))
        if current != link:
            raise Refused("LinkSuperseded")
        if state != "INIT":
            raise Refused("IllegalTransition")
        if not self._has_good_address(node):
            address, loser = self._next_address()
            self._free(node)
            if loser:
                self._free(loser)
            self._take(node, address)
        self.links[node] = ("CONNECTED", link)

    def drop(self, node: str, link: str) -> None:
        """Only the current link can be dropped."""
        if self.links.get(node, ("", ""))[1] == link:
            self._cut(node)

    # The replica's life

    def start(self, network: str) -> None:
        """Nobody has a link; another network is given out from its beginning."""
        network = network.replace(".0/", ".1/")  # the network's own address stands for host 1
        if network != self.network:
            self.network = network
            self.pool = assignable(network)
            self.come_up = 0
            self.rested = []
        self.stop()

    def stop(self) -> None:
        """Nobody has a link."""
        for node in sorted(self.links):
            self._cut(node)

    def record_digest(self, seq: int) -> None:
        """Of an event later than the last time, or not at all."""
        self.digested = max(self.digested, seq)

    # What the commands are made of

    def _check_live(self, node: str, now: int) -> None:
        if node not in self.nodes:
            raise Refused("NodeUnknown")
        if self.nodes[node] and self.nodes[node] <= now:
            raise Refused("NodeExpired")

    def _cut(self, node: str) -> None:
        if self.links.pop(node, None) and node in self.held:
            self.idle_order.append(node)

    def _has_good_address(self, node: str) -> bool:
        return self.held.get(node) in self.pool

    def _next_address(self) -> tuple[str, str | None]:
        """What the next newcomer gets, and who has to give it up for that."""
        fresh = [a for a in self.pool[self.come_up :] if a not in self.held.values()]
        if fresh or self.rested:
            return (fresh or self.rested)[0], None
        for node in self.idle_order:
            if self._has_good_address(node):
                return self.held[node], node
        raise Refused("AddressPoolExhausted")

    def _take(self, node: str, address: str) -> None:
        if address in self.rested:
            self.rested.remove(address)
        else:
            self.come_up = self.pool.index(address) + 1
        self.held[node] = address

    def _free(self, node: str) -> None:
        address = self.held.pop(node, None)
        if node in self.idle_order:
            self.idle_order.remove(node)
        if address in self.pool[: self.come_up]:
            self.rested.append(address)
