"""A trial: a target and the model side by side, from the first start to the verdict.

trial = Trial(target, "10.1.1.1/28")
trial.perform(IssueToken("token 1", 10))
trial.perform(Redeem("token 1", "node 1"), Redeem("token 1", "node 2"))     at the same time
trial.finish()                                                              raises LawBroken
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from nc.testing.contract import operations as ops
from nc.testing.contract.administration import IssueOperator
from nc.testing.contract.enrolment import Renew
from nc.testing.contract.happenings import Crash, Happening, Restart, Wait
from nc.testing.contract.history import Answer, History, Observation, Step, step_id
from nc.testing.contract.judgement import Judgement, judge
from nc.testing.contract.membership import TakeBack
from nc.testing.contract.model import Model
from nc.testing.contract.possible_states import Asked, PossibleStates
from nc.testing.contract.values import ADMIN, NO_LIMITS, UPSTREAM, Limits, imported_nodes
from nc.testing.targets.target import (
    DEFAULT_NETWORK,
    Ability,
    Mortal,
    Reply,
    Request,
    ServerGone,
    Target,
)

_JOINING: Final = (ops.Redeem, TakeBack)
_REMEMBERED_ROUNDS = 4  # how old a stale answer may be and still be called stale


class Trial:
    """A trial under way, and its history.

    Attributes:
        history: so far.
        states: the models that explain it.
    """

    def __init__(
        self, target: Target, network: str = DEFAULT_NETWORK, limits: Limits = NO_LIMITS
    ) -> None:
        self._target = target
        self.history = History(target.begin(network, limits), limits)
        acts_alone = Ability.CLOCK not in target.abilities
        now_ms = target.now().latest_ms
        network = self.history.network
        model = Model(network, acts_alone=acts_alone, limits=limits, now_ms=now_ms)
        self.states = PossibleStates(model)
        self._judgement: Judgement | None = None
        self._past: deque[Model] = deque(maxlen=_REMEMBERED_ROUNDS)
        self._round = 0

    @property
    def is_over(self) -> bool:
        return self._judgement is not None

    @property
    def joined(self) -> list[str]:
        """The nodes that were given a token, or taken back."""
        done = [step.operation for step in self.history.of(*_JOINING) if step.is_ok]
        nodes = [operation.node for operation in done if isinstance(operation, _JOINING)]
        return list(dict.fromkeys(nodes))  # an attempt to enrol may have been repeated

    @property
    def certified(self) -> set[str]:
        """Those whose certificates may be called with."""
        done = [step.operation for step in self.history.of(Renew) if step.is_ok]
        renewed = [operation.node for operation in done if isinstance(operation, Renew)]
        return {"", ADMIN, UPSTREAM, *self.joined, *renewed, *self.appointed}

    @property
    def appointed(self) -> list[str]:
        done = [step.operation for step in self.history.of(IssueOperator) if step.is_ok]
        return [each.operator for each in done if isinstance(each, IssueOperator)]

    @property
    def _mortal(self) -> Mortal:
        if not isinstance(self._target, Mortal):
            raise TypeError(f"{self._target} cannot be ended: it is not ours")
        return self._target

    def perform(
        self, *operations: ops.Operation, turns: Sequence[int] = (), crash: Crash | None = None
    ) -> list[Answer | None]:
        """Carry operations out at the same time, and hold the answers against the model.

        Args:
            operations: what is asked for.
            turns: when each of them begins (`Request.turns`); all at once without.
            crash: how the process ends meanwhile; it has started again on return.

        Returns:
            The answers; None for an operation that was never answered.

        Raises:
            LawBroken: nothing explains the answers, or the server does not start again.
            TypeError: a crash of a target that is not `Mortal`.
        """
        self._round += 1
        first = len(self.history.steps) + 1
        requests = [
            Request(operation, step_id(first + n), turns[n] if turns else 0)
            for n, operation in enumerate(operations)
        ]
        try:
            if crash is None:
                replies = self._target.perform(requests)
            else:
                replies = self._mortal.perform_and_crash(requests, crash)
        except ServerGone as error:
            self._is_gone(requests, error, crash)
            return []
        self._hold_against_model(requests, replies)
        if crash is not None:
            self._has_started(crash, "")
        return [reply.answer for reply in replies]

    def _is_gone(self, requests: Sequence[Request], error: ServerGone, crash: Crash | None) -> None:
        """Record the answers that came and the server's end, then judge."""
        self.history.end = str(error)
        replies = error.replies or [Reply(self._target.now(), None)] * len(requests)
        for request, reply in zip(requests, replies, strict=True):
            self._write_down(request, reply, "")
        if crash is not None:
            self._happened(crash)
        self.judge().require()

    def _write_down(self, request: Request, reply: Reply, reason: str) -> None:
        (operation, _, turns), (moment, answer) = request, reply
        number = len(self.history.steps) + 1
        self.history.add(Step(number, self._round, operation, moment, answer, reason, turns))

    def _hold_against_model(self, requests: Sequence[Request], replies: list[Reply]) -> None:
        asked = [
            Asked(request.operation, moment, None if answer is None else answer.facts)
            for request, (moment, answer) in zip(requests, replies, strict=True)
        ]
        before = self.states.any
        reasons = self.states.explain(asked)
        reason = reasons[0] if reasons is not None and len(reasons) == 1 else ""
        for request, reply in zip(requests, replies, strict=True):
            self._write_down(request, reply, reason)
        if reasons is None:
            self.history.unexplained = self._round
            if any(PossibleStates(model).explain(asked) is not None for model in self._past):
                self.history.stale = self._round
            self.judge().require()
        if not all(request.operation.reads for request in requests):
            self._past.append(before)

    def wait(self, ms: int) -> None:
        self._target.wait(ms)
        self._happened(Wait(ms))

    def restart(self, network: str = "") -> None:
        """Stop the process cleanly, and start it again, perhaps on another network.

        Raises:
            LawBroken: it does not start.
            TypeError: the target is not `Mortal`.
        """
        try:
            self._mortal.restart(network)
        except ServerGone as error:
            self.history.end = str(error)
        self._has_started(Restart(network), network)

    def _has_started(self, after: Crash | Restart, network: str) -> None:
        """Record that the server has started again, or failed to."""
        self._happened(after)
        if self.history.end:
            self.judge().require()
        now_ms = self._target.now().latest_ms
        self.states.change(lambda model: model.start(network or model.network, now_ms))

    def _happened(self, happening: Happening) -> None:
        if not isinstance(happening, Crash):
            self._round += 1
        self._past.clear()
        self.history.add(Observation(self._round, happening))

    def finish(self) -> Judgement:
        """Ask about every node twice more, and judge; raises LawBroken."""
        for _ in range(2):
            imported = imported_nodes(self.history.limits.imported)
            for node in (*imported, *self.joined, ops.SERVER_NODE):
                self.perform(ops.CheckState(node))
        judgement = self.judge()
        judgement.require()
        return judgement

    def judge(self) -> Judgement:
        """Check the history so far against the laws, once; the trial is over then."""
        if self._judgement is None:
            if not self.history.end:
                try:
                    self.history.log = self._target.log()
                except ServerGone as error:
                    self.history.end = str(error)
            self._judgement = judge(self.history)
        return self._judgement
