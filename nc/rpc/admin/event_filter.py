"""Which events a filter fits. Pure."""

from typing import Final, NamedTuple

from nc.domain.operator_errors import NodeReferenceUnknown
from nc.domain.references import IdOf, node_meant
from nc.domain.state import State
from nc.history.filters import is_by
from nc.pb.admin.v1 import events_pb2 as pb
from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.logged import KINDS
from nc.secrets import is_id
from nc.text import quoted

_NS_PER_MS: Final = 1_000_000
_MOST_NODES: Final = 1000


class EventSelection(NamedTuple):
    """An event fits if it meets every condition; empty, or 0, is no condition."""

    nodes: frozenset[str] = frozenset()  # ids
    kinds: frozenset[str] = frozenset()
    actor: str = ""  # as of `is_by`
    from_ns: int = 0
    to_ns: int = 0

    def fits(self, kind: str, node_id: str, actor: str, at_ns: int) -> bool:
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.nodes or node_id in self.nodes)
            and is_by(actor, self.actor)
            and at_ns >= self.from_ns
            and (not self.to_ns or at_ns <= self.to_ns)
        )

    @property
    def is_all(self) -> bool:
        return self == EventSelection()


def event_selection(wanted: pb.EventFilter, state: State, id_of: IdOf) -> EventSelection:
    """What a request's filter asks for.

    Raises:
        InvalidField: a part of it cannot be understood.
        NodeReferenceUnknown, NodeReferenceAmbiguous: no node, or several, are meant.
    """
    if unknown := set(wanted.kinds) - set(KINDS):
        raise InvalidField(
            "filter.kinds",
            f"there is no kind {quoted(min(unknown))}; there are {', '.join(KINDS)}",
        )
    if len(wanted.nodes) > _MOST_NODES:
        raise InvalidField("filter.nodes", f"at most {_MOST_NODES} nodes")
    if wanted.from_ms < 0 or wanted.to_ms < 0:
        raise InvalidField("filter", "from_ms and to_ms are Unix time in milliseconds, or 0")
    return EventSelection(
        frozenset(_node_id(state, each, id_of) for each in wanted.nodes),
        frozenset(wanted.kinds),
        wanted.actor,
        wanted.from_ms * _NS_PER_MS,
        # the whole of the last millisecond
        (wanted.to_ms + 1) * _NS_PER_MS - 1 if wanted.to_ms else 0,
    )


def _node_id(state: State, reference: str, id_of: IdOf) -> str:
    try:
        return node_meant(state, reference, id_of)
    except NodeReferenceUnknown:
        if is_id(reference.lower()):  # of a node that is gone
            return reference.lower()
        raise
