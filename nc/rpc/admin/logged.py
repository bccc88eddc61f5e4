"""Events as nc.admin.v1 has them: `LoggedEvent`, with the node's name."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from nc.domain.codec.records import Recorded
from nc.domain.events import Event
from nc.domain.names import shown_name
from nc.domain.state import State
from nc.pb.admin.v1.events_pb2 import LoggedEvent

_KINDS: Any = Event.DESCRIPTOR.oneofs_by_name["kind"]

# The kinds of events, as in `node_registered`.
KINDS: Final[tuple[str, ...]] = tuple(field.name for field in _KINDS.fields)

_MOST_REMEMBERED: Final = 10_000


class NodeNames:
    """What nodes are called, some of those too that are gone.

    Args:
        state: the current state.
    """

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        self._before = state()
        self._seen: dict[str, tuple[int, str]] = {}  # in events, with their numbers

    def of(self, node_id: str) -> str:
        """The node's name now, else the last that is known; "" if none is."""
        for state in (self._state(), self._before):
            node = state.nodes.get(node_id)
            if node is not None:
                return shown_name(node.profile.name, node_id)
        return self._seen.get(node_id, (0, ""))[1]

    def remember(self, node_id: str, name: str, seq: int) -> None:
        """An event gave the node this name; they may be read backwards."""
        self._seen[node_id] = max((seq, name), self._seen.get(node_id, (0, "")))
        if len(self._seen) > _MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def keep_state(self) -> None:
        """From now on, what is in the present state is known until the next call of this."""
        self._before = self._state()


def kind_of(event: Event) -> str:
    return event.WhichOneof("kind") or ""


def node_id_of(event: Event, kind: str) -> str:
    """The node that an event is about, "" if it is about none."""
    return str(getattr(event, kind).node_id) if _fields_of(kind)[0] else ""


def logged(recorded: Recorded, names: NodeNames) -> LoggedEvent:
    """One event. A name in the event itself, which it has from then on, comes before others."""
    entry, event = recorded.entry, recorded.event
    kind = kind_of(event)
    message = LoggedEvent(
        seq=recorded.seq,
        recorded_at_ns=entry.recorded_at_ns,
        actor=entry.actor,
        method=entry.method,
        request_id=entry.request_id,
        event=event,
        kind=kind,
    )
    has_node, has_name = _fields_of(kind)
    if has_node:
        body = getattr(event, kind)
        message.node_id = body.node_id
        if has_name and body.name:
            names.remember(body.node_id, body.name, recorded.seq)
            message.node_name = body.name
        else:
            message.node_name = names.of(body.node_id)
    return message


@cache
def _fields_of(kind: str) -> tuple[bool, bool]:
    """Whether a kind of events has a node, and a name of it."""
    if not kind:
        return False, False
    body: Any = Event.DESCRIPTOR.fields_by_name[kind].message_type
    fields = body.fields_by_name
    return "node_id" in fields, "node_id" in fields and "name" in fields
