"""The address pool: which node holds which overlay address, and which comes next.

Addresses that were never used come first, then the one that was released longest ago: an address
rests as long as it can before it means another machine. When none is free, the node that has been
idle longest gives its address up, if it has been idle for long enough, and no operator chose it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rpds import HashTrieMap, HashTrieSet, Queue

from nc.domain.bindings import HOUR_MS, Binding, Bindings, Reclaim, holder_in, longest_idle
from nc.domain.events import AddressBound, AddressReleased, Event, ReplicaStarted, pb
from nc.domain.interning import shared_id
from nc.domain.map_items import items_of
from nc.domain.network import DEFAULT_NETWORK, Network
from nc.domain.transient_map import TransientMap

ReleaseReason = pb.AddressReleaseReason


@dataclass(frozen=True, slots=True)
class Addresses:
    """The pool.

    Every address of the network that is held is in a slot below `next_slot`, or in `ahead`.
    """

    network: Network = field(default_factory=lambda: Network.parse(DEFAULT_NETWORK))
    next_slot: int = 0  # every slot below it was given out, or belongs to the server
    released: "Queue[str]" = field(default_factory=Queue)  # longest ago first
    by_node: Bindings = field(default_factory=HashTrieMap)
    # Bound in an earlier network, or by a node that was taken back.
    ahead: "HashTrieSet[str]" = field(default_factory=HashTrieSet)
    # How many addresses of idle nodes became idle in which hour (`nc.domain.bindings`), so that a
    # request in vain does not look at all of them. It follows from `by_node`.
    idle_hours: "HashTrieMap[int, int]" = field(default_factory=HashTrieMap, compare=False)

    def address_of(self, node_id: str) -> str:
        """The node's address, "" if it holds none."""
        binding = self.by_node.get(node_id)
        return "" if binding is None else binding.address

    def holder_of(self, address: str) -> str:
        """The id of the node that holds the address, "" if none does.

        O(1) for an address that was asked about before or was never given out, else O(bindings).
        """
        slot = self.network.slot_if_any(address)
        if slot is not None and slot >= self.next_slot and address not in self.ahead:
            return ""
        return holder_in(self.by_node, address)


class TransientAddresses:
    """The pool while events are folded into it."""

    __slots__ = ("ahead", "by_node", "idle_hours", "network", "next_slot", "released")

    def __init__(self, base: Addresses) -> None:
        self.network = base.network
        self.next_slot = base.next_slot
        self.released = base.released
        self.by_node: TransientMap[str, Binding] = TransientMap(base.by_node)
        self.ahead = base.ahead
        self.idle_hours: TransientMap[int, int] = TransientMap(base.idle_hours)

    def hold(self, node_id: str, binding: Binding | None) -> None:
        """Let the node hold this, or nothing."""
        before = self.by_node.get(node_id)
        if before is not None and before.idle_since_seq is not None:
            self._count(before, -1)
        if binding is None:
            self.by_node.discard(node_id)
            return
        self.by_node[node_id] = binding
        if binding.idle_since_seq is not None:
            self._count(binding, 1)

    def _count(self, idle: Binding, change: int) -> None:
        if not idle.is_assigned:
            hour = idle.idle_since_ms // HOUR_MS
            count = (self.idle_hours.get(hour) or 0) + change
            if count:
                self.idle_hours[hour] = count
            else:
                self.idle_hours.discard(hour)

    def is_passed(self, slot: int) -> bool:
        """Whether a slot has no address to give: it is held, or the server's."""
        address = self.network.address(slot)
        return address is None or address in self.ahead

    def finish(self) -> Addresses:
        return Addresses(
            self.network,
            self.next_slot,
            self.released,
            self.by_node.finish(),
            self.ahead,
            self.idle_hours.finish(),
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
        held = (binding.address for _, binding in items_of(addresses.by_node.finish()))
        addresses.ahead = HashTrieSet(a for a in held if network.slot(a) is not None)


def evolve_bound(
    addresses: TransientAddresses, event: AddressBound, idle_since: tuple[int, int] | None = None
) -> None:
    """Bind the address.

    Args:
        addresses: the pool.
        event: the event.
        idle_since: its sequence number and time, if the node has no link; None while it has one.
    """
    seq, at_ms = idle_since or (None, 0)
    binding = Binding(event.address, seq, at_ms, event.assigned)
    addresses.hold(shared_id(event.node_id), binding)
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
    addresses.hold(event.node_id, None)
    _let_go(addresses, event.address)


def free(addresses: TransientAddresses, holder: str) -> None:
    """Free the address of a holder that is gone, if it has one."""
    held = addresses.by_node.get(holder)
    if held is not None:
        addresses.hold(holder, None)
        _let_go(addresses, held.address)


def _let_go(addresses: TransientAddresses, address: str) -> None:
    """The address joins the queue, unless its slot is still to come."""
    addresses.ahead = addresses.ahead.discard(address)
    slot = addresses.network.slot(address)
    if slot is not None and slot < addresses.next_slot:
        addresses.released = addresses.released.enqueue(address)


def evolve_state_changed(
    addresses: TransientAddresses, node_id: str, seq: int, at_ms: int, *, is_idle: bool
) -> None:
    """Remember since which event a node that holds an address is idle."""
    binding = addresses.by_node.get(node_id)
    if binding is None:
        return
    if is_idle:
        addresses.hold(node_id, Binding(binding.address, seq, at_ms, binding.is_assigned))
    elif binding.idle_since_seq is not None:
        addresses.hold(node_id, Binding(binding.address, None, 0, binding.is_assigned))


def release(addresses: Addresses, node_id: str, reason: ReleaseReason) -> list[Event]:
    """Free the node's address; no event if it holds none."""
    address = addresses.address_of(node_id)
    if not address:
        return []
    released = AddressReleased(node_id=node_id, address=address, reason=reason)
    return [Event(address_released=released)]


def bind(
    addresses: Addresses,
    node_id: str,
    reclaim: Callable[[], Reclaim],
    wanted: str = "",
    avoided: frozenset[str] = frozenset(),
) -> list[Event]:
    """Give the node an address, if need be that of an idle node; no event if it has one.

    It is the one that is wanted, if that is free, and none of those to be avoided.

    Raises:
        AddressPoolExhausted: no other node may give up its address.
    """
    current = addresses.address_of(node_id)
    if current and addresses.network.slot(current) is not None:
        return []
    events = release(addresses, node_id, pb.ADDRESS_RELEASE_REASON_NETWORK_CHANGED)
    others = (address for address in free_addresses(addresses) if address not in avoided)
    address = wanted if is_free(addresses, wanted) else next(others, None)
    if address is None:
        idle_node_id = longest_idle(
            addresses.by_node, addresses.idle_hours, addresses.network, reclaim()
        )
        address = addresses.address_of(idle_node_id)
        events += release(addresses, idle_node_id, pb.ADDRESS_RELEASE_REASON_RECLAIMED)
    return [*events, Event(address_bound=AddressBound(node_id=node_id, address=address))]


def is_assignable(addresses: Addresses, address: str) -> bool:
    """Whether the network has this address for a node, held or not."""
    slot = addresses.network.slot_if_any(address)
    return slot is not None and addresses.network.address(slot) == address


def is_free(addresses: Addresses, address: str) -> bool:
    return is_assignable(addresses, address) and not addresses.holder_of(address)


def free_addresses(addresses: Addresses) -> Iterator[str]:
    """The free addresses, in the order in which they are given out."""
    network = addresses.network
    for slot in range(addresses.next_slot, network.slots):
        address = network.address(slot)
        if address is not None and address not in addresses.ahead:
            yield address
    yield from addresses.released
