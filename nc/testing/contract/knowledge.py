"""What follows for certain from a history's answers: laws are checked on nothing else.

An operation that was never answered may have happened or not, and of two in one round either may
have been first: where that matters, the phase is `UNSURE`, and a law looks elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple

from nc.testing.contract import administration as adm
from nc.testing.contract import operations as ops
from nc.testing.contract.happenings import Wait
from nc.testing.contract.history import History, Observation, Step
from nc.testing.contract.values import (
    ADMIN,
    CONNECTED,
    DEFAULT_MINUTES,
    HELLO_LIMIT_MS,
    IDLE,
    INIT,
    MINUTE_MS,
    Expiry,
    Moment,
    at,
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
    """A node that has joined."""

    token: str
    expiry: Expiry = None
    is_expiry_sure: bool = True
    has_left: bool | None = False  # None: perhaps


@dataclass
class _Token:
    """A bootstrap token that was issued."""

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
    """An operator whose certificate was issued."""

    role: str
    is_revoked: bool | None = False  # None: perhaps


class Observed:
    """A history, and what is sure about each use of a token in it.

    Attributes:
        history: what was observed.
        bootstrap_tokens: the answered uses of bootstrap tokens.
        nodes: the answered uses of node tokens.
        callers: the answered calls with nodes' certificates.
        operators: those with the certificates of operators, and the operator's role.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.bootstrap_tokens: list[Use] = []
        self.nodes: list[Use] = []
        self.callers: list[Use] = []
        self.operators: list[tuple[Use, str]] = []
        self._known_tokens: dict[str, _Token] = {}  # as of the round before
        self._known_operators: dict[str, _Operator] = {}
        self._known_nodes: dict[str, _Node] = {}
        for _, steps in history.rounds():
            for step in steps:
                if step.answer is not None:
                    self._look_at(step, [other for other in steps if other is not step])
            self._learn(steps)

    def _look_at(self, step: Step, beside: Sequence[Step]) -> None:
        """Note the uses of tokens in a step; the others of its round are `beside` it."""
        operation: Any = step.operation
        if (caller := operation.shown) not in {"", ADMIN}:
            operator = self._known_operators.get(caller)
            if operator is None:
                self.callers.append(Use(step, caller, self._phase_of_node(caller, step, beside)))
            else:
                phase = Phase.GONE if operator.is_revoked else Phase.LIVE
                ends_now = any(isinstance(each.operation, adm.RevokeOperator) for each in beside)
                if operator.is_revoked is None or (ends_now and not operator.is_revoked):
                    phase = Phase.UNSURE
                self.operators.append((Use(step, caller, phase), operator.role))
            if step.code == ops.DENIED:
                return  # it did not come as far as its token
        if isinstance(operation, ops.Redeem):
            token, phase = operation.token, Phase.UNKNOWN
            if token in self._known_tokens:
                phase = self._known_tokens[token].phase(step.moment)
                if phase is Phase.LIVE and any(map(self._may_use_up, beside)):
                    phase = Phase.UNSURE
            self.bootstrap_tokens.append(Use(step, token, phase))
            return
        for node in _nodes_in(operation):
            self.nodes.append(Use(step, node, self._phase_of_node(node, step, beside)))

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
        """Whether it would change the phase of a node."""
        if isinstance(operation, adm.UnregisterNodesOf):
            return self._known_nodes[node].token == operation.token
        is_change = isinstance(operation, ops.Unregister | ops.SetExpiries)
        return is_change and node in _nodes_in(operation)

    def _may_use_up(self, step: Step) -> bool:
        """Whether it may be why a bootstrap token is refused that was good before."""
        operation: Any = step.operation
        if isinstance(operation, ops.Redeem):
            token = self._known_tokens.get(operation.token)
            return token is not None and bool(token.most)
        return isinstance(operation, adm.RevokeToken | adm.UnregisterNodesOf)

    def _learn_of_tokens(self, done: Sequence[Step]) -> None:
        """What is sure of bootstrap tokens and operators after a round."""
        for step in done:
            match step.operation:
                case ops.Redeem(token) | adm.RevokeToken(token) | adm.UnregisterNodesOf(token):
                    known = self._known_tokens.get(token)
                    if known is None:
                        continue
                    if isinstance(step.operation, ops.Redeem):
                        known.uses += 1
                    elif getattr(step.operation, "revokes", True):
                        known.is_revoked = known.is_revoked or (True if step.is_ok else None)
                case adm.IssueOperator(operator, role) if step.is_ok:
                    self._known_operators[operator] = _Operator(role)
                case adm.RevokeOperator(name) if name in self._known_operators:
                    operator_known = self._known_operators[name]
                    is_sure = operator_known.is_revoked or step.is_ok
                    operator_known.is_revoked = True if is_sure else None

    def _learn(self, steps: Sequence[Step]) -> None:
        """Learn what is sure after a round."""
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
        self._learn_of_tokens(done)
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
        return _nodes_in(operation)


def _nodes_in(operation: Any) -> list[str]:
    """The nodes that an operation is about, each once."""
    if isinstance(operation, ops.SetExpiries):
        return list(dict(operation.expiries))
    is_about_one = isinstance(
        operation, ops.Query | ops.Unregister | ops.LinkOperation | adm.NodeCall
    )
    return [operation.node] if is_about_one else []


class LinkState(NamedTuple):
    """Where a node's link must be."""

    state: int | None  # as clients see it; None: unsure
    link: str = ""
    opened: frozenset[str] = frozenset()  # every link that was ever accepted
    closed_late: bool = False  # a superseded link was closed since the current one was opened
    opened_ms: int = 0  # when the current one was opened, at the earliest


def link_states(history: History) -> Iterator[tuple[Step, LinkState]]:
    """Each CheckState, in a round of its own, with where the node's link is before it."""
    now: dict[str, LinkState] = {}
    rounds = {number: len(steps) for number, steps in history.rounds()}
    for item in history.items:
        if isinstance(item, Observation):
            if not isinstance(item.happening, Wait):  # no link outlives its process
                now = {node: LinkState(IDLE, opened=was.opened) for node, was in now.items()}
            continue
        operation, is_alone = item.operation, rounds[item.round] == 1
        if isinstance(operation, ops.CheckState) and is_alone:
            before = now.get(operation.node, LinkState(IDLE))
            waited_ms = item.moment.latest_ms - before.opened_ms
            is_late = before.state == INIT and waited_ms >= HELLO_LIMIT_MS
            yield item, before._replace(state=None) if is_late else before
        elif not operation.reads:
            is_of_all = isinstance(operation, ops.Sweep | adm.UnregisterNodesOf)
            concerned = list(now) if is_of_all else _nodes_in(operation)
            for node in concerned:
                now[node] = _moved(now.get(node, LinkState(IDLE)), item, is_alone=is_alone)


def _moved(before: LinkState, step: Step, *, is_alone: bool) -> LinkState:  # noqa: PLR0911 - a table
    """Where the link is after a step that may concern it."""
    operation = step.operation
    if not step.may_have_happened:
        is_refused_address = isinstance(operation, ops.Handshake) and before.state == INIT
        return before._replace(state=None) if is_refused_address else before
    opened = before.opened
    if isinstance(operation, ops.OpenLink):
        opened |= {operation.link}
    if not step.is_ok or not is_alone:
        return before._replace(state=None, opened=opened)
    match operation:
        case ops.OpenLink(_, link) if before.link != link or before.state == IDLE:
            is_new = before.state is not None or link not in before.opened
            opened_ms = step.moment.earliest_ms
            return LinkState(INIT if is_new else None, link, opened, opened_ms=opened_ms)
        case ops.Handshake(_, link):
            return before._replace(state=CONNECTED, link=link)
        case ops.CloseLink(_, link) if before.state in {IDLE, None} or before.link != link:
            is_late = before.closed_late or link in before.opened
            return before._replace(closed_late=is_late)
        case ops.CloseLink():
            return before._replace(state=IDLE, link="", closed_late=False)
        case (
            ops.Unregister()
            | ops.SetExpiries()
            | ops.Sweep()
            | adm.AssignAddress()
            | adm.UnregisterNodesOf()
        ):
            # it may have lost its link: expiry and the sweep are other laws' business
            return before if before.state == IDLE else before._replace(state=None)
    return before
