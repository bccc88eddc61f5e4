"""What nodes are called, as of each event of a history."""

from nc.domain.codec.records import Recorded
from nc.domain.map_items import items_of
from nc.domain.state import State
from nc.history.events import field_of


class NodeNames:
    """The names that the events so far have given to nodes.

    Args:
        base: the state before the first of them.
    """

    def __init__(self, base: State) -> None:
        self._by_id = {node_id: name for name, node_id in items_of(base.names)}

    def follow(self, recorded: Recorded) -> str:
        """The name of the event's node before the event; "" if it has none, or is about none."""
        node_id = field_of(recorded.event, "node_id")
        if not node_id:
            return ""
        before = self._by_id.get(node_id, "")
        if name := field_of(recorded.event, "name"):
            self._by_id[node_id] = name
        return before
