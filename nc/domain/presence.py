"""Presence: which nodes have a link, and in which state it is.

Every change carries the id of its link, so what is said late about an old link can't touch a newer
one. A node that has no entry here is IDLE.
"""

from typing import NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.domain.events import Event, StateChanged, pb
from nc.domain.fsm import ConnectionState, Trigger, next_state

Reason = pb.StateChangeReason


class Link(NamedTuple):
    """A node's connection, under way or established."""

    state: ConnectionState  # INIT or CONNECTED
    link_id: str


Presence: TypeAlias = "HashTrieMap[str, Link]"  # by node id; the nodes that are not in it are IDLE

NO_LINK = Link(ConnectionState.IDLE, "")


def link_of(presence: Presence, node_id: str) -> Link:
    """The node's link; without one, `NO_LINK`."""
    return presence.get(node_id, NO_LINK)


def change(node_id: str, link: Link, trigger: Trigger, link_id: str, reason: Reason) -> Event:
    """Ask the machine where `trigger` leads, and say so.

    Raises:
        IllegalTransition: it leads nowhere from here.
    """
    to_state = next_state(link.state, trigger)
    return Event(
        state_changed=StateChanged(
            node_id=node_id,
            from_state=link.state.value,
            to_state=to_state.value,
            link_id=link_id,
            reason=reason,
        )
    )


def drop(presence: Presence, node_id: str, reason: Reason) -> list[Event]:
    """Whatever link the node has is gone; nothing if it has none."""
    link = presence.get(node_id)
    return [] if link is None else [change(node_id, link, Trigger.DROP, link.link_id, reason)]


def drop_all(presence: Presence, reason: Reason) -> list[Event]:
    """Every link is gone; in the order of their ids, since equal maps may differ in theirs."""
    return [event for node_id in sorted(presence) for event in drop(presence, node_id, reason)]
