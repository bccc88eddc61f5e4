"""The link aggregate: a node's connection is accepted, is handed its address, is dropped.

Every change carries the id of its link, so that a late event of an old link cannot touch a newer
one. A node without an entry here is IDLE. The commands of a node's own ask `nc.domain.nodes` first
whether its token is good (`nc.domain.decide`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.domain.addresses import Addresses, bind
from nc.domain.bindings import Reclaim
from nc.domain.errors import LinkSuperseded
from nc.domain.events import Event, StateChanged, pb
from nc.domain.fsm import ConnectionState, Trigger, next_state
from nc.domain.interning import shared_id
from nc.domain.limits import DEFAULT_RECLAIM_AFTER_MS
from nc.domain.transient_map import TransientMap

Reason = pb.StateChangeReason


class NodeLink(NamedTuple):
    """A node's connection, under way or established."""

    state: ConnectionState  # INIT or CONNECTED
    link_id: str
    session: str = ""  # of the replica that holds it; "" in logs of older versions
    since_ms: int = 0  # when it came into this state; 0: not known


Links: TypeAlias = "HashTrieMap[str, NodeLink]"  # by node id

NO_LINK = NodeLink(ConnectionState.IDLE, "")


@dataclass(frozen=True, slots=True)
class AcceptLink:
    """A node's new link was accepted; an older one is superseded."""

    node_id: str
    link_id: str
    now_ms: int
    session: str = ""  # of the replica that accepted it
    reclaim_after_ms: int = DEFAULT_RECLAIM_AFTER_MS


@dataclass(frozen=True, slots=True)
class HandOverAddress:
    """Give the node on this link its address; it is CONNECTED then."""

    node_id: str
    link_id: str
    now_ms: int
    wanted: str = ""  # the address that the node says it held, if the log knows none of it
    avoided: frozenset[str] = frozenset()  # those of other nodes that the log does not know
    reclaim_after_ms: int = DEFAULT_RECLAIM_AFTER_MS


@dataclass(frozen=True, slots=True)
class DropLink:
    node_id: str
    link_id: str
    reason: Reason


def link_of(links: Links, node_id: str) -> NodeLink:
    """The node's link; without one, `NO_LINK`."""
    return links.get(node_id, NO_LINK)


def evolve_state_changed(
    links: TransientMap[str, NodeLink],
    node_id: str,
    state: ConnectionState,
    at_ms: int,
    event: StateChanged,
) -> None:
    if state is ConnectionState.IDLE:
        links.discard(node_id)
    else:
        links[node_id] = NodeLink(state, event.link_id, shared_id(event.session), at_ms)


def decide_accept(
    links: Links, addresses: Addresses, reclaim: Callable[[], Reclaim], command: AcceptLink
) -> list[Event]:
    """Begin; the newer link wins. Accepting the same link twice changes nothing.

    Raises:
        AddressPoolExhausted: there would be no address to hand over; the node stays as it is.
    """
    node_id, link_id = command.node_id, command.link_id
    if link_of(links, node_id).link_id == link_id:
        return []
    bind(addresses, node_id, reclaim)  # refused now rather than half-way through the handshake
    begun = NO_LINK._replace(link_id=link_id, session=command.session)
    return [
        *drop(links, node_id, pb.STATE_CHANGE_REASON_LINK_SUPERSEDED),
        _change(node_id, begun, Trigger.BEGIN, pb.STATE_CHANGE_REASON_LINK_ACCEPTED),
    ]


def decide_hand_over(
    links: Links, addresses: Addresses, reclaim: Callable[[], Reclaim], command: HandOverAddress
) -> list[Event]:
    """Bind an address if the node holds none that will do, and establish.

    Raises:
        LinkSuperseded: this link is not the node's current one.
        IllegalTransition: it is established already.
        AddressPoolExhausted: there is no address to hand over.
    """
    node_id, link_id = command.node_id, command.link_id
    link = link_of(links, node_id)
    if link.link_id != link_id:
        raise LinkSuperseded
    reason = pb.STATE_CHANGE_REASON_ADDRESS_HANDED_OVER
    established = _change(node_id, link, Trigger.ESTABLISH, reason)
    bound = bind(addresses, node_id, reclaim, command.wanted, command.avoided)
    return [*bound, established]


def decide_drop(links: Links, command: DropLink) -> list[Event]:
    """Drop this link; no event if it is not the node's current one."""
    if link_of(links, command.node_id).link_id != command.link_id:
        return []
    return drop(links, command.node_id, command.reason)


def drop(links: Links, node_id: str, reason: Reason) -> list[Event]:
    """Drop the node's link; no event if it has none."""
    link = links.get(node_id)
    return [] if link is None else [_change(node_id, link, Trigger.DROP, reason)]


def drop_owned(links: Links, is_owner: Callable[[str], bool], reason: Reason) -> list[Event]:
    """Drop the links of these sessions, sorted by node id: equal maps may differ in their order."""
    owned = sorted(node_id for node_id, link in links.items() if is_owner(link.session))
    return [event for node_id in owned for event in drop(links, node_id, reason)]


def _change(node_id: str, link: NodeLink, trigger: Trigger, reason: Reason) -> Event:
    """The event of a move of the state machine.

    Raises:
        IllegalTransition: the machine has no such move.
    """
    changed = StateChanged(
        node_id=node_id,
        from_state=link.state.value,
        to_state=next_state(link.state, trigger).value,
        link_id=link.link_id,
        reason=reason,
        session=link.session,
    )
    return Event(state_changed=changed)
