"""The overlay address of each replica's own: what its kernel sends into the overlay comes from it.

The server's address is every replica's; an answer to it would come to the replica that the node is
linked to. A session holds its own address in the pool, as a node does, and it is free when the
session has ended. It is no idle node's, so that nobody reclaims it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nc.domain.addresses import Addresses, TransientAddresses, evolve_bound, free, free_addresses
from nc.domain.bindings import session_holder
from nc.domain.errors import AddressPoolExhausted
from nc.domain.events import AddressBound, Event, ReplicaAddressBound
from nc.domain.leadership import require_going_on

if TYPE_CHECKING:
    from nc.domain.replicas import Sessions


@dataclass(frozen=True, slots=True)
class BindReplicaAddress:
    """Give a replica an address of its own."""

    session: str


def decide_bind(
    addresses: Addresses, sessions: "Sessions", command: BindReplicaAddress
) -> list[Event]:
    """Bind the next free address; no event if the session has one of this network.

    Raises:
        SessionEnded: there is no such session any more.
        AddressPoolExhausted: none is free; none is taken from a node.
    """
    require_going_on(sessions, command.session)
    current = own_address(addresses, command.session)
    if current and addresses.network.slot(current) is not None:
        return []
    address = next(free_addresses(addresses), None)
    if address is None:
        raise AddressPoolExhausted(str(addresses.network))
    bound = ReplicaAddressBound(session=command.session, address=address)
    return [Event(replica_address_bound=bound)]


def without_address(addresses: Addresses, sessions: "Sessions") -> list[str]:
    """The sessions that have no address of this network, in order."""
    return [
        session
        for session in sorted(sessions)
        if addresses.network.slot_if_any(own_address(addresses, session)) is None
    ]


def own_address(addresses: Addresses, session: str) -> str:
    """The address of a session, "" if it has none."""
    return addresses.address_of(session_holder(session))


def end_session(addresses: TransientAddresses, session: str) -> None:
    free(addresses, session_holder(session))


def evolve_own_bound(addresses: TransientAddresses, event: ReplicaAddressBound) -> None:
    holder = session_holder(event.session)
    free(addresses, holder)  # one of an earlier network
    evolve_bound(addresses, AddressBound(node_id=holder, address=event.address))
