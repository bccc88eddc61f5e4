"""The address pool: which node holds which overlay address, and which comes next.

Addresses that were never used come first, then the one that was released longest ago: an address
rests as long as it can before it means another machine. When none is free, the node that has been
idle longest gives its address up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rpds import HashTrieMap, HashTrieSet, Queue

from nc.domain.errors import AddressPoolExhausted
from nc.domain.events import (
    AddressBound,
    AddressReleased,
    Event,
    ReplicaStarted,
    StateChanged,
    pb,
)
from nc.domain.interning import shared_id
from nc.domain.network import DEFAULT_NETWORK, Network
from nc.domain.transient_map import TransientMap

ReleaseReason = pb.AddressReleaseReason


class Binding(NamedTuple):
    """An address that a node holds."""

    address: str
    idle_since_seq: int | None  # the event that made the node idle; None while it has a link


@dataclass(frozen=True, slots=True)
class Addresses:
    """The pool.

    Every address of the network that is held is in a slot below `next_slot`, or in `ahead`.
    """

    network: Network = field(default_factory=lambda: Network.parse(DEFAULT_NETWORK))
    next_slot: int = 0  # every slot below it was given out, or belongs to the server
    released: "Queue[str]" = field(default_factory=Queue)  # longest ago first
    by_node: "HashTrieMap[str, Binding]" = field(default_factory=HashTrieMap)
    # Bound in an earlier network, or by a node that was taken back.
    ahead: "HashTrieSet[str]" = field(default_factory=HashTrieSet)

    def address_of(self, node_id: str) -> str:
        """The node's address, "" if it holds none."""
        binding = self.by_node.get(node_id)
        return "" if binding is None else binding.address

    def holder_of(self, address: str) -> str:
        """The id of the node that holds the address, "" if none does. O(nodes)."""
        holders = (node_id for node_id, held in self.by_node.items() if held.address == address)
        return next(holders, "")


class TransientAddresses:
    """The pool while events are folded into it."""

    __slots__ = ("ahead", "by_node", "network", "next_slot", "released")

    def __init__(self, base: Addresses) -> None:
        self.network = base.network
        self.next_slot = base.next_slot
        self.released = base.released
        self.by_node: TransientMap[str, Binding] = TransientMap(base.by_node)
        self.ahead = base.ahead

    def is_passed(self, slot: int) -> bool:
        """Whether a slot has no address to give: it is held, or the server's."""
        address = self.network.address(slot)
        return address is None or address in self.ahead

    def finish(self) -> Addresses:
        return Addresses(
            self.network, self.next_slot, self.released, self.by_node.finish(), self.ahead
        )


def evolve_replica_started(addresses: TransientAddresses, event: ReplicaStarted) -> None:
    """Give out a network that differs from the one before from its first slot on.

    The two may overlap: `ahead` has the addresses of the new one that are held already.
    """
    network = Network.parse(event.network_address)
    if network != addresses.network:
        addresses.network = network
        addresses.next_slot = 0
        addresses.released = Queue()
        held = (binding.address for binding in addresses.by_node.finish().values())
        addresses.ahead = HashTrieSet(a for a in held if network.slot(a) is not None)


def evolve_bound(addresses: TransientAddresses, event: AddressBound) -> None:
    addresses.by_node[shared_id(event.node_id)] = Binding(event.address, idle_since_seq=None)
    slot = addresses.network.slot(event.address)
    if slot is not None and slot >= addresses.next_slot:
        if all(map(addresses.is_passed, range(addresses.next_slot, slot))):
            addresses.next_slot = slot + 1
        else:  # a node was taken back that held it
            addresses.ahead = addresses.ahead.insert(event.address)
        return
    queue: Any = addresses.released  # its stubs have the signatures of peek and dequeue wrong
    if len(queue) and queue.peek() == event.address:
        addresses.released = queue.dequeue()
    else:  # likewise
        addresses.released = Queue(each for each in addresses.released if each != event.address)


def evolve_released(addresses: TransientAddresses, event: AddressReleased) -> None:
    """Free the address; it joins the queue unless its slot is still to come."""
    addresses.by_node.discard(event.node_id)
    addresses.ahead = addresses.ahead.discard(event.address)
    slot = addresses.network.slot(event.address)
    if slot is not None and slot < addresses.next_slot:
        addresses.released = addresses.released.enqueue(event.address)


def evolve_state_changed(addresses: TransientAddresses, seq: int, event: StateChanged) -> None:
    """Remember since which event a node that holds an address is idle."""
    node_id = shared_id(event.node_id)
    binding = addresses.by_node.get(node_id)
    if binding is not None:
        idle = event.to_state == pb.CONNECTION_STATE_IDLE
        addresses.by_node[node_id] = Binding(binding.address, seq if idle else None)


def release(addresses: Addresses, node_id: str, reason: ReleaseReason) -> list[Event]:
    """Free the node's address; no event if it holds none."""
    address = addresses.address_of(node_id)
    if not address:
        return []
    released = AddressReleased(node_id=node_id, address=address, reason=reason)
    return [Event(address_released=released)]


def bind(
    addresses: Addresses, node_id: str, wanted: str = "", avoided: frozenset[str] = frozenset()
) -> list[Event]:
    """Give the node an address, if need be that of an idle node; no event if it has one.

    It is the one that is wanted, if that is free, and none of those to be avoided.

    Raises:
        AddressPoolExhausted: nodes that are not idle hold all of them.
    """
    current = addresses.address_of(node_id)
    if current and addresses.network.slot(current) is not None:
        return []
    events = release(addresses, node_id, pb.ADDRESS_RELEASE_REASON_NETWORK_CHANGED)
    free = (address for address in _free(addresses) if address not in avoided)
    address = wanted if _is_free(addresses, wanted) else next(free, None)
    if address is None:
        idle_node_id = _longest_idle(addresses)
        address = addresses.address_of(idle_node_id)
        events += release(addresses, idle_node_id, pb.ADDRESS_RELEASE_REASON_RECLAIMED)
    return [*events, Event(address_bound=AddressBound(node_id=node_id, address=address))]


def _is_free(addresses: Addresses, address: str) -> bool:
    """Whether an address may be given to a node. O(bindings) if it is one of the network's."""
    slot = addresses.network.slot(address) if address else None
    is_assignable = slot is not None and addresses.network.address(slot) == address
    return is_assignable and not addresses.holder_of(address)


def _free(addresses: Addresses) -> Iterator[str]:
    """The free addresses, in the order in which they are given out."""
    network = addresses.network
    for slot in range(addresses.next_slot, network.slots):
        address = network.address(slot)
        if address is not None and address not in addresses.ahead:
            yield address
    yield from addresses.released


def _longest_idle(addresses: Addresses) -> str:
    """The node that has been idle longest among those with an address of this network.

    O(bindings), which the pool's size bounds; needed only when the pool is used up.
    """
    idle = (
        (binding.idle_since_seq, node_id)
        for node_id, binding in addresses.by_node.items()
        if binding.idle_since_seq is not None
        and addresses.network.slot(binding.address) is not None
    )
    _, node_id = min(idle, default=(None, None))
    if node_id is None:
        raise AddressPoolExhausted(str(addresses.network))
    return node_id
