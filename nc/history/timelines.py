"""What became of each node, from event to event: its course. Pure.

    course_at(courses(base, history).get(node), n)  ==  the node in the state after event n

Whoever has a course needs no rule of the controller's to say how a node was at any moment: it is
what the last change at or before it says.
"""

from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from nc.domain.evolve import evolve
from nc.domain.fsm import ConnectionState
from nc.domain.links import link_of
from nc.domain.state import State
from nc.history.events import Recorded, field_of

__all__ = ["Change", "Course", "NodeStatus", "course_at", "courses", "standing_of"]


class NodeStatus(NamedTuple):
    """How a registered node is."""

    state: ConnectionState
    address: str  # "" if it holds none
    expires_at_ms: int  # 0: never


class Change(NamedTuple):
    """From this event on, until the next change."""

    seq: int
    standing: NodeStatus | None  # None: the node is not registered


Course = list[Change]  # in order


def standing_of(state: State, node_id: str) -> NodeStatus | None:
    """How a node is in a state; None if it is not registered."""
    node = state.nodes.get(node_id)
    if node is None:
        return None
    link = link_of(state.links, node_id)
    return NodeStatus(link.state, state.addresses.address_of(node_id), node.expires_at_ms)


def courses(base: State, history: Iterable[Recorded]) -> dict[str, Course]:
    """The course of every node that was ever registered, in the order in which they came.

    Args:
        base: the state before the first event; its nodes' courses begin with it.
        history: the events that follow it; read once, one by one.

    Raises:
        UnknownEvent: a newer version wrote one of them.
    """
    state = base
    found = {
        node_id: [Change(base.seq, standing_of(base, node_id))] for node_id in sorted(base.nodes)
    }
    for recorded in history:
        state = evolve(state, [recorded.event])
        node_id = field_of(recorded.event, "node_id")  # no event touches more than one
        standing = standing_of(state, node_id)
        course = found.get(node_id)
        if standing != (None if course is None else course[-1].standing):
            found.setdefault(node_id, []).append(Change(recorded.seq, standing))
    return found


def course_at(course: Course, seq: int) -> NodeStatus | None:
    """How the node was after an event: what the last change at or before it says."""
    index = bisect_right(course, seq, key=attrgetter("seq"))
    return course[index - 1].standing if index else None
