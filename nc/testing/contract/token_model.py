"""Bootstrap tokens in the model, and the nodes that redeem them."""

import re

from nc.testing.contract.address_model import AddressModel, Choose
from nc.testing.contract.values import (
    DATABASE,
    DAY_MS,
    DEFAULT_MINUTES,
    MINUTE_MS,
    NO_TERMS,
    TEN_YEARS_MINUTES,
    Expiry,
    Limits,
    Moment,
    Profile,
    Refused,
    Terms,
    Told,
    imported_nodes,
)


def label_of(text: str) -> str:
    """The DNS label nearest to a hostname or a name; "" if there is none."""
    return re.sub("[^a-z0-9]+", "-", text.partition(".")[0].lower()).strip("-")


class TokenModel(AddressModel):
    """Tokens and nodes; the arguments are those of `Model`."""

    def __init__(self, network: str, choose: Choose, limits: Limits, now_ms: int) -> None:
        super().__init__(network, choose, limits.reclaim_after_ms)
        self.now_ms = now_ms
        self.max_nodes = limits.max_nodes
        self.tokens: dict[str, Expiry] = {}
        self.terms: dict[str, Terms] = {}  # of the tokens that have some
        self.uses: dict[str, int] = {}  # of those
        self.revoked: dict[str, Moment] = {}  # tokens
        self.days: dict[str, tuple[int, int]] = {}  # see `_rank`
        self.nodes: dict[str, Expiry] = {}
        self.profiles: dict[str, Profile] = {}
        self.gone: set[str] = set()  # nodes that were unregistered
        self.databases = {DATABASE} if limits.imported else set[str]()  # that were imported
        for node in imported_nodes(limits.imported):
            is_first = node == imported_nodes(1)[0]
            self.import_node(node, self.pool[-1] if is_first and self.pool else "")

    def import_node(self, node: str, address: str) -> None:
        """Register a node of an upstream server's database; "" is no address."""
        self.nodes[node] = None
        self.profiles[node] = Profile("", 0, "node-#", is_imported=True)
        if address:
            self.take(node, address)
            self.is_idle([node])

    def issue(self, token: str, minutes: int, now: Moment, terms: Terms = NO_TERMS) -> None:
        """0 minutes are ten, fewer are for ever."""
        if minutes > TEN_YEARS_MINUTES:
            raise Refused("LifetimeTooLong")
        if token in self.tokens:
            raise Refused("IdTaken")
        if minutes < 0:
            self.tokens[token] = None
        else:
            self.tokens[token] = now.plus((minutes or DEFAULT_MINUTES) * MINUTE_MS)
        if terms != NO_TERMS:
            self.terms[token] = terms

    def check_redeemable(self, token: str, now: Moment) -> None:
        """Refuse a token that lets nobody in any more, whoever leaves."""
        if token not in self.tokens:
            raise Refused("BootstrapTokenUnknown")
        if token in self.revoked:
            raise Refused("BootstrapTokenRevoked")
        if self.has_passed(self.tokens, token, now):
            raise Refused("BootstrapTokenExpired")
        if 0 < self.terms.get(token, NO_TERMS).max_uses <= self.uses.get(token, 0):
            raise Refused("BootstrapTokenUsedUp")

    def redeem(self, token: str, node: str, now: Moment) -> None:
        """GetToken: as many nodes as the token's terms say, until it expires or is revoked."""
        self.check_redeemable(token, now)
        terms = self.terms.get(token, NO_TERMS)
        if 0 < terms.max_nodes <= len(self.nodes_of(token)):
            raise Refused("TokenNodesReached")
        if node in self.nodes:
            raise Refused("IdTaken")
        if 0 < self.max_nodes <= len(self.nodes):
            raise Refused("NodesReached")
        if token in self.terms:
            self.uses[token] = self.uses.get(token, 0) + 1
        self.nodes[node] = None
        name = f"{terms.prefix or 'node-'}#"
        self.days[token] = self._rank(token, now.latest_ms)
        self.profiles[node] = Profile(token, self.days[token][1], name, terms.label)

    def enrol(self, token: str, node: str, key: str, name: str, told: Told, now: Moment) -> None:
        """Enrol: as GetToken, but with a machine's key; the same attempt again changes nothing."""
        profile = self.profiles.get(node)
        if profile and (profile.token, profile.key) == (token, key) and token in self.tokens:
            return
        if node in self.gone:
            raise Refused("NodeUnregistered")
        if profile and profile.key != key:
            raise Refused("NotTheNodesKey")
        self.redeem(token, node, now)
        wanted = label_of(name or told.hostname)
        made = self.profiles[node]
        if wanted:
            name = self._free_name(self.terms.get(token, NO_TERMS).prefix + wanted)
        self.profiles[node] = made._replace(name=name if wanted else made.name, key=key, told=told)

    def _free_name(self, name: str) -> str:
        """The name, with -2 if it is taken; then with one more than a taken number."""
        taken = {profile.name for profile in self.profiles.values()}
        if not {name, f"{name}-2"} <= taken:
            return f"{name}-2" if name in taken else name
        numbers = range(3, len(taken) + 3)
        options = [n for n in numbers if f"{name}-{n - 1}" in taken and f"{name}-{n}" not in taken]
        return f"{name}-{self.choose(options)}"

    def renew(self, node: str, key: str, told: Told, now: Moment) -> None:
        """Renew: for a registered node's own key; an imported node's first renewal brings it."""
        profile = self.profiles[node]
        if not profile.key and not profile.is_imported:
            raise Refused("NodeKeyUnknown")
        if profile.key not in {"", key}:
            raise Refused("NotTheNodesKey")
        if self.has_passed(self.nodes, node, now):
            raise Refused("NodeExpired")
        self.profiles[node] = profile._replace(key=key, is_imported=False)
        self.tell(node, told)

    def tell(self, node: str, told: Told) -> None:
        profile = self.profiles[node]
        self.profiles[node] = profile._replace(told=told.after(profile.told))

    def _rank(self, token: str, now_ms: int) -> tuple[int, int]:
        """When the token's day began, which its first node after a day begins; its nodes since."""
        began_ms, rank = self.days.get(token, (now_ms, 0))
        is_same_day = began_ms <= now_ms < began_ms + DAY_MS
        return (began_ms, rank + 1) if is_same_day else (now_ms, 1)

    def nodes_of(self, token: str) -> list[str]:
        return [node for node, profile in self.profiles.items() if profile.token == token]

    def revoke(self, token: str, now: Moment) -> None:
        """BootstrapTokens.Revoke: again, it changes nothing."""
        if token not in self.tokens:
            raise Refused("TokenReferenceUnknown")
        self.revoked.setdefault(token, now)

    def forget(self, now: Moment) -> None:
        """Tokens that expired or were revoked a day ago are not remembered."""
        for token in list(self.tokens):
            ends = [end for end in (self.tokens.get(token), self.revoked.get(token)) if end]
            if ends and now.earliest_ms - min(end.latest_ms for end in ends) >= DAY_MS:
                self.tokens.pop(token, None)
                self.revoked.pop(token, None)

    def has_passed(self, expiries: dict[str, Expiry], name: str, now: Moment) -> bool:
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
