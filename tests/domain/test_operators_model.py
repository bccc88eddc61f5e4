"""What operators steer, against a plain model: names, tokens' uses and nodes, administrators.

After each command, refused or not:
- names are unique DNS labels; a newcomer has the name that it wants, or that with a number behind;
- a token's uses and nodes are counted, and it registers exactly whom its terms allow;
- a certificate of an administrator is good from when it is recorded until it is revoked;
- times say since when a node is idle, whether or not it has kept its address;
- what the state holds to be quick agrees with a look at everything.
"""

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nc.domain import errors, operator_errors
from nc.domain.administrators import AddAdministrator, InstallAdministrator, RevokeAdministrator
from nc.domain.assignments import AssignAddress
from nc.domain.bindings import HOUR_MS, Reclaim, longest_idle
from nc.domain.codec.snapshot import decode, encode
from nc.domain.decide import Command, decide
from nc.domain.departures import UnregisterNodesOfToken
from nc.domain.events import Certificate, pb
from nc.domain.evolve import evolve
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.names import is_name
from nc.domain.nodes import Unregister
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.terms import Terms
from nc.domain.tokens import IssueToken, RedeemToken, RevokeToken
from nc.domain.updates import UpdateNode
from tests.support.histories import refusal

IDS = [f"{number:04x}" * 8 for number in range(8)]
NODES = st.sampled_from(IDS)
TOKENS = st.sampled_from(["t", "u", "v"])
WANTED = st.sampled_from(["", "web", "Web.example", "web-2", "db_1", "x" * 63, "f" * 16])
ADDRESSES = ["10.1.1.3", "10.1.1.5", "10.1.1.7"]
SERIALS = st.sampled_from(["1", "2", "3", "4"])
ADMIN, VIEWER = pb.ADMINISTRATOR_ROLE_ADMIN, pb.ADMINISTRATOR_ROLE_VIEWER
START_MS = 1_800_000_000_000
DAY_MS = 24 * HOUR_MS


class Operators(RuleBasedStateMachine):
    """Random commands to the domain and to plain dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = START_MS
        self.state = State()
        self.nodes: dict[str, str] = {}  # the token of each
        self.names: dict[str, str] = {}  # by node
        self.idle_since: dict[str, int] = {}
        self.terms: dict[str, Terms] = {}
        self.uses: Counter[str] = Counter()
        self.revoked: set[str] = set()
        self.administrators: dict[str, Any] = {}  # the role, by serial
        self.dismissed: set[str] = set()
        self.installed: list[str] = []

    def carry_out(self, command: Command, expected: type[Exception] | None = None) -> bool:
        """Whether it was carried out, as expected."""
        assert refusal(lambda: decide(self.state, command)) is expected
        if expected is None:
            self.state = evolve(self.state, decide(self.state, command), self.now_ms)
        return expected is None

    @initialize()
    def first_start(self) -> None:
        self.carry_out(StartReplica("r", "1", "10.1.1.9/28"))
        self.issue("t", 0, 0, "")
        for node in IDS[:-2]:
            self.redeem("t", node, "web", 0)

    @rule(by_ms=st.sampled_from([1, 60_000, HOUR_MS, DAY_MS, 7 * DAY_MS, -HOUR_MS]))
    def the_clock_moves(self, by_ms: int) -> None:
        self.now_ms += by_ms

    @rule(
        token=TOKENS,
        max_uses=st.integers(0, 2),
        max_nodes=st.integers(0, 2),
        prefix=st.sampled_from(["", "w-"]),
    )
    def issue(self, token: str, max_uses: int, max_nodes: int, prefix: str) -> None:
        terms = Terms(max_uses=max_uses, max_nodes=max_nodes, node_name_prefix=prefix)
        expected = errors.IdTaken if token in self.terms else None
        if self.carry_out(IssueToken(token, -1, self.now_ms, terms=terms), expected):
            self.terms[token] = terms

    @rule(token=TOKENS)
    def revoke(self, token: str) -> None:
        known = token in self.terms
        if self.carry_out(RevokeToken(token), None if known else errors.BootstrapTokenUnknown):
            self.revoked.add(token)

    @rule(token=TOKENS, node=NODES, wanted=WANTED, most=st.sampled_from([0, 0, 3]))
    def redeem(self, token: str, node: str, wanted: str, most: int) -> None:
        command = RedeemToken(token, node, (), self.now_ms, name=wanted, max_nodes=most)
        if not self.carry_out(command, self.why_not(token, node, most)):
            return
        name = self.state.nodes[node].profile.name
        self.check_name(name, self.terms[token].node_name_prefix, wanted, node)
        self.nodes[node], self.names[node] = token, name
        self.idle_since[node] = self.now_ms
        self.uses[token] += 1

    def why_not(self, token: str, node: str, most: int) -> type[Exception] | None:
        """The first reason why a token does not register a node."""
        if token not in self.terms:
            return errors.BootstrapTokenUnknown
        terms, nodes = self.terms[token], list(self.nodes.values()).count(token)
        reasons = {
            errors.BootstrapTokenRevoked: token in self.revoked,
            errors.BootstrapTokenUsedUp: 0 < terms.max_uses <= self.uses[token],
            errors.TokenNodesReached: 0 < terms.max_nodes <= nodes,
            errors.IdTaken: node in self.nodes,
            errors.NodesReached: 0 < most <= len(self.nodes),
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def check_name(self, name: str, prefix: str, wanted: str, node: str) -> None:
        """The name is free, and the nearest to what was wanted."""
        taken = set(self.names.values())
        label = {"Web.example": "web", "db_1": "db-1"}.get(wanted, wanted)
        base = prefix + (label or node[:8]) if prefix or label else f"node-{node[:8]}"
        base = base[:63] if is_name(base[:63]) else f"node-{base}"
        assert is_name(name)
        assert name not in taken
        if base not in taken:
            assert name == base
            return
        stem, _, number = name.rpartition("-")
        assert base.startswith(stem)
        assert len(name) == min(63, len(base) + len(number) + 1)
        assert int(number) >= 2
        if int(number) > 2:  # no number is left out that was free on the way
            before = f"-{int(number) - 1}"
            assert base[: 63 - len(before)] + before in taken

    @rule(
        node=NODES,
        name=st.sampled_from(["shop", "web", "web-2", "Shop", "-", "a.b", "f" * 32, "x" * 64]),
    )
    def rename(self, node: str, name: str) -> None:
        reasons = {
            errors.NodeUnknown: node not in self.nodes,
            operator_errors.NodeNameInvalid: not name.islower() or len(name) > 16 or "." in name,
            operator_errors.NodeNameTaken: name in self.names.values()
            and self.names.get(node) != name,
        }
        expected = next((reason for reason, holds in reasons.items() if holds), None)
        if self.carry_out(UpdateNode(node, name), expected):
            self.names[node] = name

    @rule(node=NODES)
    def unregister(self, node: str) -> None:
        known = node in self.nodes
        if self.carry_out(Unregister(node), None if known else errors.NodeUnknown):
            del self.nodes[node], self.names[node], self.idle_since[node]

    @rule(token=TOKENS)
    def unregister_all(self, token: str) -> None:
        self.carry_out(UnregisterNodesOfToken(token, 0))
        for node in [node for node, its in self.nodes.items() if its == token]:
            del self.nodes[node], self.names[node], self.idle_since[node]

    @rule(
        nodes=st.lists(NODES, unique=True, min_size=1),
        after_ms=st.sampled_from([0, HOUR_MS, 7 * DAY_MS]),
    )
    def connect(self, nodes: list[str], after_ms: int) -> None:
        """Nodes link, if there is an address for them; it may be another's."""
        for node in nodes:
            for kind in (AcceptLink, HandOverAddress):
                command = kind(node, f"link-{node}", self.now_ms, reclaim_after_ms=after_ms)
                if refusal(lambda: decide(self.state, command)) is None:  # noqa: B023 - here
                    self.carry_out(command)

    @rule(nodes=st.lists(NODES, unique=True, min_size=1))
    def disconnect(self, nodes: list[str]) -> None:
        for node in nodes:
            linked = node in self.state.links
            reason = pb.STATE_CHANGE_REASON_LINK_CLOSED
            self.carry_out(DropLink(node, f"link-{node}", reason))
            if linked:
                self.idle_since[node] = self.now_ms
            self.now_ms += 1

    @rule(node=NODES, address=st.sampled_from(["", *ADDRESSES]))
    def assign(self, node: str, address: str) -> None:
        """A node that has a link with another address loses it."""
        command = AssignAddress(node, address)
        if refusal(lambda: decide(self.state, command)) is None:
            before = node in self.state.links
            self.carry_out(command)
            if before and node not in self.state.links:
                self.idle_since[node] = self.now_ms

    @rule(serial=SERIALS, role=st.sampled_from([ADMIN, VIEWER]))
    def add(self, serial: str, role: Any) -> None:
        expected = errors.IdTaken if serial in self.administrators else None
        if self.carry_out(AddAdministrator("eve", role, certificate(serial)), expected):
            self.administrators[serial] = role

    @rule(serial=SERIALS, is_renewal=st.booleans())
    def install(self, serial: str, is_renewal: bool) -> None:
        """The folder has this certificate; one that was made anew is the only one of the folder."""
        self.carry_out(InstallAdministrator("admin", certificate(serial), is_renewal=is_renewal))
        was_issued = serial in self.administrators and serial not in self.installed
        if was_issued or serial in self.dismissed or self.installed[-1:] == [serial]:
            return
        if not is_renewal:
            self.dismissed |= set(self.installed) - {serial}
        self.administrators[serial] = ADMIN
        self.installed.append(serial)

    @rule(serial=SERIALS)
    def dismiss(self, serial: str) -> None:
        """RevokeAdministrator; one with the role of an administrator must be left."""
        others = self.administrators.keys() - self.dismissed - {serial}
        reasons = {
            operator_errors.AdministratorUnknown: serial not in self.administrators,
            operator_errors.LastAdministrator: serial not in self.dismissed
            and self.administrators.get(serial) == ADMIN
            and not any(self.administrators[other] == ADMIN for other in others),
        }
        expected = next((reason for reason, holds in reasons.items() if holds), None)
        if self.carry_out(RevokeAdministrator(serial, START_MS), expected):
            self.dismissed.add(serial)

    @invariant()
    def the_model_agrees(self) -> None:
        state = self.state
        assert {node: each.token_id for node, each in state.nodes.items()} == self.nodes
        assert {node: each.profile.name for node, each in state.nodes.items()} == self.names
        assert dict(state.names.items()) == {name: node for node, name in self.names.items()}
        counted = Counter(self.nodes.values())
        for token, each in state.tokens.items():
            assert (each.uses, each.nodes) == (self.uses[token], counted[token])

    @invariant()
    def who_may_come_in(self) -> None:
        """An unknown serial is good only as long as no installed one is known."""
        for serial in ("1", "2", "3", "4", "5"):
            known = serial in self.administrators
            good = serial not in self.dismissed if known else not self.installed
            assert self.state.administrators.accepts(serial) == good

    @invariant()
    def idle_nodes_say_since_when(self) -> None:
        nodes, links = self.state.nodes, self.state.links
        idle = {node: each.idle_since_ms for node, each in nodes.items() if node not in links}
        assert idle == {node: self.idle_since[node] for node in idle}

    @invariant()
    def the_pool_agrees_with_a_look_at_everything(self) -> None:
        """Of the idle nodes the one of the earliest event gives its address up."""
        pool = self.state.addresses
        idle = {
            node: held
            for node, held in pool.by_node.items()
            if node not in self.state.links and not held.is_assigned
        }
        hours = Counter(held.idle_since_ms // HOUR_MS for held in idle.values())
        assert dict(pool.idle_hours.items()) == hours
        for address in ADDRESSES:
            holders = [node for node, held in pool.by_node.items() if held.address == address]
            assert pool.holder_of(address) == "".join(holders)
        for after_ms in (1, HOUR_MS, DAY_MS):
            until_ms = self.now_ms - after_ms
            long = [node for node, held in idle.items() if held.idle_since_ms <= until_ms]
            reclaim = Reclaim(self.now_ms, after_ms)
            arguments = (pool.by_node, pool.idle_hours, pool.network, reclaim)
            assert (refusal(lambda: longest_idle(*arguments)) is None) == bool(long)  # noqa: B023
            if long:
                first = min(long, key=lambda node: idle[node].idle_since_seq or 0)
                assert longest_idle(*arguments) == first

    def teardown(self) -> None:
        """A snapshot has all of it."""
        read = decode(b"".join(encode(self.state)), self.state.seq)
        assert read == self.state
        assert (read.names, read.addresses.idle_hours) == (
            self.state.names,
            self.state.addresses.idle_hours,
        )


def certificate(serial: str) -> Certificate:
    return Certificate(serial=serial, not_after_ms=START_MS + DAY_MS)


TestOperators = Operators.TestCase
TestOperators.settings = settings(stateful_step_count=40)
