"""Chooses the next operation, from the names known so far: mostly a valid one.

Now and then a token is wrong, a link is another node's, or a list has an unknown node in it. Both
workloads, that of one server's trials and that of a simulated cluster, draw from here. The choice
itself is a function, `Pick`: of a seeded random, or of Hypothesis. The first of the options is the
simplest one.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from nc.testing.contract import operations as ops
from nc.testing.contract.model import TEN_YEARS_MINUTES

T = TypeVar("T")

WRONG_TOKENS = ("", "0123456789abcdef", "ffffffffffffffff", "0123456789ABCDEF", "5eed", "x" * 64)
_IN_NO_LIST = (WRONG_TOKENS[1], ops.SERVER_NODE)  # for these a list is refused

_MOST_LISTED = 4
_FAR_S = 30 * 24 * 3600
_USUALLY = 6  # of so many choices one is unusual
_COIN = tuple(range(_USUALLY))


class Pick(Protocol):
    """Chooses one of several things."""

    def __call__(self, options: Sequence[T], /) -> T:
        """One of the options, of which there is at least one."""


class Choices:
    """Chooses operations.

    Args:
        pick: makes each choice.
        with_certificates: whether calls can be made with nodes' certificates.
        with_eternity: whether bootstrap tokens may be asked for that never expire.
        with_links: whether operations may be about links.
        with_sweep: whether the server can be asked to sweep.

    Attributes:
        tokens, nodes: names that were given a token, also those that are gone or expired.
        links: every link that was asked for, by node.
    """

    def __init__(
        self,
        pick: Pick,
        *,
        with_certificates: bool = True,
        with_eternity: bool = True,
        with_links: bool = True,
        with_sweep: bool = True,
    ) -> None:
        self.pick = pick
        self.tokens: list[str] = []
        self.nodes: list[str] = []
        self.links: dict[str, list[str]] = {}
        self._with_certificates = with_certificates
        self._with_eternity = with_eternity
        self._kinds: list[Callable[[int], ops.Operation]] = [
            *(self.query, self.redemption, self.issue, self.departure, self.expiries, self.health),
            *[self.link_operation] * 2 * with_links,
            *[lambda _now_ms: ops.Sweep()] * with_sweep,
        ]
        self._made = 0

    def fresh(self, what: str) -> str:
        self._made += 1
        return f"{what} {self._made}"

    def learn(self, operations: Iterable[ops.Operation]) -> None:
        """Remember the names in operations that were done, and in all that open links."""
        for operation in operations:
            match operation:
                case ops.IssueToken(token):
                    self.tokens.append(token)
                case ops.Redeem(_, node):
                    self.nodes.append(node)
                case ops.OpenLink(node, link):
                    links = self.links.setdefault(node, [])
                    if link not in links:
                        links.append(link)

    def _mostly(self, usual: Sequence[str], rare: Sequence[str]) -> str:
        if usual and self.pick(_COIN) < _USUALLY - 1:
            return self.pick(usual)
        return self.pick(rare)

    def _token(self) -> str:
        return self._mostly(self.tokens, (*WRONG_TOKENS, *self.nodes[:1]))

    def _node(self) -> str:
        return self._mostly(self.nodes, (ops.SERVER_NODE, *WRONG_TOKENS, *self.tokens[:1]))

    def _caller(self) -> str:
        if not self._callers or self.pick(_COIN) < _USUALLY - 2:
            return ops.ADMIN
        return self.pick(self._callers)

    @property
    def _callers(self) -> list[str]:
        """The nodes whose certificates may be called with."""
        return self.nodes if self._with_certificates else []

    def operation(self, now_ms: int) -> ops.Operation:
        return self.pick(self._kinds)(now_ms)

    def query(self, _now_ms: int = 0) -> ops.CheckState | ops.GetAddress:
        node, caller = self._node(), self._caller()
        queries: tuple[ops.CheckState | ops.GetAddress, ...] = (
            ops.CheckState(node, caller),
            ops.GetAddress(node, caller),
        )
        return self.pick(queries)

    def issue(self, _now_ms: int = 0) -> ops.IssueToken:
        """IssueToken, with a usual lifetime or one at the limits."""
        eternal = (-1,) if self._with_eternity else ()
        minutes = self.pick((10, 1, 0, 5, *eternal, TEN_YEARS_MINUTES + 1, 2**31 - 1))
        return ops.IssueToken(self.fresh("token"), minutes, self._caller())

    def redemption(self, _now_ms: int = 0) -> ops.Redeem:
        port = self.pick((ops.Port.BOOTSTRAP, ops.Port.CONTROL))
        caller = self._caller() if port is ops.Port.CONTROL else ops.ADMIN
        return ops.Redeem(self._token(), self.fresh("node"), port, caller)

    def departure(self, _now_ms: int = 0) -> ops.Unregister:
        """Unregister, by the administrator, by the node itself or by another node."""
        if not self._callers or self.pick((True, True, False)):
            return ops.Unregister(self._node())
        caller = self.pick(self._callers)
        return ops.Unregister(self.pick((caller, self.pick(self._callers))), caller)

    def expiries(self, now_ms: int) -> ops.SetExpiries:
        """SetExpiries: never, or a moment near to now or far from it."""
        now_s = now_ms // 1000
        moments = (0, *(now_s + s for s in (_FAR_S, 1, 60, -1, 0, 2, -3600, _FAR_S)))
        count = self.pick(range(1, _MOST_LISTED + 1))
        listed = [(self._mostly(self.nodes, _IN_NO_LIST), self.pick(moments)) for _ in range(count)]
        return ops.SetExpiries(tuple(listed), self._caller())

    def health(self, _now_ms: int = 0) -> ops.CheckHealth:
        return ops.CheckHealth(self.pick((ops.Port.CONTROL, ops.Port.BOOTSTRAP)))

    def link_operation(self, _now_ms: int = 0) -> ops.LinkOperation:
        """An operation on a new link, or on any earlier one."""
        if not self.nodes:
            return ops.OpenLink(self.pick(WRONG_TOKENS), self.fresh("link"))
        owner = self.pick(self.nodes)
        old = self.links.get(owner, [])
        fresh = ops.OpenLink(owner, self.fresh("link"))
        if not old:
            return fresh
        newest, some = old[-1], self.pick(old)
        options: tuple[ops.LinkOperation, ...] = (
            fresh,
            ops.Handshake(owner, newest),
            ops.CloseLink(owner, newest),
            ops.CloseLink(owner, some),
            ops.Handshake(owner, some),
        )
        return self.pick(options)
