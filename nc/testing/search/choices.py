"""Chooses the next operation, from the names known so far: mostly a valid one.

Now and then a token is wrong, a link is another node's, or a list has an unknown node in it. Both
workloads, that of one server's trials and that of a simulated cluster, draw from here. The choice
itself is a function, `Pick`: of a seeded random, or of Hypothesis. The first of the options is the
simplest one.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from nc.testing.contract import administration as adm
from nc.testing.contract import enrolment as enr
from nc.testing.contract import membership as mem
from nc.testing.contract import operations as ops
from nc.testing.contract.values import (
    ADMIN,
    TEN_YEARS_MINUTES,
    UPSTREAM,
    VIEWER,
    Told,
    imported_nodes,
    old,
    owner,
)
from nc.testing.targets.target import Ability

T = TypeVar("T")

WRONG_TOKENS = ("", "0123456789abcdef", "ffffffffffffffff", "0123456789ABCDEF", "5eed", "x" * 64)
_SHORT = WRONG_TOKENS[4]
_IN_NO_LIST = (WRONG_TOKENS[1], ops.SERVER_NODE)  # for these a list is refused

# In all networks of trials or some, taken mostly; the server's; of none.
_ADDRESSES = ("10.1.1.5", "10.1.1.3", "", "10.1.1.13", "10.1.1.1", "10.1.1.6", "192.0.2.3")

# Names that a machine asks for, and its hostnames: few, so that most are taken.
_WANTED = ("", "", "", "db", "web-1")
_HOSTNAMES = ("db", "Web_1.example", "1", "")
_VERSIONS = ("1.0", "", "1.1")
THIEF = "another machine"

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
        has: what the target can do.
        imported: how many nodes were imported.

    Attributes:
        tokens, nodes: names that were given a token, also those that are gone or expired.
        operators: names that were given a certificate, also those that were revoked.
        attempts: to enrol, as they were first made, whatever was answered.
        links: every link that was asked for, by node.
    """

    def __init__(
        self, pick: Pick, has: Container[Ability] = frozenset(Ability), imported: int = 0
    ) -> None:
        self.pick = pick
        self._has = has
        self.tokens: list[str] = []
        self._imported = imported_nodes(imported)
        self._renewed: list[str] = []  # nodes
        self.nodes: list[str] = [*self._imported]
        self.attempts: list[enr.Enrol] = []
        self.operators: list[str] = []
        self.links: dict[str, list[str]] = {}
        self._kinds: list[Callable[[int], ops.Operation]] = [
            *(self.query, self.redemption, self.issue, self.departure, self.expiries, self.health),
            *[self.link_operation] * 2 * (Ability.LINKS in has),
            *[lambda _now_ms: ops.Sweep()] * (Ability.SWEEP in has),
            *[self.administration] * 2 * (Ability.ADMINISTRATION in has),
            *(self.enrol, self.renewal) * (Ability.ENROLMENT in has),
            *[lambda _now_ms: enr.CheckAsUpstream(self._node())] * (Ability.ENROLMENT in has),
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
                case ops.Redeem(_, node) if node not in self.nodes:
                    self.nodes.append(node)
                case enr.Renew(node):
                    self._renewed.append(node)
                case mem.TakeBack(node) if node not in self.nodes:
                    self.nodes.append(node)
                case adm.IssueOperator(operator):
                    self.operators.append(operator)
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
            return ADMIN
        return self.pick(self._callers)

    @property
    def _callers(self) -> list[str]:
        """The certificates of nodes and operators that may be called with."""
        if Ability.CERTIFICATES not in self._has:
            return []
        nodes = [n for n in self.nodes if n not in self._imported or n in self._renewed]
        return [*nodes, *map(old, self._renewed), *self.operators]

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
        eternal = (-1,) if Ability.ETERNITY in self._has else ()
        minutes = self.pick((10, 1, 0, 5, *eternal, TEN_YEARS_MINUTES + 1, 2**31 - 1))
        return ops.IssueToken(self.fresh("token"), minutes, self._caller())

    def redemption(self, _now_ms: int = 0) -> ops.Redeem:
        port = self.pick((ops.Port.BOOTSTRAP, ops.Port.CONTROL))
        caller = self._caller() if port is ops.Port.CONTROL else ADMIN
        return ops.Redeem(self._token(), self.fresh("node"), port, caller)

    def departure(self, _now_ms: int = 0) -> ops.Unregister:
        """Unregister, by the administrator, by the node itself or by another node."""
        if not (self._callers and self.nodes) or self.pick((True, True, False)):
            return ops.Unregister(self._node())
        caller = self.pick(self._callers)
        return ops.Unregister(self.pick((owner(caller), self.pick(self.nodes))), caller)

    def expiries(self, now_ms: int) -> ops.SetExpiries:
        """SetExpiries: never, or a moment near to now or far from it."""
        now_s = now_ms // 1000
        moments = (0, *(now_s + s for s in (_FAR_S, 1, 60, -1, 0, 2, -3600, _FAR_S)), 2**40)
        count = self.pick(range(1, _MOST_LISTED + 1))
        listed = [(self._mostly(self.nodes, _IN_NO_LIST), self.pick(moments)) for _ in range(count)]
        return ops.SetExpiries(tuple(listed), self._caller())

    def _told(self) -> Told:
        return Told(self.pick(_HOSTNAMES), self.pick(_VERSIONS))

    def _key(self) -> str:
        """The machine whose key is used: the node's own mostly."""
        return self._mostly(("",), (THIEF, enr.NO_REQUEST))

    def enrol(self, _now_ms: int = 0) -> enr.Enrol:
        """A machine's first attempt, or one that was made before; now and then by another one."""
        port = self.pick((ops.Port.BOOTSTRAP, ops.Port.BOOTSTRAP, ops.Port.CONTROL))
        is_repeat = self.pick((True, False))
        if self.attempts and is_repeat:
            return replace(self.pick(self.attempts), port=port, machine=self._key())
        attempt = self.first_attempt(self._token())
        attempt = replace(attempt, port=port, caller=ADMIN)
        return attempt if self.pick(_COIN) < _USUALLY - 1 else self.spoiled(attempt)

    def spoiled(self, attempt: enr.Enrol) -> enr.Enrol:
        """Another node's, which is not in order."""
        another = replace(attempt, node=self.fresh("node"))
        wrong = (replace(another, name=enr.INVALID_NAME), replace(another, attempt=_SHORT))
        return self.pick(wrong)

    def first_attempt(self, token: str) -> enr.Enrol:
        attempt = enr.Enrol(token, self.fresh("node"), name=self.pick(_WANTED), told=self._told())
        self.attempts.append(attempt)
        return attempt

    def renewal(self, _now_ms: int = 0) -> enr.Renew:
        return enr.Renew(self._node(), self._key(), self._told())

    def opening(self, node: str) -> ops.OpenLink:
        """A new link, with its own certificate mostly."""
        link = self.fresh("link")
        if Ability.ENROLMENT not in self._has:
            return ops.OpenLink(node, link)
        others = (UPSTREAM, old(node), self.pick(self.nodes))
        return enr.OpenLinkWith(node, link, self._mostly((self._own(node),), others), self._told())

    def _own(self, node: str) -> str:
        """What a node shows: the name of an imported one's, whose renewal may be under way."""
        if node not in self._imported:
            return ""
        return node if node in self._renewed else UPSTREAM

    def limited(self, _now_ms: int = 0) -> adm.IssueLimited:
        most, prefix, label = self.pick((0, 1, 2)), self.pick(("", "web-")), self.pick(("", "a"))
        uses, nodes = self.pick(((most, 0), (0, most)))
        minutes, caller = self.pick((10, 1)), self._caller()
        return adm.IssueLimited(self.fresh("token"), minutes, caller, uses, nodes, prefix, label)

    def update(self, node: str) -> adm.UpdateNode:
        """Of its name mostly."""
        name = self.pick(("web-1", "db", "", adm.UpdateNode.invalid))
        return adm.UpdateNode(node, self._caller(), name, self.pick(("", "b", "c")))

    def about(self, node: str) -> list[ops.Operation]:
        some = [ops.Unregister(node), ops.CheckState(node), ops.SetExpiries(((node, 0),))]
        more = [self.update(node), adm.AssignAddress(node, address=_ADDRESSES[0])]
        renewals = [enr.Renew(node), enr.Renew(node, told=self._told())]
        is_administered = Ability.ADMINISTRATION in self._has
        return [*some, *more * is_administered, *renewals * (Ability.ENROLMENT in self._has)]

    def administration(self, _now_ms: int = 0) -> ops.Call:
        node, token, caller = self._referred(self._node()), self._referred(self._token()), ADMIN
        options: list[Callable[[], ops.Call]] = [
            *(self.limited, lambda: self.update(node), lambda: adm.Describe(node, self._caller())),
            lambda: adm.AssignAddress(node, self._caller(), self.pick(_ADDRESSES)),
            lambda: adm.RevokeToken(token, self._caller()),
            lambda: adm.UnregisterNodesOf(token, self.pick((False, True)), self._caller()),
            lambda: adm.IssueOperator(self.fresh("operator"), VIEWER, caller),
        ]
        if self.operators:
            options.append(lambda: adm.RevokeOperator(self.pick(self.operators), self._caller()))
        return self.pick(options)()

    def _referred(self, name: str) -> str:
        """The name; another one if it might be the beginning of an id."""
        return "" if name == _SHORT else name

    def health(self, _now_ms: int = 0) -> ops.CheckHealth:
        return ops.CheckHealth(self.pick((ops.Port.CONTROL, ops.Port.BOOTSTRAP)))

    def link_operation(self, _now_ms: int = 0) -> ops.LinkOperation:
        """An operation on a new link, or on any earlier one."""
        if not self.nodes:
            return ops.OpenLink(self.pick(WRONG_TOKENS), self.fresh("link"))
        node = self.pick(self.nodes)
        fresh, earlier = self.opening(node), self.links.get(node, [])
        if not earlier:
            return fresh
        newest, some = earlier[-1], self.pick(earlier)
        options: tuple[ops.LinkOperation, ...] = (
            fresh,
            ops.Handshake(node, newest),
            ops.CloseLink(node, newest),
            ops.CloseLink(node, some),
            ops.Handshake(node, some),
        )
        return self.pick(options)
