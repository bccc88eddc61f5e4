"""Where the links of nodes are for certain, by a history's answers."""

from collections.abc import Iterator
from typing import NamedTuple

from nc.testing.contract import administration as adm
from nc.testing.contract import operations as ops
from nc.testing.contract.happenings import Wait
from nc.testing.contract.history import History, Observation, Step
from nc.testing.contract.knowledge import nodes_in
from nc.testing.contract.values import CONNECTED, HELLO_LIMIT_MS, IDLE, INIT


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
            concerned = list(now) if is_of_all else nodes_in(operation)
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
