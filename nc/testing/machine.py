"""A Hypothesis state machine that drives any target and the model side by side.

    TestMyController = machine_for(target).TestCase

Each example is a trial: what is asked is drawn as it goes, from what is known by then; each round
of answers has to be explained by the model, and at the end the whole history is held to the laws.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nc.testing import choices, strategies
from nc.testing.choices import Known, Pick
from nc.testing.history import Answer
from nc.testing.judgement import LawBroken
from nc.testing.model import DAY_MS, DEFAULT_MINUTES, IDLE, MINUTE_MS
from nc.testing.operations import (
    CheckHealth,
    CheckState,
    CloseLink,
    Crash,
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
from nc.testing.strategies import chosen
from nc.testing.tally import Tally
from nc.testing.targets.target import Ability, Target
from nc.testing.trial import Trial

_MOST_NODES_AT_FIRST = 4
_MOST_IN_A_WAVE = 6
_TURNS = range(7)
_TRIALS_A_REAL_WAIT = 5
_LONGEST_TRIAL_MS = 200 * DAY_MS  # certificates last a year, and are not renewed in a trial


def _needs(ability: Ability) -> Callable[[Any], Any]:
    return precondition(lambda machine: ability in machine.target.abilities)


class ControllerMachine(RuleBasedStateMachine):
    """Rules, each something that clients, nodes or fate do; see `machine_for`."""

    target: ClassVar[Target]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        abilities = self.target.abilities
        self.known = Known(
            has_certificates=Ability.CERTIFICATES in abilities,
            may_last=Ability.ETERNITY in abilities,
        )
        self.trial: Trial | None = None
        self._has_waited = False

    @initialize(
        network=strategies.networks(),
        minutes=st.sampled_from([10, 1]),
        nodes=st.integers(1, _MOST_NODES_AT_FIRST),
    )
    def a_first_start(self, network: str, minutes: int, nodes: int) -> None:
        """A server starts, and some nodes join."""
        self.trial = Trial(self.target, network)
        token = self.known.fresh("token")
        self.perform(IssueToken(token, minutes))
        for _ in range(nodes):
            self.perform(Redeem(token, self.known.fresh("node")))

    def perform(
        self, *operations: Operation, turns: Sequence[int] = (), crash: Crash | None = None
    ) -> list[Answer | None]:
        """Have it done, and learn from it."""
        if self._is_over:
            return []
        trial = self._trial
        try:
            answers = trial.perform(*operations, turns=turns, crash=crash)
        except LawBroken as broken:
            self.tally.broken(broken, trial)
            return []
        self.known.learn(
            operation
            for operation, answer in zip(operations, answers, strict=True)
            if isinstance(operation, OpenLink) or (answer is not None and answer.is_ok)
        )
        return answers

    @property
    def _trial(self) -> Trial:
        return cast("Trial", self.trial)  # the first rule made it

    @property
    def _is_over(self) -> bool:
        """Whether nothing more can be learned from this trial."""
        return self.trial is None or self.trial.is_over

    @property
    def _now_ms(self) -> int:
        return 0 if self._is_over else self.target.now().latest_ms

    @property
    def _earliest_ms(self) -> int:
        return 0 if self._is_over else self.target.now().earliest_ms

    def _anything(self, pick: Pick) -> Operation:
        abilities = self.target.abilities
        return choices.operation(
            pick,
            self.known,
            self._now_ms,
            with_links=Ability.LINKS in abilities,
            with_sweep=Ability.SWEEP in abilities,
        )

    def _together(self, pick: Pick, sizes: Sequence[int]) -> tuple[list[Operation], list[int]]:
        """Operations for one round, and after how many turns each begins."""
        operations = [self._anything(pick) for _ in range(pick(sizes))]
        return operations, [pick(_TURNS) for _ in operations]

    @rule(data=st.data())
    def somebody_asks(self, data: Any) -> None:
        """A query."""
        self.perform(data.draw(chosen(lambda pick: choices.query(pick, self.known))))

    @rule(data=st.data())
    def a_token_is_issued(self, data: Any) -> None:
        """GetBootStrapToken."""
        self.perform(data.draw(chosen(lambda pick: choices.issue(pick, self.known))))

    @rule(data=st.data())
    def a_node_joins(self, data: Any) -> None:
        """GetToken."""
        self.perform(data.draw(chosen(lambda pick: choices.redemption(pick, self.known))))

    @rule(minutes=st.sampled_from([10, 0]))
    def somebody_new_comes(self, minutes: int) -> None:
        """All that it takes: a token of its own, and a link if there are any."""
        token, node = self.known.fresh("token"), self.known.fresh("node")
        self.perform(IssueToken(token, minutes))
        self.perform(Redeem(token, node))
        if Ability.LINKS in self.target.abilities:
            link = self.known.fresh("link")
            self.perform(OpenLink(node, link))
            self.perform(Handshake(node, link))
            self.perform(CheckState(node))

    @rule(data=st.data())
    def a_node_leaves(self, data: Any) -> None:
        """UnRegister, and somebody who has not heard of it."""
        operation = data.draw(chosen(lambda pick: choices.departure(pick, self.known)))
        self.perform(operation)
        self.perform(CheckState(operation.node))

    @rule(data=st.data())
    def expiries_are_set(self, data: Any) -> None:
        """UpdateSensorExpireTime, and a look at one of the list before and after."""
        operation = data.draw(chosen(lambda pick: choices.expiries(pick, self.known, self._now_ms)))
        node, _ = operation.expiries[0]
        self.perform(CheckState(node))
        self.perform(operation)
        self.perform(CheckState(node))

    @rule(data=st.data(), offset_ms=st.sampled_from([0, 1, -1]))
    def a_node_expires_and_is_revived(self, data: Any, offset_ms: int) -> None:
        """Its time comes, exactly if the clock can be moved, and is prolonged."""
        for node in data.draw(chosen(self._some_nodes))[:1]:
            expires_at_s = self._now_ms // 1000
            if Ability.CLOCK in self.target.abilities:
                expires_at_s += 1
                self.perform(SetExpiries(((node, expires_at_s),)))
                self._wait(expires_at_s * 1000 + offset_ms - self._now_ms)
            else:
                self.perform(SetExpiries(((node, expires_at_s - 1),)))
            self.perform(CheckState(node))
            self.perform(SetExpiries(((node, 0),)))
            self.perform(CheckState(node))

    @precondition(lambda machine: Ability.CLOCK not in machine.target.abilities)
    @rule(data=st.data())
    def a_node_expires_in_real_time(self, data: Any) -> None:
        """Somebody waits for it, which is why it happens in few trials, and once in each."""
        if self._has_waited or self.tally.trials % _TRIALS_A_REAL_WAIT:
            return
        for node in data.draw(chosen(self._some_nodes))[:1]:
            self._has_waited = True
            if Ability.LINKS in self.target.abilities:
                self._have_link(node)
            expires_at_s = self._now_ms // 1000 + 1
            self.perform(SetExpiries(((node, expires_at_s),)))
            self._wait(expires_at_s * 1000 - self._earliest_ms)
            self.perform(CheckState(node))
            if Ability.SWEEP in self.target.abilities:
                self.perform(Sweep())

    @rule(token=st.sampled_from(choices.WRONG_TOKENS))
    def both_ports_are_asked(self, token: str) -> None:
        """The same mistake, and how the server is, through either port."""
        for port in Port:
            self.perform(Redeem(token, self.known.fresh("node"), port))
        for port in Port:
            self.perform(CheckHealth(port))

    @_needs(Ability.LINKS)
    @rule(data=st.data())
    def something_about_a_link(self, data: Any) -> None:
        """A link comes, shakes hands or goes; the newest or an old one."""
        operation = data.draw(chosen(lambda pick: choices.link_operation(pick, self.known)))
        self.perform(operation)
        self.perform(CheckState(operation.node))

    @_needs(Ability.LINKS)
    @rule(data=st.data())
    def a_node_comes_and_goes(self, data: Any) -> None:
        """It has a link, is asked about, and has none."""
        for node in data.draw(chosen(self._some_nodes))[:1]:
            link = self._have_link(node)
            self.perform(CheckState(node))
            self.perform(CloseLink(node, link))
            self.perform(CheckState(node))

    @_needs(Ability.LINKS)
    @rule(data=st.data(), insists=st.booleans())
    def a_link_is_taken_over(self, data: Any, insists: bool) -> None:
        """A node comes back before its old link is missed; it says hello, or is gone, late."""
        for node in data.draw(chosen(self._some_nodes))[:1]:
            old, link = self._have_link(node), self.known.fresh("link")
            self.perform(OpenLink(node, link))
            if insists:
                self.perform(Handshake(node, old))
            self.perform(Handshake(node, link))
            self.perform(CloseLink(node, old))
            self.perform(CheckState(node))

    @_needs(Ability.LINKS)
    @rule(data=st.data())
    def a_link_is_taken_over_as_it_ends(self, data: Any) -> None:
        """A node comes back at the moment at which its old link is missed."""
        for node in data.draw(chosen(self._some_nodes))[:1]:
            closing = CloseLink(node, self._have_link(node))
            opening = OpenLink(node, self.known.fresh("link"))
            turns = data.draw(chosen(lambda pick: (pick(_TURNS), pick(_TURNS))))
            self.perform(closing, opening, turns=turns)
            self.perform(CheckState(node))

    def _have_link(self, node: str) -> str:
        """The node's link; a new one if it has none."""
        _, link = self._trial.worlds.any.links.get(node, (IDLE, ""))
        if not link:
            link = self.known.fresh("link")
            self.perform(OpenLink(node, link))
            self.perform(Handshake(node, link))
        return link

    @_needs(Ability.LINKS)
    @rule(data=st.data())
    def a_wave_connects(self, data: Any) -> None:
        """Several nodes, one after the other, both halves at once."""
        for node in data.draw(chosen(self._some_nodes)):
            link = self.known.fresh("link")
            self.perform(OpenLink(node, link))
            self.perform(Handshake(node, link))

    @_needs(Ability.LINKS)
    @rule(data=st.data())
    def a_wave_disconnects(self, data: Any) -> None:
        """Several nodes lose their newest links."""
        for node in data.draw(chosen(self._some_nodes)):
            for link in self.known.links.get(node, [])[-1:]:
                self.perform(CloseLink(node, link))

    def _some_nodes(self, pick: Pick) -> list[str]:
        """Some of the nodes, from any of them on."""
        nodes = self.known.nodes
        if not nodes:
            return []
        first, count = pick(range(len(nodes))), pick(range(1, len(nodes) + 1))
        return (nodes + nodes)[first : first + min(count, _MOST_IN_A_WAVE)]

    @rule(data=st.data())
    def several_at_once(self, data: Any) -> None:
        """Anything, at the same time."""
        operations, turns = data.draw(chosen(lambda pick: self._together(pick, (2, 3, 4))))
        self.perform(*operations, turns=turns)

    @rule(data=st.data())
    def several_want_one_node(self, data: Any) -> None:
        """What is decided about one node at the same time, each as if it were alone."""
        for node in data.draw(chosen(self._some_nodes))[:1]:
            self.perform(*data.draw(chosen(partial(self._about, node))))
            self.perform(CheckState(node))

    def _about(self, node: str, pick: Pick) -> list[Operation]:
        options: list[Operation] = [Unregister(node), CheckState(node), SetExpiries(((node, 0),))]
        if Ability.LINKS in self.target.abilities:
            link = self.known.fresh("link")
            options += [OpenLink(node, link), Handshake(node, link)]
        return [pick(options) for _ in range(pick((2, 3)))]

    @_needs(Ability.CRASH)
    @rule(data=st.data(), crash=strategies.crashes())
    def the_process_dies(self, data: Any, crash: Crash) -> None:
        """In the middle of something, or of nothing."""
        operations, turns = data.draw(chosen(lambda pick: self._together(pick, (0, 1, 2))))
        joining = data.draw(chosen(lambda pick: choices.redemption(pick, self.known)))
        self.perform(joining, *operations, turns=(0, *turns), crash=crash)
        for node in self.known.nodes[-1:]:
            self.perform(CheckState(node))

    @_needs(Ability.RESTART)
    @rule(data=st.data())
    def the_server_restarts(self, data: Any) -> None:
        """Cleanly; now and then on another network."""
        networks = st.just("")
        if Ability.NETWORKS in self.target.abilities:
            networks = st.one_of(st.just(""), st.just(""), strategies.networks())
        network = data.draw(networks)
        if not self._is_over:
            try:
                self._trial.restart(network)
            except LawBroken as broken:
                self.tally.broken(broken, self._trial)

    @_needs(Ability.SWEEP)
    @rule(is_late=st.sampled_from([False, False, True]))
    def the_server_sweeps(self, is_late: bool) -> None:
        """Looks for what has expired; if it can be, when tokens that had are to be forgotten."""
        if is_late and Ability.CLOCK in self.target.abilities:
            self._wait(DAY_MS + DEFAULT_MINUTES * MINUTE_MS)
        self.perform(Sweep())

    @_needs(Ability.CLOCK)
    @rule(ms=st.sampled_from([1, 1000, MINUTE_MS, 10 * MINUTE_MS, DAY_MS, -1, -1000]))
    def time_passes(self, ms: int) -> None:
        """By a jump; backwards too, but not far."""
        self._wait(ms)

    def _wait(self, ms: int) -> None:
        if self._is_over:
            return
        begun_ms = self._trial.history.steps[0].moment.earliest_ms
        if self._now_ms + ms - begun_ms < _LONGEST_TRIAL_MS:
            self._trial.wait(ms)

    @_needs(Ability.CLOCK)
    @rule(data=st.data(), offset_ms=st.sampled_from([0, -1, 1]))
    def an_expiry_comes(self, data: Any, offset_ms: int) -> None:
        """It is the very moment, or just before or after it, and the token is used."""
        if self._is_over:
            return
        model = self._trial.worlds.any
        due = [
            (name, expiry.latest_ms)
            for expiries in (model.tokens, model.nodes)
            for name, expiry in sorted(expiries.items())
            if expiry is not None and expiry.latest_ms > self._now_ms
        ]
        if not due:
            return
        name, at_ms = data.draw(st.sampled_from(due))
        self._wait(at_ms + offset_ms - self._now_ms)
        if name in model.tokens:
            self.perform(Redeem(name, self.known.fresh("node")))
        else:
            self.perform(CheckState(name))

    def teardown(self) -> None:
        """Hold the history to the laws, unless a law was broken on the way or the draw ended."""
        if self.trial is None:
            return
        try:
            if sys.exc_info()[0] is None and not self.trial.is_over:
                self._finish(self.trial)
        finally:
            self.target.end()

    def _finish(self, trial: Trial) -> None:
        try:
            trial.finish()
        except LawBroken as broken:
            self.tally.broken(broken, trial)
        else:
            self.tally.add(trial)


def machine_for(target: Target, tally: Tally | None = None) -> type[ControllerMachine]:
    """A state machine that drives this target.

    Args:
        target: stays its owner's, who closes it in the end.
        tally: where to count what was exercised.
    """
    made: dict[str, Any] = {"target": target, "tally": tally or Tally()}
    return cast("type[ControllerMachine]", type("ControllerMachine", (ControllerMachine,), made))
