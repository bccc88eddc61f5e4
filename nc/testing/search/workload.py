"""The workload of a trial: actions of clients and nodes, and faults, drawn step by step.

Each rule is one thing that happens; a trial is a first start and so many rules, each drawn from
what is known by then. Nothing but `pick` decides, so the same choices and the same answers give
the same trial.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from nc.testing.contract import operations as ops
from nc.testing.contract.happenings import Crash
from nc.testing.contract.history import Answer
from nc.testing.contract.values import DAY_MS, DEFAULT_MINUTES, IDLE, MINUTE_MS
from nc.testing.search.choices import WRONG_TOKENS, Choices, Pick
from nc.testing.search.settings import NETWORKS
from nc.testing.search.trial import Trial
from nc.testing.targets.target import Ability, Target

_NODES_AT_FIRST: Final = (1, 2, 3, 4)
_SHORTEST: Final = 8  # the share of the rules that the shortest trial has
_MOST_IN_A_WAVE: Final = 6
_TURNS: Final = range(7)
_CRASH_STEPS: Final = range(9)
_TRIALS_A_REAL_WAIT: Final = 5  # one trial in so many waits for an expiry in real time
_LONGEST_TRIAL_MS: Final = 200 * DAY_MS  # certificates last a year, and are not renewed in a trial


Rules = tuple[tuple[Callable[[Any], None], Ability | None], ...]


class Workload(Choices):
    """Drives a trial that has just begun; `pick` makes every choice.

    Attributes:
        rules: each rule, and the ability of the target that it needs.
    """

    rules: Rules

    def __init__(self, trial: Trial, target: Target, pick: Pick) -> None:
        super().__init__(pick, target.abilities, trial.history.limits.imported)
        self.trial = trial
        self._target = target
        self._may_wait = not pick(range(_TRIALS_A_REAL_WAIT))

    def run(self, rules: int) -> None:
        """A first start, and at most so many rules; raises LawBroken."""
        able = [rule for rule, needed in self.rules if needed is None or needed in self._has]
        if Ability.CLOCK not in self._has:
            able.append(Workload.a_node_expires_in_real_time)
        token = self.fresh("token")
        self.perform(ops.IssueToken(token, self.pick((10, 1))))
        for _ in range(self.pick(_NODES_AT_FIRST)):
            self.perform(ops.Redeem(token, self.fresh("node")))
        for _ in range(self.pick(range(rules // _SHORTEST, rules + 1))):
            self.pick(able)(self)

    def perform(
        self, *operations: ops.Operation, turns: Sequence[int] = (), crash: Crash | None = None
    ) -> list[Answer | None]:
        """Carry operations out, and learn from the answers."""
        answers = self.trial.perform(*operations, turns=turns, crash=crash)
        self.learn(
            operation
            for operation, answer in zip(operations, answers, strict=True)
            if isinstance(operation, ops.OpenLink) or (answer is not None and answer.is_ok)
        )
        return answers

    @property
    def _now_ms(self) -> int:
        return self._target.now().latest_ms

    def wait(self, ms: int) -> None:
        begun_ms = self.trial.history.steps[0].moment.earliest_ms
        if self._now_ms + ms - begun_ms < _LONGEST_TRIAL_MS:
            self.trial.wait(ms)

    def _some_nodes(self) -> list[str]:
        """Some of the nodes, from any of them on."""
        nodes = self.nodes
        if not nodes:
            return []
        first, count = self.pick(range(len(nodes))), self.pick(range(1, len(nodes) + 1))
        return (nodes + nodes)[first : first + min(count, _MOST_IN_A_WAVE)]

    def one_node(self) -> list[str]:
        """One of the nodes; none if there is none."""
        return [self.pick(self.nodes)] if self.nodes else []

    def _link_of(self, node: str) -> str:
        """The node's link; a new one if it has none."""
        _, link = self.trial.states.any.links.get(node, (IDLE, ""))
        return link or self.connect(node)

    def connect(self, node: str) -> str:
        link = self.fresh("link")
        self.perform(ops.OpenLink(node, link))
        self.perform(ops.Handshake(node, link))
        return link

    def _together(self, sizes: Sequence[int]) -> tuple[list[ops.Operation], list[int]]:
        """Operations for one round, and after how many turns each begins."""
        operations = [self.operation(self._now_ms) for _ in range(self.pick(sizes))]
        return operations, [self.pick(_TURNS) for _ in operations]

    # Rules

    def a_query(self) -> None:
        self.perform(self.query())

    def a_token_is_issued(self) -> None:
        self.perform(self.issue())

    def a_node_joins(self) -> None:
        self.perform(self.redemption())

    def a_newcomer(self) -> None:
        """A new token, a node that joins with it, and its link if the target has links."""
        token, node = self.fresh("token"), self.fresh("node")
        self.perform(ops.IssueToken(token, self.pick((10, 0))))
        self.perform(ops.Redeem(token, node))
        if Ability.LINKS in self._has:
            self.connect(node)
            self.perform(ops.CheckState(node))

    def a_node_leaves(self) -> None:
        operation = self.departure()
        self.perform(operation)
        self.perform(ops.CheckState(operation.node))

    def expiries_are_set(self) -> None:
        """Expiries change; one node of the list is queried before and after."""
        operation = self.expiries(self._now_ms)
        node, _ = operation.expiries[0]
        for each in (ops.CheckState(node), operation, ops.CheckState(node)):
            self.perform(each)

    def a_node_expires_and_is_revived(self) -> None:
        """The clock moves to a node's expiry, or 1 ms beside it; later the node is revived."""
        for node in self.one_node():
            expires_at_s = self._now_ms // 1000
            if Ability.CLOCK in self._has:
                expires_at_s += 1
                self.perform(ops.SetExpiries(((node, expires_at_s),)))
                self.wait(expires_at_s * 1000 + self.pick((0, 1, -1)) - self._now_ms)
            else:
                self.perform(ops.SetExpiries(((node, expires_at_s - 1),)))
            opening = [ops.OpenLink(node, self.fresh("link"))] * (Ability.LINKS in self._has)
            asked, revival = ops.CheckState(node), ops.SetExpiries(((node, 0),))
            for each in (asked, *opening, revival, asked):
                self.perform(each)

    def a_node_expires_in_real_time(self) -> None:
        """Takes a second of real time, so it happens in few trials, at most once in each."""
        for node in self.one_node() if self._may_wait else ():
            self._may_wait = False
            if Ability.LINKS in self._has:
                self._link_of(node)
            expires_at_s = self._now_ms // 1000 + 1
            self.perform(ops.SetExpiries(((node, expires_at_s),)))
            self.wait(expires_at_s * 1000 - self._target.now().earliest_ms)
            self.perform(ops.CheckState(node))
            if Ability.SWEEP in self._has:
                self.perform(ops.Sweep())

    def both_ports_are_asked(self) -> None:
        """The same invalid call, and a health check, through both ports."""
        token = self.pick(WRONG_TOKENS)
        for port in ops.Port:
            self.perform(ops.Redeem(token, self.fresh("node"), port))
        for port in ops.Port:
            self.perform(ops.CheckHealth(port))

    def something_about_a_link(self) -> None:
        operation = self.link_operation()
        self.perform(operation)
        self.perform(ops.CheckState(operation.node))

    def a_node_comes_and_goes(self) -> None:
        for node in self.one_node():
            link = self._link_of(node)
            again = self.pick(([], [], [ops.Handshake(node, link)]))
            for each in (*again, ops.CheckState(node), ops.CloseLink(node, link)):
                self.perform(each)
            self.perform(ops.CheckState(node))

    def a_link_is_taken_over(self) -> None:
        """A node opens a second link; the old one then sends its handshake late, or ends late."""
        for node in self.one_node():
            old, link = self._link_of(node), self.fresh("link")
            self.perform(ops.OpenLink(node, link))
            if self.pick((False, True)):
                self.perform(ops.Handshake(node, old))
            for each in (ops.Handshake(node, link), ops.CloseLink(node, old), ops.CheckState(node)):
                self.perform(each)

    def a_link_is_taken_over_as_it_ends(self) -> None:
        for node in self.one_node():
            closing = ops.CloseLink(node, self._link_of(node))
            opening = ops.OpenLink(node, self.fresh("link"))
            self.perform(closing, opening, turns=(self.pick(_TURNS), self.pick(_TURNS)))
            self.perform(ops.CheckState(node))

    def a_wave_connects(self) -> None:
        for node in self._some_nodes():
            self.connect(node)

    def a_wave_disconnects(self) -> None:
        for node in self._some_nodes():
            for link in self.links.get(node, [])[-1:]:
                self.perform(ops.CloseLink(node, link))

    def several_at_once(self) -> None:
        operations, turns = self._together((2, 3, 4))
        self.perform(*operations, turns=turns)

    def several_about_one_node(self) -> None:
        for node in self.one_node():
            options = self.about(node)
            if Ability.LINKS in self._has:
                link = self.fresh("link")
                options += [ops.OpenLink(node, link), ops.Handshake(node, link)]
            self.perform(*[self.pick(options) for _ in range(self.pick((2, 3)))])
            self.perform(ops.CheckState(node))

    def the_process_ends(self) -> None:
        """While operations are under way, or while the server is idle."""
        crash = Crash(self.pick(_CRASH_STEPS), self.pick((0.0, 0.5, 1.0)), self.pick(range(1000)))
        operations, turns = self._together((0, 1, 2))
        self.perform(self.redemption(), *operations, turns=(0, *turns), crash=crash)
        for node in self.nodes[-1:]:
            self.perform(ops.CheckState(node))

    def the_server_restarts(self) -> None:
        """A clean restart; now and then on another network."""
        is_moved = Ability.NETWORKS in self._has and self.pick((False, False, True))
        self.trial.restart(self.pick(NETWORKS) if is_moved else "")

    def the_server_sweeps(self) -> None:
        """A sweep, now or after the retention of expired tokens."""
        if Ability.CLOCK in self._has and self.pick((False, False, True)):
            self.wait(DAY_MS + DEFAULT_MINUTES * MINUTE_MS)
        self.perform(ops.Sweep())

    def time_passes(self) -> None:
        """The clock jumps, forwards or a little back."""
        self.wait(self.pick((1, 1000, MINUTE_MS, 10 * MINUTE_MS, DAY_MS, -1, -1000)))

    def an_expiry_comes(self) -> None:
        """The clock moves to a token's expiry, or 1 ms beside it, and the token is used."""
        model = self.trial.states.any
        due = [
            (name, expiry.latest_ms)
            for expiries in (model.tokens, model.nodes)
            for name, expiry in sorted(expiries.items())
            if expiry is not None and expiry.latest_ms > self._now_ms
        ]
        if due:
            name, at_ms = self.pick(due)
            self.wait(at_ms + self.pick((0, -1, 1)) - self._now_ms)
            is_token = name in model.tokens
            self.perform(ops.Redeem(name, self.fresh("node")) if is_token else ops.CheckState(name))


Workload.rules = (
    (Workload.a_query, None),
    (Workload.a_token_is_issued, None),
    (Workload.a_node_joins, None),
    (Workload.a_newcomer, None),
    (Workload.a_node_leaves, None),
    (Workload.expiries_are_set, None),
    (Workload.a_node_expires_and_is_revived, None),
    (Workload.both_ports_are_asked, None),
    (Workload.several_at_once, None),
    (Workload.several_about_one_node, None),
    (Workload.something_about_a_link, Ability.LINKS),
    (Workload.a_node_comes_and_goes, Ability.LINKS),
    (Workload.a_link_is_taken_over, Ability.LINKS),
    (Workload.a_link_is_taken_over_as_it_ends, Ability.LINKS),
    (Workload.a_wave_connects, Ability.LINKS),
    (Workload.a_wave_disconnects, Ability.LINKS),
    (Workload.the_process_ends, Ability.CRASH),
    (Workload.the_server_restarts, Ability.RESTART),
    (Workload.the_server_sweeps, Ability.SWEEP),
    (Workload.time_passes, Ability.CLOCK),
    (Workload.an_expiry_comes, Ability.CLOCK),
)
