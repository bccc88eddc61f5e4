"""Folds who holds which address, and which come next."""

from typing import Any

from rpds import HashTrieSet, Queue

from nc.domain.addresses import Addresses, Binding, Network
from nc.domain.events import AddressBound, AddressReleased, ReplicaStarted, StateChanged, pb
from nc.domain.interning import shared_id
from nc.domain.transient_map import TransientMap


class AddressesDraft:
    """The address pool while events are folded into it."""

    __slots__ = ("ahead", "by_node", "network", "next_slot", "released")

    def __init__(self, base: Addresses) -> None:
        self.network = base.network
        self.next_slot = base.next_slot
        self.released = base.released
        self.by_node: TransientMap[str, Binding] = TransientMap(base.by_node)
        self.ahead = base.ahead

    def finish(self) -> Addresses:
        """The pool with every change made."""
        return Addresses(
            self.network,
            self.next_slot,
            self.released,
            self.by_node.finish(),
            self.ahead,
        )


def replica_started(addresses: AddressesDraft, event: ReplicaStarted) -> None:
    """A network that differs from the one before is given out from its first slot on.

    Except for what is held of it already: the two may overlap.
    """
    network = Network.parse(event.network_address)
    if network != addresses.network:
        addresses.network = network
        addresses.next_slot = 0
        addresses.released = Queue()
        held = (binding.address for binding in addresses.by_node.finish().values())
        addresses.ahead = HashTrieSet(a for a in held if network.slot(a) is not None)


def bound(addresses: AddressesDraft, event: AddressBound) -> None:
    """The node holds the address; whichever way it came to be free, it is not any more."""
    addresses.by_node[shared_id(event.node_id)] = Binding(event.address, idle_since_seq=None)
    slot = addresses.network.slot(event.address)
    if slot is not None and slot >= addresses.next_slot:
        addresses.next_slot = slot + 1
        return
    queue: Any = addresses.released  # its stubs have the signatures of peek and dequeue wrong
    if len(queue) and queue.peek() == event.address:
        addresses.released = queue.dequeue()


def released(addresses: AddressesDraft, event: AddressReleased) -> None:
    """The address is free, and last in the queue if its slot will not come up by itself."""
    addresses.by_node.discard(event.node_id)
    addresses.ahead = addresses.ahead.discard(event.address)
    slot = addresses.network.slot(event.address)
    if slot is not None and slot < addresses.next_slot:
        addresses.released = addresses.released.enqueue(event.address)


def state_changed(addresses: AddressesDraft, seq: int, event: StateChanged) -> None:
    """Remember since which event a node that holds an address is idle."""
    node_id = shared_id(event.node_id)
    binding = addresses.by_node.get(node_id)
    if binding is not None:
        idle = event.to_state == pb.CONNECTION_STATE_IDLE
        addresses.by_node[node_id] = Binding(binding.address, seq if idle else None)
