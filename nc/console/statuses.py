"""A node's status as events change it, for a reader that has no state of the whole.

It says of any history what `nc.history.timelines` says; a base comes from `History/At`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from nc.client.types import Node
from nc.domain.events import Event
from nc.domain.fsm import ConnectionState
from nc.domain.profile import LabelPairs
from nc.history.timelines import NodeStatus

_NEW = NodeStatus(ConnectionState.IDLE, "", 0)


class Statuses:
    """The status of each registered node.

    Args:
        nodes: those that are registered before the first event.
    """

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.by_id: dict[str, NodeStatus] = {}
        self.add(nodes)

    def add(self, nodes: Iterable[Node]) -> None:
        self.by_id |= {node.id: _status(node) for node in nodes}

    def follow(self, event: Event) -> tuple[str, NodeStatus | None] | None:
        """The node whose status an event changes, and its status then; None: no status changes."""
        kind = event.WhichOneof("kind") or ""
        if kind not in _OF_NODES:
            return None
        body = getattr(event, kind)
        node_id = body.node_id
        before = self.by_id.get(node_id)
        after = _after(before, kind, body)
        if after == before:
            return None
        if after is None:
            del self.by_id[node_id]
        else:
            self.by_id[node_id] = after
        return node_id, after


def _status(node: Node) -> NodeStatus:
    return NodeStatus(
        ConnectionState[node.state.value],
        node.address,
        0 if node.expires_at is None else round(node.expires_at.timestamp() * 1000),
        node.name,
        tuple(sorted(node.labels.items())),
    )


def _after(before: NodeStatus | None, kind: str, body: Any) -> NodeStatus | None:
    if kind == "node_registered":
        return _NEW._replace(name=body.name, labels=_pairs(body.labels))
    if before is None or kind == "unregistered":
        return None
    return _CHANGES[kind](before, body)


def _updated(before: NodeStatus, update: Any) -> NodeStatus:
    if update.HasField("name"):
        before = before._replace(name=update.name)
    if update.HasField("labels"):
        before = before._replace(labels=_pairs(update.labels.labels))
    return before


def _pairs(labels: Iterable[Any]) -> LabelPairs:
    return tuple((label.key, label.value) for label in labels)


_CHANGES: Final[dict[str, Callable[[NodeStatus, Any], NodeStatus]]] = {
    "state_changed": lambda before, e: before._replace(state=ConnectionState(e.to_state)),
    "address_bound": lambda before, e: before._replace(address=e.address),
    "address_released": lambda before, _: before._replace(address=""),
    "expiry_changed": lambda before, e: before._replace(expires_at_ms=e.expires_at_ms),
    "node_updated": _updated,
}

_OF_NODES: Final = frozenset({*_CHANGES, "node_registered", "unregistered"})
