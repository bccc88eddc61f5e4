"""Per-node timelines: the status after event n is that of the last change at or before n. Pure.

status_at(timelines(base, history).get(node), n)  ==  status_of(the state after event n, node)
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from nc.domain.codec.records import Recorded
from nc.domain.evolve import evolve_recorded
from nc.domain.fsm import ConnectionState
from nc.domain.links import link_of
from nc.domain.profile import LabelPairs
from nc.domain.state import State
from nc.history.events import field_of


class NodeStatus(NamedTuple):
    state: ConnectionState
    address: str  # "" if it holds none
    expires_at_ms: int  # 0: never
    name: str = ""  # "" in logs of versions without names
    labels: LabelPairs = ()


class Change(NamedTuple):
    """A node's status from this event on, until the next change."""

    seq: int
    status: NodeStatus | None  # None: the node is not registered


Timeline = list[Change]  # in order


def status_of(state: State, node_id: str) -> NodeStatus | None:
    """A node as a state has it; None if it is not registered."""
    node = state.nodes.get(node_id)
    if node is None:
        return None
    link = link_of(state.links, node_id)
    return NodeStatus(
        link.state,
        state.addresses.address_of(node_id),
        node.expires_at_ms,
        node.profile.name,
        node.profile.labels,
    )


def timelines(base: State, history: Iterable[Recorded]) -> dict[str, Timeline]:
    """The timeline of every node that was ever registered, in order of registration.

    Args:
        base: the state before the first event; its nodes' timelines begin with it.
        history: the events that follow it; read once, one by one.

    Raises:
        UnknownEvent: a newer version wrote one of them.
    """
    found = {
        node_id: [Change(base.seq, status_of(base, node_id))] for node_id in sorted(base.nodes)
    }
    for recorded, change in changes(base, history):
        if change is not None:
            node_id, status = change
            found.setdefault(node_id, []).append(Change(recorded.seq, status))
    return found


def changes(
    base: State, history: Iterable[Recorded]
) -> Iterator[tuple[Recorded, tuple[str, NodeStatus | None] | None]]:
    """Each event, with the id of the node whose status it changed, and the status; or None.

    Raises:
        UnknownEvent: a newer version wrote one of them.
    """
    state = base
    known = {node_id: status_of(base, node_id) for node_id in base.nodes}
    for recorded in history:
        state = evolve_recorded(state, [recorded])
        node_id = field_of(recorded.event, "node_id")  # no event touches more than one
        status = status_of(state, node_id)
        if status == known.get(node_id):
            yield recorded, None
            continue
        known[node_id] = status
        yield recorded, (node_id, status)


def status_at(timeline: Timeline, seq: int) -> NodeStatus | None:
    index = bisect_right(timeline, seq, key=attrgetter("seq"))
    return timeline[index - 1].status if index else None
