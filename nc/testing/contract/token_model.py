"""Bootstrap tokens in the model, and the nodes that redeem them."""

from collections.abc import Iterable

from nc.testing.contract.address_model import AddressModel, Choose
from nc.testing.contract.values import (
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
)


class TokenModel(AddressModel):
    """Tokens and nodes; the arguments are those of `Model`."""

    def __init__(self, network: str, choose: Choose, limits: Limits) -> None:
        super().__init__(network, choose, limits.reclaim_after_ms)
        self.max_nodes = limits.max_nodes
        self.tokens: dict[str, Expiry] = {}
        self.terms: dict[str, Terms] = {}  # of the tokens that have some
        self.uses: dict[str, int] = {}  # of those
        self.revoked: dict[str, Moment] = {}  # tokens
        self.days: dict[str, tuple[int, int]] = {}  # see `_rank`
        self.nodes: dict[str, Expiry] = {}
        self.profiles: dict[str, Profile] = {}

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

    def redeem(self, token: str, node: str, now: Moment) -> None:
        """GetToken: as many nodes as the token's terms say, until it expires or is revoked."""
        if token not in self.tokens:
            raise Refused("BootstrapTokenUnknown")
        if token in self.revoked:
            raise Refused("BootstrapTokenRevoked")
        if self.has_passed(self.tokens, token, now):
            raise Refused("BootstrapTokenExpired")
        terms, uses = self.terms.get(token, NO_TERMS), self.uses.get(token, 0)
        if 0 < terms.max_uses <= uses:
            raise Refused("BootstrapTokenUsedUp")
        if 0 < terms.max_nodes <= len(self.nodes_of(token)):
            raise Refused("TokenNodesReached")
        if node in self.nodes:
            raise Refused("IdTaken")
        if 0 < self.max_nodes <= len(self.nodes):
            raise Refused("NodesReached")
        if token in self.terms:
            self.uses[token] = uses + 1
        self.nodes[node] = None
        name = f"{terms.prefix or 'node-'}#"
        self.days[token] = self._rank(token, now.latest_ms)
        self.profiles[node] = Profile(token, self.days[token][1], name, terms.label)

    def _rank(self, token: str, now_ms: int) -> tuple[int, int]:
        """When the token's day began, which its first node after a day begins; its nodes since."""
        began_ms, rank = self.days.get(token, (now_ms, 0))
        is_same_day = began_ms <= now_ms < began_ms + DAY_MS
        return (began_ms, rank + 1) if is_same_day else (now_ms, 1)

    def nodes_of(self, token: str) -> list[str]:
        """The registered nodes that redeemed a token."""
        return [node for node, profile in self.profiles.items() if profile.token == token]

    def revoke(self, token: str, now: Moment) -> None:
        """BootstrapTokens.Revoke: again, it changes nothing."""
        if token not in self.tokens:
            raise Refused("TokenReferenceUnknown")
        self.revoked.setdefault(token, now)

    def forget(self, now: Moment, tokens: Iterable[str] | None = None) -> None:
        """Tokens that expired or were revoked a day ago are not remembered."""
        for token in list(self.tokens if tokens is None else tokens):
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
