"""Folds where nodes' links are."""

from nc.domain.events import StateChanged
from nc.domain.fsm import ConnectionState
from nc.domain.interning import shared_id
from nc.domain.presence import Link
from nc.domain.transient_map import TransientMap

PresenceDraft = TransientMap[str, Link]


def state_changed(presence: PresenceDraft, event: StateChanged) -> None:
    """The node is where the event says."""
    state = ConnectionState(event.to_state)
    if state is ConnectionState.IDLE:
        presence.discard(event.node_id)
    else:
        presence[shared_id(event.node_id)] = Link(state, event.link_id)
