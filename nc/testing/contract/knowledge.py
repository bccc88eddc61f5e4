"""What follows for certain from a history's answers: laws are checked on nothing else.

An operation that was never answered may have happened or not, and of two in one round either may
have been first: where that matters, the phase is `UNSURE`, and a law looks elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple

from nc.testing.contract import administration as adm
from nc.testing.contract import enrolment
from nc.testing.contract import operations as ops
from nc.testing.contract.history import History, Step
from nc.testing.contract.membership import TakeBack
from nc.testing.contract.mistakes import MeanByPrefix
from nc.testing.contract.values import (
    ADMIN,
    DEFAULT_MINUTES,
    MINUTE_MS,
    Expiry,
    Moment,
    at,
    imported_nodes,
    owner,
)


class Phase(Enum):
    """The phase of a token's or a node's life cycle."""

    UNKNOWN = auto()  # no answer named it
    LIVE = auto()
    EXPIRED = auto()
    GONE = auto()  # unregistered
    UNSURE = auto()


def _phase_at(expiry: Expiry, now: Moment) -> Phase:
    if expiry is None or now.latest_ms < expiry.earliest_ms:
        return Phase.LIVE
    return Phase.EXPIRED if now.earliest_ms >= expiry.latest_ms else Phase.UNSURE


class Use(NamedTuple):
    """A token that was used in a step, and its phase then."""

    step: Step
    name: str
    phase: Phase


@dataclass
class _Node:
    token: str
    expiry: Expiry = None
    is_expiry_sure: bool = True
    has_left: bool | None = False  # None: perhaps


class Attempt(NamedTuple):
    """An attempt to enrol, which was answered with a node or perhaps made one."""

    token: str
    key: str
    at_ms: int  # when it was first made, at the earliest
    is_sure: bool  # it was answered with the node


@dataclass
class _Token:
    expiry: Expiry
    most: int  # of its uses, or of its nodes; 0: any number
    uses: int = 0  # at most
    is_revoked: bool | None = False  # None: perhaps

    def phase(self, now: Moment) -> Phase:
        if self.is_revoked:
            return Phase.GONE
        phase = _phase_at(self.expiry, now)
        is_open = self.is_revoked is False and not 0 < self.most <= self.uses
        return phase if is_open or phase is Phase.EXPIRED else Phase.UNSURE


@dataclass
class _Operator:
    role: str
    expiry: Expiry = None
    is_revoked: bool | None = False  # None: perhaps


class Observed:
    """A history, and what is sure about each use of a token in it.

    Attributes:
        history: what was observed.
        bootstrap_tokens: the answered uses of bootstrap tokens.
        nodes: the answered uses of node tokens.
        callers: the answered calls with nodes' certificates.
        operators: those with the certificates of operators, and the operator's role.
        repeats: the answered attempts to enrol that were made before, and the first one.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.bootstrap_tokens: list[Use] = []
        self.nodes: list[Use] = []
        self.callers: list[Use] = []
        self.operators: list[tuple[Use, str]] = []
        self.repeats: list[tuple[Use, Attempt]] = []
        self._attempts: dict[str, Attempt] = {}  # by node; as of the round before, as what follows
        self._known_tokens: dict[str, _Token] = {}  # as of the round before
        self._known_operators: dict[str, _Operator] = {}
        imported = imported_nodes(history.limits.imported)
        self._known_nodes: dict[str, _Node] = {node: _Node("") for node in imported}
        for _, steps in history.rounds():
            for step in steps:
                if step.answer is not None:
                    self._look_at(step, [other for other in steps if other is not step])
            self._learn(steps)

    def _look_at(self, step: Step, beside: Sequence[Step]) -> None:
        """Note the uses of tokens in a step; the others of its round are `beside` it."""
        operation: Any = step.operation
        if operation.shown not in {"", ADMIN}:
            self._look_at_caller(step, beside)
            if step.code == ops.DENIED:
                return  # it did not come as far as its token
        if isinstance(operation, ops.Redeem):
            self._look_at_redemption(step, operation, beside)
            return
        for node in nodes_in(operation):
            self.nodes.append(Use(step, node, self._phase_of_node(node, step, beside)))

    def _look_at_caller(self, step: Step, beside: Sequence[Step]) -> None:
        caller = step.operation.shown
        operator = self._known_operators.get(caller)
        if operator is None:
            node = owner(caller)
            self.callers.append(Use(step, node, self._phase_of_node(node, step, beside)))
            return
        phase = Phase.GONE if operator.is_revoked else _phase_at(operator.expiry, step.moment)
        ends_now = any(isinstance(each.operation, adm.RevokeOperator) for each in beside)
        if operator.is_revoked is None or (ends_now and not operator.is_revoked):
            phase = Phase.UNSURE
        self.operators.append((Use(step, caller, phase), operator.role))

    def _look_at_redemption(
        self, step: Step, operation: ops.Redeem, beside: Sequence[Step]
    ) -> None:
        if isinstance(operation, enrolment.Enrol):
            first = self._attempts.get(operation.node)
            if first is not None:
                phase = self._phase_of_node(operation.node, step, beside)
                self.repeats.append((Use(step, operation.node, phase), first))
            is_at_once = any(operation.node == _enrolled(other.operation) for other in beside)
            if first is not None or is_at_once or not operation.is_in_order:
                return
        token, phase = operation.token, Phase.UNKNOWN
        if token in self._known_tokens:
            phase = self._known_tokens[token].phase(step.moment)
            if phase is Phase.LIVE and any(map(self._may_use_up, beside)):
                phase = Phase.UNSURE
        self.bootstrap_tokens.append(Use(step, token, phase))

    def _phase_of_node(self, name: str, step: Step, beside: Sequence[Step]) -> Phase:
        """The phase of a node while a step is under way."""
        node = self._known_nodes.get(name)
        if node is None:
            return Phase.UNKNOWN
        if node.has_left:
            return Phase.GONE
        changing = [other for other in beside if other.may_have_happened]
        if (
            node.has_left is None
            or not node.is_expiry_sure
            or any(self._changes(other.operation, name) for other in changing)
        ):
            return Phase.UNSURE
        return _phase_at(node.expiry, step.moment)

    def _changes(self, operation: ops.Operation, node: str) -> bool:
        if isinstance(operation, adm.UnregisterNodesOf):
            return self._known_nodes[node].token == operation.token
        is_change = isinstance(operation, ops.Unregister | ops.SetExpiries)
        return is_change and node in nodes_in(operation)

    def _may_use_up(self, step: Step) -> bool:
        """Whether it may be why a bootstrap token is refused that was good before."""
        operation: Any = step.operation
        if isinstance(operation, ops.Redeem):
            token = self._known_tokens.get(operation.token)
            return token is not None and bool(token.most)
        return isinstance(operation, adm.RevokeToken | adm.UnregisterNodesOf | MeanByPrefix)

    def _learn_of_tokens(self, done: Sequence[Step]) -> None:
        """What is sure of bootstrap tokens and operators after a round."""
        for step in done:
            match step.operation:
                case ops.Redeem(token) | adm.RevokeToken(token) | adm.UnregisterNodesOf(token):
                    known = self._known_tokens.get(token)
                    if known is None:
                        continue
                    if isinstance(step.operation, ops.Redeem):
                        known.uses += _enrolled(step.operation) not in self._attempts
                    elif getattr(step.operation, "revokes", True):
                        known.is_revoked = known.is_revoked or (True if step.is_ok else None)
                case MeanByPrefix(what) if what == "token":
                    for token_known in self._known_tokens.values():  # any of them
                        token_known.is_revoked = token_known.is_revoked or None
                case adm.IssueOperator(operator, role, _, lifetime_s) if step.is_ok:
                    ends = step.moment.plus(lifetime_s * 1000) if lifetime_s else None
                    # the certificate ends at a whole second
                    expiry = ends and Moment(ends.earliest_ms - 1000, ends.latest_ms)
                    self._known_operators[operator] = _Operator(role, expiry)
                case adm.RevokeOperator(name) if name in self._known_operators:
                    operator_known = self._known_operators[name]
                    is_sure = operator_known.is_revoked or step.is_ok
                    operator_known.is_revoked = True if is_sure else None

    def _learn_of_attempts(self, done: Sequence[Step]) -> None:
        for step in done:
            if isinstance(each := step.operation, enrolment.Enrol):
                known_attempt = self._attempts.get(each.node)
                if known_attempt is None or (step.is_ok and not known_attempt.is_sure):
                    at_ms = step.moment.earliest_ms
                    attempt = Attempt(each.token, each.key, at_ms, step.is_ok)
                    self._attempts[each.node] = attempt

    def _learn(self, steps: Sequence[Step]) -> None:
        done = [step for step in steps if step.may_have_happened]
        for step in done:
            match step.operation:
                case ops.IssueToken(token, minutes) if step.is_ok:
                    lifetime_ms = (minutes or DEFAULT_MINUTES) * MINUTE_MS
                    expiry = None if minutes < 0 else step.moment.plus(lifetime_ms)
                    terms = [getattr(step.operation, each, 0) for each in ("max_uses", "max_nodes")]
                    self._known_tokens.setdefault(token, _Token(expiry, max(terms)))
                case ops.Redeem(token, name) if step.is_ok:
                    self._known_nodes.setdefault(name, _Node(token))
                case TakeBack(name):
                    has_left = False if step.is_ok else None
                    self._known_nodes.setdefault(name, _Node("", has_left=has_left))
        self._learn_of_tokens(done)
        self._learn_of_attempts(done)
        joining = {step.operation.node for step in done if isinstance(step.operation, ops.Redeem)}
        said: set[str] = set()  # nodes whose expiry another step of the round has set
        for step in done:
            operation = step.operation
            for name in self._nodes_changed_by(operation):
                node = self._known_nodes.get(name)
                if node is None:
                    continue
                if isinstance(operation, ops.Unregister | adm.UnregisterNodesOf):
                    node.has_left = node.has_left or (step.is_ok and name not in joining) or None
                elif isinstance(operation, ops.SetExpiries):
                    expires_at_s = dict(operation.expiries)[name]  # of a repeated node, the last
                    node.expiry = at(expires_at_s * 1000) if expires_at_s else None
                    node.is_expiry_sure = step.is_ok and name not in said
                    said.add(name)

    def _nodes_changed_by(self, operation: Any) -> list[str]:
        if isinstance(operation, adm.UnregisterNodesOf):
            return [n for n, node in self._known_nodes.items() if node.token == operation.token]
        return nodes_in(operation)


def _enrolled(operation: ops.Operation) -> str | None:
    return operation.node if isinstance(operation, enrolment.Enrol) else None


def nodes_in(operation: Any) -> list[str]:
    """The nodes that an operation is about, each once."""
    if isinstance(operation, ops.SetExpiries):
        return list(dict(operation.expiries))
    is_about_one = isinstance(
        operation, ops.Query | ops.Unregister | ops.LinkOperation | adm.NodeCall | enrolment.Renew
    )
    return [operation.node] if is_about_one and not isinstance(operation, TakeBack) else []
