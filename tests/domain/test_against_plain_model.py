"""Any history of commands, against the harness's model, which shares no code with the domain.

Invariants, after each command:
- the model and the state agree on every token, node, link and address, and on each refusal;
- a refused command leads to no events; deciding changes nothing, and twice gives the same;
- equal states that were built differently decide the same;
- folding all events from nothing, one by one, gives the running state;
- a command that was carried out and is decided again changes nothing.

At the end: the whole history and any two halves of it fold to the same state, and so does the
history when it has been through the bytes of a log.
"""

from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nc.contract import WIRE_STATES
from nc.domain import errors
from nc.domain.decide import Command, decide
from nc.domain.errors import DomainError
from nc.domain.events import Batch, Entry, Event, pb
from nc.domain.evolve import evolve
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.nodes import ExpireNodes, Expiry, SetExpiries, Unregister
from nc.domain.replicas import RecordDigest, StartReplica, StopReplica
from nc.domain.state import State
from nc.domain.tokens import ForgetExpiredTokens, IssueToken, RedeemToken
from nc.testing import Model, Refused
from nc.testing.contract.values import Expiry as ModelExpiry
from nc.testing.contract.values import at
from tests.support.histories import refusal

TOKENS = st.sampled_from([f"token-{number}" for number in range(4)])
NODE_IDS = [f"node-{number}" for number in range(8)]
NODES = st.sampled_from(NODE_IDS)
LINKS = st.sampled_from([f"link-{number}" for number in range(5)])
NETWORKS = st.sampled_from(
    ["10.1.1.1/29", "10.1.1.1/28", "10.1.1.9/28", "10.1.1.4/29", "10.1.1.0/28", "10.9.255.249/29"]
)
START_MS = 1_000_000_000
DAY_MS = 86_400_000
SPLITS_APART = 16  # events; each split folds the whole history


def exactly(expiries: dict[str, ModelExpiry]) -> dict[str, int]:
    """The model's expiries, which are exact here, as the state has them."""
    return {name: 0 if expiry is None else expiry.latest_ms for name, expiry in expiries.items()}


class AgainstPlainModel(RuleBasedStateMachine):
    """Random commands to both; see the module's text for what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = START_MS
        self.model = Model()
        self.digested = 0  # the event that the last recorded digest is of
        self.state = State()
        self.one_by_one = State()
        self.history: list[list[Event]] = []

    def carry_out(self, command: Command, method: str, *arguments: Any) -> None:
        """Give the command to both, and see that they agree on whether it is refused."""
        try:
            getattr(self.model, method)(*arguments)
            expected = None
        except Refused as refused:
            expected = getattr(errors, str(refused))
        self.decide_and_fold(command, expected)

    def decide_and_fold(self, command: Command, expected: type[DomainError] | None) -> None:
        """Decide it, and fold what it leads to; see that it is refused as expected."""
        before = self.facts()
        assert refusal(lambda: decide(self.state, command)) is expected
        assert self.facts() == before
        if expected is not None:
            return
        events = decide(self.state, command)
        assert decide(self.state, command) == events
        assert decide(self.one_by_one, command) == events
        self.history.append(events)
        self.state = evolve(self.state, events)
        for event in events:
            self.one_by_one = evolve(self.one_by_one, [event])
        self.decide_again(command)

    def decide_again(self, command: Command) -> None:
        """What was carried out is refused, or leads to nothing."""
        if isinstance(command, StartReplica | StopReplica):
            return  # recorded each time
        with suppress(DomainError):
            assert decide(self.state, command) == []

    def facts(self) -> dict[str, Any]:
        """What the state says, in the model's terms."""
        pool, links = self.state.addresses, self.state.links
        idle = [(held.idle_since_seq, n) for n, held in pool.by_node.items() if held.idle_since_seq]
        return {
            "network": str(pool.network),
            "tokens": {key: token.expires_at_ms for key, token in self.state.tokens.items()},
            "nodes": {key: node.expires_at_ms for key, node in self.state.nodes.items()},
            "links": {n: (WIRE_STATES[link.state.name], link.link_id) for n, link in links.items()},
            "held": {node: binding.address for node, binding in pool.by_node.items()},
            "holders": {h.address: pool.holder_of(h.address) for h in pool.by_node.values()},
            "rested": [frozenset([address]) for address in pool.released],
            "idle": [node for _, node in sorted(idle)],
            "digested": self.state.digest_seq,
        }

    @initialize(network=NETWORKS)
    def first_start(self, network: str) -> None:
        """A replica starts, and most nodes are in."""
        self.carry_out(StartReplica("r", "1", network), "start", network)
        self.issue("token-0", -1)
        for node in NODE_IDS[:-1]:
            self.redeem("token-0", node)

    @rule(nodes=st.lists(NODES, unique=True, max_size=len(NODE_IDS)), link=LINKS)
    def a_wave_connects(self, nodes: list[str], link: str) -> None:
        """Nodes connect one after the other, both halves at once."""
        for node in nodes:
            self.accept(node, link)
            self.hand_over(node, link)

    @rule(nodes=st.lists(NODES, unique=True, max_size=len(NODE_IDS)))
    def a_wave_disconnects(self, nodes: list[str]) -> None:
        """Nodes lose the links that they have."""
        for node in nodes:
            self.drop(node, self.model.links.get(node, ("", "no-link"))[1])

    @rule(nodes=st.lists(NODES, unique=True, max_size=3))
    def some_leave(self, nodes: list[str]) -> None:
        """UnRegister."""
        for node in nodes:
            self.carry_out(Unregister(node), "unregister", node)

    @rule(token=TOKENS, nodes=st.lists(NODES, unique=True))
    def some_join(self, token: str, nodes: list[str]) -> None:
        """GetToken."""
        for node in nodes:
            self.redeem(token, node)

    def redeem(self, token: str, node: str) -> None:
        now = self.now_ms
        self.carry_out(RedeemToken(token, node, (), now), "redeem", token, node, at(now))

    @rule(token=TOKENS, minutes=st.sampled_from([-1, 0, 1, 5, 5_256_000, 5_256_001]))
    def issue(self, token: str, minutes: int) -> None:
        """GetBootStrapToken."""
        command = IssueToken(token, minutes, self.now_ms)
        self.carry_out(command, "issue", token, minutes, at(self.now_ms))

    @rule(
        listed=st.lists(
            st.tuples(NODES, st.sampled_from([None, None, -60_000, -1, 0, 1, 60_000])), max_size=4
        ),
        stranger=st.sampled_from([False] * 3 + [True]),
    )
    def set_expiries(self, listed: list[tuple[str, int | None]], stranger: bool) -> None:
        """UpdateSensorExpireTime, for moments around now, or never."""
        expiries = [(n, 0 if delta is None else self.now_ms + delta) for n, delta in listed]
        expiries += [("stranger", 0)] * stranger
        command = SetExpiries(tuple(Expiry(*expiry) for expiry in expiries), self.now_ms)
        self.carry_out(command, "set_expiries", expiries, at(self.now_ms))

    @rule(node=NODES, link=LINKS)
    def accept(self, node: str, link: str) -> None:
        """A link comes, new or known."""
        command = AcceptLink(node, link, self.now_ms, reclaim_after_ms=0)
        self.carry_out(command, "accept", node, link, at(self.now_ms))

    @rule(node=NODES, link=LINKS)
    def hand_over(self, node: str, link: str) -> None:
        """A link asks for its address, whether it is the current one or not."""
        command = HandOverAddress(node, link, self.now_ms, reclaim_after_ms=0)
        before = self.model.links.get(node)
        self.carry_out(command, "hand_over", node, link, at(self.now_ms))
        if before is not None and node not in self.model.links:  # who asked ends what was refused
            reason = pb.STATE_CHANGE_REASON_LINK_REFUSED
            self.decide_and_fold(DropLink(node, link, reason), None)

    @rule(node=NODES, link=LINKS)
    def drop(self, node: str, link: str) -> None:
        """A link is gone, perhaps an old one."""
        reason = pb.STATE_CHANGE_REASON_LINK_CLOSED
        self.carry_out(DropLink(node, link, reason), "drop", node, link)

    @rule(network=st.none() | NETWORKS, cleanly=st.booleans())
    def restart(self, network: str | None, cleanly: bool) -> None:
        """A start, after a stop or after a crash, perhaps on another network."""
        if cleanly:
            self.carry_out(StopReplica("r"), "stop")
        network = network or self.model.network
        self.carry_out(StartReplica("r", "1", network), "start", network)

    @rule()
    def sweep(self) -> None:
        """The sweep drops links, and lets go of tokens."""
        self.carry_out(ExpireNodes(self.now_ms), "expire", at(self.now_ms))
        self.carry_out(
            ForgetExpiredTokens(tuple(sorted(self.state.tokens)), self.now_ms),
            "forget",
            at(self.now_ms),
        )

    @rule(ago=st.integers(0, 20))
    def record_digest(self, ago: int) -> None:
        """A digest of an event, perhaps one before that of an earlier digest."""
        seq = max(self.state.seq - ago, 0)
        self.digested = max(self.digested, seq)
        self.decide_and_fold(RecordDigest(seq, "any"), None)

    @rule(by_ms=st.sampled_from([1, 59_999, 60_000, 600_000, DAY_MS, -1, -60_000, -DAY_MS]))
    def the_clock_moves(self, by_ms: int) -> None:
        """Forwards or back."""
        self.now_ms += by_ms

    @invariant()
    def the_model_agrees(self) -> None:
        model = self.model
        assert self.facts() == {
            "network": model.network,
            "tokens": exactly(model.tokens),
            "nodes": exactly(model.nodes),
            "links": model.links,
            "held": model.held,
            "holders": {address: node for node, address in model.held.items()},
            "rested": model.rested,
            "idle": model.idle_order,
            "digested": self.digested,
        }

    @invariant()
    def no_held_address_comes_up(self) -> None:
        """Whatever is held of the network is in a slot that was given out, or known to be ahead."""
        pool = self.state.addresses
        for held in pool.by_node.values():
            slot = pool.network.slot(held.address)
            assert slot is None or slot < pool.next_slot or held.address in pool.ahead

    @invariant()
    def folding_one_by_one_agrees(self) -> None:
        """Event by event from nothing: the state that is running."""
        assert self.state == self.one_by_one
        assert self.state.seq == sum(map(len, self.history))

    def teardown(self) -> None:
        """Fold it in one go, split it in some places, and send it through bytes."""
        everything = [event for events in self.history for event in events]
        for split in range(0, len(everything), SPLITS_APART):
            half = evolve(State(), everything[:split])
            assert evolve(half, everything[split:]) == self.state
        batch = Batch(entries=[Entry(events=events) for events in self.history])
        read_back = Batch.FromString(batch.SerializeToString())
        assert read_back == batch
        folded = evolve(State(), (event for entry in read_back.entries for event in entry.events))
        assert folded == self.state


TestAgainstPlainModel = AgainstPlainModel.TestCase
TestAgainstPlainModel.settings = settings(stateful_step_count=50)
