"""What an operation is about, chosen from what is `Known`: mostly what means something.

Now and then a token is wrong, a link is another's, or a list has a stranger in it. Whoever chooses
passes in a `Pick`; with one that draws from Hypothesis these are strategies (`strategies.py`), and
cheap ones: the first of the options is the simplest, and what a failure is shrunk to.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from nc.testing.operations import (
    ADMIN,
    SERVER_NODE,
    CheckHealth,
    CheckState,
    CloseLink,
    GetAddress,
    Handshake,
    IssueToken,
    LinkOperation,
    OpenLink,
    Operation,
    Port,
    Redeem,
    SetExpiries,
    Sweep,
    Unregister,
)

T = TypeVar("T")

WRONG_TOKENS = ("", "0123456789abcdef", "ffffffffffffffff", "0123456789ABCDEF", "5eed", "x" * 64)
_IN_NO_LIST = (WRONG_TOKENS[1], SERVER_NODE)  # for these a list is refused

_TEN_YEARS_MINUTES = 5_256_000
_MOST_LISTED = 4
_FAR_S = 30 * 24 * 3600
_USUALLY = 6  # of so many choices one is unusual


class Pick(Protocol):
    """Chooses one of several things."""

    def __call__(self, options: Sequence[T], /) -> T:
        """One of them; there is at least one."""


class Known:
    """The names that there are, and new ones.

    Args:
        has_certificates: whether calls can be made with nodes' certificates.
        may_last: whether bootstrap tokens may be asked for that never expire.

    Attributes:
        tokens, nodes: names that were answered with a token, the gone and expired among them.
        links: every link that was asked for, by node.
    """

    def __init__(self, *, has_certificates: bool = True, may_last: bool = True) -> None:
        self.tokens: list[str] = []
        self.nodes: list[str] = []
        self.links: dict[str, list[str]] = {}
        self.may_last = may_last
        self._has_certificates = has_certificates
        self._made = 0

    @property
    def callers(self) -> list[str]:
        """The nodes whose certificates may be called with."""
        return self.nodes if self._has_certificates else []

    def fresh(self, what: str) -> str:
        """A name that was not there before."""
        self._made += 1
        return f"{what} {self._made}"

    def learn(self, operations: Iterable[Operation]) -> None:
        """These were done, or links were asked for."""
        for operation in operations:
            match operation:
                case IssueToken(token):
                    self.tokens.append(token)
                case Redeem(_, node):
                    self.nodes.append(node)
                case OpenLink(node, link):
                    links = self.links.setdefault(node, [])
                    if link not in links:
                        links.append(link)


_COIN = tuple(range(_USUALLY))


def _mostly(pick: Pick, usual: Sequence[str], rare: Sequence[str]) -> str:
    """One of the usual ones, rarely another."""
    if usual and pick(_COIN) < _USUALLY - 1:
        return pick(usual)
    return pick(rare)


def token(pick: Pick, known: Known) -> str:
    """A bootstrap token; now and then a wrong one."""
    return _mostly(pick, known.tokens, (*WRONG_TOKENS, *known.nodes[:1]))


def node(pick: Pick, known: Known) -> str:
    """A node token; now and then a wrong one, or the server's own."""
    return _mostly(pick, known.nodes, (SERVER_NODE, *WRONG_TOKENS, *known.tokens[:1]))


def caller(pick: Pick, known: Known) -> str:
    """Whose certificate: mostly the administrator's."""
    if not known.callers or pick(_COIN) < _USUALLY - 2:
        return ADMIN
    return pick(known.callers)


def query(pick: Pick, known: Known) -> CheckState | GetAddress:
    """CheckConnState or GetRegistedIp; about a server's or wrong token, the administrator asks."""
    about = node(pick, known)
    who = caller(pick, known)
    queries: tuple[CheckState | GetAddress, ...] = (
        CheckState(about, who),
        GetAddress(about, who),
    )
    return pick(queries)


def issue(pick: Pick, known: Known) -> IssueToken:
    """GetBootStrapToken: usual lifetimes, and those at the limits."""
    eternal = (-1,) if known.may_last else ()
    minutes = pick((10, 1, 0, 5, *eternal, _TEN_YEARS_MINUTES + 1, 2**31 - 1))
    return IssueToken(known.fresh("token"), minutes, caller(pick, known))


def redemption(pick: Pick, known: Known) -> Redeem:
    """GetToken, through either port."""
    port = pick((Port.BOOTSTRAP, Port.CONTROL))
    who = caller(pick, known) if port is Port.CONTROL else ADMIN
    return Redeem(token(pick, known), known.fresh("node"), port, who)


def departure(pick: Pick, known: Known) -> Unregister:
    """UnRegister: by the administrator of anything, by a node of itself or of another."""
    if not known.callers or pick((True, True, False)):
        return Unregister(node(pick, known))
    who = pick(known.callers)
    return Unregister(pick((who, pick(known.callers))), who)


def expiries(pick: Pick, known: Known, now_ms: int) -> SetExpiries:
    """UpdateSensorExpireTime: never, or moments around now and far from it."""
    now_s = now_ms // 1000
    moments = (0, *(now_s + s for s in (_FAR_S, 1, 60, -1, 0, 2, -3600, _FAR_S)))
    count = pick(range(1, _MOST_LISTED + 1))
    listed = [(_mostly(pick, known.nodes, _IN_NO_LIST), pick(moments)) for _ in range(count)]
    return SetExpiries(tuple(listed), caller(pick, known))


def link_operation(pick: Pick, known: Known) -> LinkOperation:
    """Something about a link: a new one, or one that there was, of any age."""
    if not known.nodes:
        return OpenLink(pick(WRONG_TOKENS), known.fresh("link"))
    owner = pick(known.nodes)
    old = known.links.get(owner, [])
    fresh = OpenLink(owner, known.fresh("link"))
    if not old:
        return fresh
    newest, some = old[-1], pick(old)
    options: tuple[LinkOperation, ...] = (
        fresh,
        Handshake(owner, newest),
        CloseLink(owner, newest),
        CloseLink(owner, some),
        Handshake(owner, some),
    )
    return pick(options)


def operation(  # noqa: PLR0911 - a table
    pick: Pick, known: Known, now_ms: int, *, with_links: bool = True, with_sweep: bool = True
) -> Operation:
    """Anything that can be asked."""
    kinds = ["query", "redemption", "issue", "departure", "expiries", "health"]
    kinds += ["link", "link"] * with_links + ["sweep"] * with_sweep
    match pick(kinds):
        case "query":
            return query(pick, known)
        case "redemption":
            return redemption(pick, known)
        case "issue":
            return issue(pick, known)
        case "departure":
            return departure(pick, known)
        case "expiries":
            return expiries(pick, known, now_ms)
        case "link":
            return link_operation(pick, known)
        case "sweep":
            return Sweep()
        case _:
            return CheckHealth(pick((Port.CONTROL, Port.BOOTSTRAP)))
