"""An operator chooses a node's overlay address, and the node keeps it until another is chosen."""

from dataclasses import dataclass

from nc.domain.addresses import Addresses, is_assignable, release
from nc.domain.events import AddressBound, Event, pb
from nc.domain.links import Links, drop
from nc.domain.names import shown_name
from nc.domain.nodes import Nodes, UnregisteredNodes, require_node
from nc.domain.operator_errors import AddressNotAssignable, AddressTaken


@dataclass(frozen=True, slots=True)
class AssignAddress:
    node_id: str
    address: str  # IPv4; "": any, and the node's may be reclaimed from now on


def decide_assign(
    nodes: Nodes,
    unregistered: UnregisteredNodes,
    links: Links,
    addresses: Addresses,
    command: AssignAddress,
) -> list[Event]:
    """Drop the link if the node has another address, and bind the one that was chosen.

    Raises:
        NodeUnknown: it was never registered, or was unregistered.
        AddressNotAssignable: the network has no such address for nodes.
        AddressTaken: another node holds it.
    """
    node_id, address = command.node_id, command.address
    require_node(nodes, unregistered, node_id)
    held = addresses.by_node.get(node_id)
    if not address:
        freed = held is not None and held.is_assigned
        return [_bound(node_id, held.address, assigned=False)] if held and freed else []
    if not is_assignable(addresses, address):
        raise AddressNotAssignable(address, str(addresses.network))
    holder = addresses.holder_of(address)
    if holder not in ("", node_id):
        node = nodes.get(holder)  # none: a server holds it
        name = "a server" if node is None else shown_name(node.profile.name, holder)
        raise AddressTaken(address, name)
    if holder == node_id:
        kept = held is not None and held.is_assigned
        return [] if kept else [_bound(node_id, address, assigned=True)]
    dropped = (
        [] if held is None else drop(links, node_id, pb.STATE_CHANGE_REASON_ADDRESS_REASSIGNED)
    )
    return [
        *dropped,
        *release(addresses, node_id, pb.ADDRESS_RELEASE_REASON_REASSIGNED),
        _bound(node_id, address, assigned=True),
    ]


def _bound(node_id: str, address: str, *, assigned: bool) -> Event:
    return Event(address_bound=AddressBound(node_id=node_id, address=address, assigned=assigned))
