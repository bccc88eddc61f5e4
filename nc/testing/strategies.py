"""Hypothesis strategies: operations, whole histories of them, configurations, packets.

What an operation is about is drawn from what is `Known`, so that most of them mean something; now
and then a token is wrong, a link is another's, or a list has a stranger in it.
"""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from hypothesis import strategies as st

from nc.testing.operations import (
    ADMIN,
    SERVER_NODE,
    CheckHealth,
    CheckState,
    CloseLink,
    Crash,
    GetAddress,
    Handshake,
    IssueToken,
    OpenLink,
    Operation,
    Port,
    Redeem,
    SetExpiries,
    Sweep,
    Unregister,
)

WRONG_TOKENS = ("", "0123456789abcdef", "ffffffffffffffff", "0123456789ABCDEF", "5eed", "x" * 64)

# Small, so that the pool is used up; the server at its beginning, in its middle, at its end.
NETWORKS = (
    "10.1.1.1/29",
    "10.1.1.1/28",
    "10.1.1.9/28",
    "10.1.1.4/29",
    "10.1.1.0/28",
    "10.9.255.249/29",
    "10.1.1.1/24",
)

_TEN_YEARS_MINUTES = 5_256_000
_MOST_LISTED = 4
_HEADER = struct.Struct("!BBHHHBBH4s4s")


class Known:
    """The names that there are, and new ones.

    Attributes:
        tokens, nodes: names that were answered with a token, the gone and expired among them.
        links: every link that was asked for, by node.
        callers: the nodes whose certificates may be called with.
        may_last: whether bootstrap tokens may be asked for that never expire.
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


def networks() -> st.SearchStrategy[str]:
    """Configurations: overlay networks, small ones, as the server's address in each."""
    return st.sampled_from(NETWORKS)


def lifetimes(known: Known) -> st.SearchStrategy[int]:
    """Minutes for a bootstrap token: usual ones, and those at the limits."""
    eternal = [-1] if known.may_last else []
    return st.sampled_from([10, 1, 0, 5, *eternal, _TEN_YEARS_MINUTES + 1, 2**31 - 1])


def _mostly(usual: list[str], rare: Iterable[str]) -> st.SearchStrategy[str]:
    """One of the usual ones, rarely another; never from nothing."""
    others = st.sampled_from(list(rare))
    if not usual:
        return others
    return st.one_of(*[st.sampled_from(usual)] * 5, others)


def tokens(known: Known) -> st.SearchStrategy[str]:
    """Bootstrap tokens, wrong ones among them."""
    return _mostly(known.tokens, (*WRONG_TOKENS, *known.nodes[:1]))


def nodes(known: Known) -> st.SearchStrategy[str]:
    """Node tokens, wrong ones and the server's own among them."""
    return _mostly(known.nodes, (*WRONG_TOKENS, SERVER_NODE, *known.tokens[:1]))


def callers(known: Known) -> st.SearchStrategy[str]:
    """Whose certificate: mostly the administrator's."""
    return st.one_of(*[st.just(ADMIN)] * 4, _mostly(known.callers, [ADMIN]))


def calls(known: Known, now_ms: int) -> st.SearchStrategy[Any]:
    """Any call to either port; a query is as likely as a command."""
    return st.one_of(
        queries(known), issues(known), redemptions(known), departures(known),
        queries(known), redemptions(known), expiries(known, now_ms),
        st.builds(CheckHealth, st.sampled_from(Port)),
    )  # fmt: skip


def issues(known: Known) -> st.SearchStrategy[IssueToken]:
    """GetBootStrapToken."""
    return st.builds(IssueToken, st.just(known.fresh("token")), lifetimes(known), callers(known))


def redemptions(known: Known) -> st.SearchStrategy[Redeem]:
    """GetToken, through either port."""
    ports = st.sampled_from(Port)
    return st.builds(Redeem, tokens(known), st.just(known.fresh("node")), ports, callers(known))


def queries(known: Known) -> st.SearchStrategy[Any]:
    """CheckConnState or GetRegistedIp."""
    return st.builds(CheckState, nodes(known), callers(known)) | st.builds(
        GetAddress, nodes(known), callers(known)
    )


def departures(known: Known) -> st.SearchStrategy[Unregister]:
    """UnRegister: by the administrator of anything, by a node of itself or another."""
    by_admin = st.builds(Unregister, nodes(known))
    if not known.callers:
        return by_admin
    some = st.sampled_from(known.callers)
    return by_admin | some.map(lambda node: Unregister(node, node)) | st.builds(
        Unregister, some, some
    )


def expiries(known: Known, now_ms: int) -> st.SearchStrategy[SetExpiries]:
    """UpdateSensorExpireTime: moments around now and far from it, or never."""
    now_s = now_ms // 1000
    moments = st.sampled_from([-3600, -1, 0, 1, 2, 60, 3600, 86_400]).map(lambda s: now_s + s)
    listed = st.tuples(_mostly(known.nodes, nodes_in_no_list()), st.just(0) | moments)
    lists = st.lists(listed, min_size=1, max_size=_MOST_LISTED).map(tuple)
    return st.builds(SetExpiries, lists, callers(known))


def nodes_in_no_list() -> tuple[str, ...]:
    """Tokens for which a list is refused."""
    return ("0123456789abcdef", SERVER_NODE)


def links(known: Known) -> st.SearchStrategy[Any]:
    """Something about a link: a new one, or one that there was, of any age."""
    if not known.nodes:
        return st.builds(OpenLink, st.sampled_from(WRONG_TOKENS), st.just("link 0"))
    return st.sampled_from(known.nodes).flatmap(lambda node: _links_of(known, node))


def _links_of(known: Known, node: str) -> st.SearchStrategy[Any]:
    owner = st.just(node)
    old = known.links.get(node, [])
    fresh = st.builds(OpenLink, owner, st.just(known.fresh("link")))
    if not old:
        return fresh
    newest, every = st.just(old[-1]), st.sampled_from(old)
    return st.one_of(
        fresh,
        st.builds(Handshake, owner, newest),
        st.builds(CloseLink, owner, newest),
        st.builds(CloseLink, owner, every),
        st.builds(Handshake, owner, every),
        st.builds(OpenLink, owner, newest),
    )


def operations(
    known: Known, now_ms: int, *, with_links: bool = True, with_sweep: bool = True
) -> st.SearchStrategy[Operation]:
    """Anything that can be asked."""
    kinds: list[st.SearchStrategy[Any]] = [calls(known, now_ms)]
    if with_links:
        kinds += [links(known)] * 2
    if with_sweep:
        kinds.append(st.just(Sweep()))
    return st.one_of(kinds)


def crashes() -> st.SearchStrategy[Crash]:
    """The end of the process in the middle of something."""
    return st.builds(
        Crash, st.integers(0, 8), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 1000)
    )


@st.composite
def histories(draw: st.DrawFn, now_ms: int, max_rounds: int = 20) -> list[list[Operation]]:
    """Whole histories: rounds of operations that run at the same time, told without their answers.

    Every name is one that an earlier round asked for; whether that was granted is for whoever
    plays the history (`Trial.perform(*round)`) to find out.
    """
    known = Known()
    rounds: list[list[Operation]] = [[IssueToken(known.fresh("token"), 10)]]
    known.learn(rounds[0])
    for _ in range(draw(st.integers(0, max_rounds))):
        size = draw(st.sampled_from([1, 1, 1, 2, 3]))
        rounds.append([draw(operations(known, now_ms)) for _ in range(size)])
        known.learn(rounds[-1])
    return rounds


@st.composite
def packets(
    draw: st.DrawFn,
    sources: st.SearchStrategy[str] | None = None,
    destinations: st.SearchStrategy[str] | None = None,
    max_payload_bytes: int = 1380,
) -> bytes:
    """Raw IPv4 packets as links carry them: a header with its checksum, and any payload."""
    anywhere = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
    source = IPv4Address(draw(sources or anywhere)).packed
    destination = IPv4Address(draw(destinations or anywhere)).packed
    payload = draw(st.binary(max_size=max_payload_bytes))
    length = _HEADER.size + len(payload)
    protocol = draw(st.sampled_from([1, 6, 17, 47]))
    fields = (0x45, 0, length, draw(st.integers(0, 0xFFFF)), 0x4000, draw(st.integers(1, 255)))
    header = _HEADER.pack(*fields, protocol, 0, source, destination)
    return _HEADER.pack(*fields, protocol, _checksum(header), source, destination) + payload


def _checksum(header: bytes) -> int:
    """The Internet checksum (RFC 1071) of a header whose own field is zero."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
