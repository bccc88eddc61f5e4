"""The link aggregate: a node's connection is accepted, is handed its address, is gone."""

from dataclasses import dataclass

from nc.domain.addresses import Addresses, bind
from nc.domain.errors import LinkSuperseded
from nc.domain.events import Event, pb
from nc.domain.fsm import Trigger
from nc.domain.nodes import Nodes, require_live
from nc.domain.presence import NO_LINK, Presence, Reason, change, drop, link_of


@dataclass(frozen=True, slots=True)
class AcceptLink:
    """A node's new link was accepted; an older one is superseded."""

    node_id: str
    link_id: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class HandOverAddress:
    """The node on this link is to get its address, and is connected with it."""

    node_id: str
    link_id: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class DropLink:
    """This link is gone."""

    node_id: str
    link_id: str
    reason: Reason


def decide_accept(
    nodes: Nodes, presence: Presence, addresses: Addresses, command: AcceptLink
) -> list[Event]:
    """Begin; the newer link wins. Accepting the same link twice changes nothing.

    Raises:
        NodeUnknown, NodeExpired: the node's token is refused.
        AddressPoolExhausted: there would be no address to hand over; the node stays as it is.
    """
    require_live(nodes, command.node_id, command.now_ms)
    if link_of(presence, command.node_id).link_id == command.link_id:
        return []
    bind(addresses, command.node_id)  # refused now rather than half-way through the handshake
    return [
        *drop(presence, command.node_id, pb.STATE_CHANGE_REASON_LINK_SUPERSEDED),
        change(
            command.node_id,
            NO_LINK,
            Trigger.BEGIN,
            command.link_id,
            pb.STATE_CHANGE_REASON_LINK_ACCEPTED,
        ),
    ]


def decide_hand_over(
    nodes: Nodes, presence: Presence, addresses: Addresses, command: HandOverAddress
) -> list[Event]:
    """Bind an address if the node holds none that will do, and establish.

    Raises:
        NodeUnknown, NodeExpired: the node's token is refused.
        LinkSuperseded: this link is not the node's current one.
        IllegalTransition: it is established already.
        AddressPoolExhausted: there is no address to hand over.
    """
    require_live(nodes, command.node_id, command.now_ms)
    link = link_of(presence, command.node_id)
    if link.link_id != command.link_id:
        raise LinkSuperseded
    established = change(
        command.node_id,
        link,
        Trigger.ESTABLISH,
        command.link_id,
        pb.STATE_CHANGE_REASON_ADDRESS_HANDED_OVER,
    )
    return [*bind(addresses, command.node_id), established]


def decide_drop(presence: Presence, command: DropLink) -> list[Event]:
    """Drop this link; if it is not the node's current one, nothing."""
    if link_of(presence, command.node_id).link_id != command.link_id:
        return []
    return drop(presence, command.node_id, command.reason)
