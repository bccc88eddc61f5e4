"""What follows for certain from a history's answers: laws are checked on nothing else.

An operation that was never answered may have happened or not, and of two in one round either may
have been first: where that matters, these functions say `UNSURE`, and a law looks elsewhere.
"""

from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, NamedTuple

from nc.testing.contract import operations as ops
from nc.testing.contract.expectations import DENIED, OK
from nc.testing.contract.history import History, Observation, Step
from nc.testing.contract.model import (
    CONNECTED,
    DEFAULT_MINUTES,
    HELLO_LIMIT_MS,
    IDLE,
    INIT,
    MINUTE_MS,
    Moment,
)


class Phase(Enum):
    """The phase of a token's or a node's life cycle."""

    UNKNOWN = auto()  # no answer named it
    LIVE = auto()
    EXPIRED = auto()
    GONE = auto()  # unregistered
    UNSURE = auto()


def _at(expiry: Moment, now: Moment) -> Phase:
    if now.latest_ms < expiry.earliest_ms:
        return Phase.LIVE
    return Phase.EXPIRED if now.earliest_ms >= expiry.latest_ms else Phase.UNSURE


def may_have_happened(step: Step) -> bool:
    """Whether the step took effect, or may have."""
    return step.answer is None or step.is_ok


def caller_of(step: Step) -> str:
    """Whose certificate the call came with; "" with none."""
    operation: Any = step.operation
    if getattr(operation, "port", ops.Port.CONTROL) is ops.Port.BOOTSTRAP:
        return ""
    return str(getattr(operation, "caller", ops.ADMIN))


def phase_of_token(history: History, token: str, step: Step) -> Phase:
    """The phase of a bootstrap token while a step is under way."""
    for issued in history.of(ops.IssueToken):
        operation: Any = issued.operation
        if issued.round < step.round and issued.is_ok and operation.token == token:
            if operation.minutes < 0:
                return Phase.LIVE
            lifetime_ms = (operation.minutes or DEFAULT_MINUTES) * MINUTE_MS
            return _at(issued.moment.plus(lifetime_ms), step.moment)
    return Phase.UNKNOWN


def phase_of_node(history: History, node: str, step: Step) -> Phase:
    """The phase of a node while a step is under way."""
    if not any(joined.round < step.round for joined in _enrolments(history, node)):
        return Phase.UNKNOWN
    for left in history.steps:
        if left is step or left.round > step.round:
            continue
        operation = left.operation
        if (
            isinstance(operation, ops.Unregister)
            and operation.node == node
            and may_have_happened(left)
        ):
            is_sure = left.is_ok and left.round < step.round
            return Phase.GONE if is_sure else Phase.UNSURE
    expiry = last_expiry(history, node, step)
    if expiry is None:
        return Phase.UNSURE
    return Phase.LIVE if expiry == 0 else _at(Moment(expiry, expiry), step.moment)


def _enrolments(history: History, node: str) -> Iterator[Step]:
    for step in history.of(ops.Redeem):
        operation: Any = step.operation
        if step.is_ok and operation.node == node:
            yield step


def last_expiry(history: History, node: str, step: Step) -> int | None:
    """When the node expires by the answers before a step, ms, 0 never; None if unsure."""
    expiry: int | None = 0
    said_in = 0
    for said in history.steps:
        operation = said.operation
        if said is step or said.round > step.round or not isinstance(operation, ops.SetExpiries):
            continue
        listed = dict(operation.expiries)  # of a repeated node, the last
        if node in listed and may_have_happened(said):
            is_sure = said.answer is not None and said.round not in {said_in, step.round}
            expiry, said_in = (listed[node] * 1000 if is_sure else None), said.round
    return expiry


class Use(NamedTuple):
    """A token that was used in a step, and its phase then."""

    step: Step
    name: str
    phase: Phase


class Observed:
    """A history, and what is sure about each use of a token in it.

    Attributes:
        history: what was observed.
        bootstrap_tokens: the answered uses of bootstrap tokens.
        nodes: the answered uses of node tokens.
        callers: the answered calls with nodes' certificates.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.bootstrap_tokens: list[Use] = []
        self.nodes: list[Use] = []
        self.callers: list[Use] = []
        for step in history.steps:
            if step.answer is not None:
                self._look_at(step)

    def _look_at(self, step: Step) -> None:
        operation: Any = step.operation
        if (caller := caller_of(step)) not in {"", ops.ADMIN}:
            phase = phase_of_node(self.history, caller, step)
            self.callers.append(Use(step, caller, phase))
            if step.code == DENIED:
                return  # it did not come as far as its token
        if isinstance(operation, ops.Redeem):
            phase = phase_of_token(self.history, operation.token, step)
            self.bootstrap_tokens.append(Use(step, operation.token, phase))
        elif isinstance(operation, ops.SetExpiries):
            for node in dict(operation.expiries):
                self.nodes.append(Use(step, node, phase_of_node(self.history, node, step)))
        elif hasattr(operation, "node"):
            phase = phase_of_node(self.history, operation.node, step)
            self.nodes.append(Use(step, operation.node, phase))


class LinkState(NamedTuple):
    """Where a node's link must be."""

    state: int | None  # as clients see it; None: unsure
    link: str = ""
    opened: frozenset[str] = frozenset()  # every link that was ever accepted
    closed_late: bool = False  # a superseded link was closed since the current one was opened
    opened_ms: int = 0  # when the current one was opened, at the earliest


def link_states(history: History, node: str) -> Iterator[tuple[Step, LinkState]]:
    """Each step, in a round of its own, with where the node's link is before it."""
    now = LinkState(IDLE)
    counts: dict[int, int] = {}
    for step in history.steps:
        counts[step.round] = counts.get(step.round, 0) + 1
    for item in history.items:
        if isinstance(item, Observation):
            if not isinstance(item.happening, ops.Wait):
                now = LinkState(IDLE, opened=now.opened)  # no link outlives its process
            continue
        if counts[item.round] == 1:
            waited_ms = item.moment.latest_ms - now.opened_ms
            is_late = now.state == INIT and waited_ms >= HELLO_LIMIT_MS
            yield item, now._replace(state=None) if is_late else now
        if _concerns(item, node):
            now = _moved(now, item, is_alone=counts[item.round] == 1)


def _concerns(step: Step, node: str) -> bool:
    operation = step.operation
    if isinstance(operation, ops.SetExpiries):
        return node in dict(operation.expiries)
    if isinstance(operation, ops.OpenLink | ops.Handshake | ops.CloseLink | ops.Unregister):
        return operation.node == node
    return isinstance(operation, ops.Sweep)


def _moved(before: LinkState, step: Step, *, is_alone: bool) -> LinkState:  # noqa: PLR0911 - a table
    """Where the link is after a step that may concern it."""
    operation = step.operation
    if not may_have_happened(step):
        is_refused_address = isinstance(operation, ops.Handshake) and before.state == INIT
        return before._replace(state=None) if is_refused_address else before
    opened = before.opened
    if isinstance(operation, ops.OpenLink):
        opened |= {operation.link}
    if step.code != OK or not is_alone:
        return before._replace(state=None, opened=opened)
    match operation:
        case ops.OpenLink(_, link):
            if before.link == link and before.state != IDLE:
                return before
            is_new = before.state is not None or link not in before.opened
            opened_ms = step.moment.earliest_ms
            return LinkState(INIT if is_new else None, link, opened, opened_ms=opened_ms)
        case ops.Handshake(_, link):
            return before._replace(state=CONNECTED, link=link)
        case ops.CloseLink(_, link):
            if before.state not in {IDLE, None} and before.link == link:
                return before._replace(state=IDLE, link="", closed_late=False)
            is_late = before.closed_late or link in before.opened
            return before._replace(closed_late=is_late)
        case _:  # it may have lost its link: expiry and the sweep are other laws' business
            return before if before.state == IDLE else before._replace(state=None)
