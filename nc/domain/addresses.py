"""The address pool: which node holds which overlay address, and which comes next.

Addresses that were never used come first, then the one that was released longest ago: an address
rests as long as it can before it means another machine. When none is free, the node that has been
idle longest gives its address up, if it has been idle for long enough, and no operator chose it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rpds import HashTrieMap, HashTrieSet, Queue

from nc.domain.errors import AddressPoolExhausted, AddressRecentlyHeld, TokenShareReached
from nc.domain.events import (
    AddressBound,
    AddressReleased,
    Event,
    ReplicaStarted,
    StateChanged,
    pb,
)
from nc.domain.interning import shared_id
from nc.domain.limits import DEFAULT_RECLAIM_AFTER_MS
from nc.domain.network import DEFAULT_NETWORK, Network
from nc.domain.transient_map import TransientMap

ReleaseReason = pb.AddressReleaseReason


class Binding(NamedTuple):
    """An address that a node holds."""

    address: str
    idle_since_seq: int | None  # the event that made the node idle; None while it has a link
    idle_since_ms: int = 0  # when that was; 0: not known, or it has a link
    is_assigned: bool = False  # an administrator chose it: it is not reclaimed


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
    # Who holds which address; it follows from `by_node`.
    holders: "HashTrieMap[str, str]" = field(default_factory=HashTrieMap, compare=False)

    def address_of(self, node_id: str) -> str:
        """The node's address, "" if it holds none."""
        binding = self.by_node.get(node_id)
        return "" if binding is None else binding.address

    def holder_of(self, address: str) -> str:
        """The id of the node that holds the address, "" if none does."""
        return self.holders.get(address, "")


class TransientAddresses:
    """The pool while events are folded into it."""

    __slots__ = ("ahead", "by_node", "holders", "network", "next_slot", "released")

    def __init__(self, base: Addresses) -> None:
        self.network = base.network
        self.next_slot = base.next_slot
        self.released = base.released
        self.by_node: TransientMap[str, Binding] = TransientMap(base.by_node)
        self.ahead = base.ahead
        self.holders: TransientMap[str, str] = TransientMap(base.holders)

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
            self.holders.finish(),
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


def evolve_bound(
    addresses: TransientAddresses, event: AddressBound, idle_since: tuple[int, int] | None = None
) -> None:
    """Bind the address.

    Args:
        addresses: the pool.
        event: the event.
        idle_since: its sequence number and time, if the node has no link; None while it has one.
    """
    node_id = shared_id(event.node_id)
    before = addresses.by_node.get(node_id)
    if before is not None:
        _forget_holder(addresses, node_id, before.address)
    seq, at_ms = idle_since or (None, 0)
    binding = Binding(event.address, seq, at_ms, event.assigned)
    addresses.by_node[node_id] = binding
    addresses.holders[binding.address] = node_id
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
    _forget_holder(addresses, event.node_id, event.address)
    addresses.ahead = addresses.ahead.discard(event.address)
    slot = addresses.network.slot(event.address)
    if slot is not None and slot < addresses.next_slot:
        addresses.released = addresses.released.enqueue(event.address)


def _forget_holder(addresses: TransientAddresses, node_id: str, address: str) -> None:
    if addresses.holders.get(address) == node_id:
        addresses.holders.discard(address)


def evolve_state_changed(
    addresses: TransientAddresses, seq: int, at_ms: int, event: StateChanged
) -> None:
    """Remember since which event a node that holds an address is idle."""
    node_id = shared_id(event.node_id)
    binding = addresses.by_node.get(node_id)
    if binding is not None:
        idle = event.to_state == pb.CONNECTION_STATE_IDLE
        addresses.by_node[node_id] = Binding(
            binding.address, seq if idle else None, at_ms if idle else 0, binding.is_assigned
        )


def release(addresses: Addresses, node_id: str, reason: ReleaseReason) -> list[Event]:
    """Free the node's address; no event if it holds none."""
    address = addresses.address_of(node_id)
    if not address:
        return []
    released = AddressReleased(node_id=node_id, address=address, reason=reason)
    return [Event(address_released=released)]


class Reclaim(NamedTuple):
    """Whose address may be reclaimed for a node.

    Attributes:
        now_ms: the present.
        after_ms: only that of a node that has been idle for so long.
        share: None, or the node may have none, since its token enrolled more than so many in a day.
    """

    now_ms: int
    after_ms: int = DEFAULT_RECLAIM_AFTER_MS
    share: int | None = None


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
    free = (address for address in _free(addresses) if address not in avoided)
    address = wanted if is_free(addresses, wanted) else next(free, None)
    if address is None:
        idle_node_id = _longest_idle(addresses, reclaim())
        address = addresses.address_of(idle_node_id)
        events += release(addresses, idle_node_id, pb.ADDRESS_RELEASE_REASON_RECLAIMED)
    return [*events, Event(address_bound=AddressBound(node_id=node_id, address=address))]


def is_assignable(addresses: Addresses, address: str) -> bool:
    """Whether the network has this address for a node, held or not."""
    try:
        slot = addresses.network.slot(address) if address else None
    except ValueError:
        return False
    return slot is not None and addresses.network.address(slot) == address


def is_free(addresses: Addresses, address: str) -> bool:
    """Whether an address may be given to a node."""
    return is_assignable(addresses, address) and not addresses.holder_of(address)


def _free(addresses: Addresses) -> Iterator[str]:
    """The free addresses, in the order in which they are given out."""
    network = addresses.network
    for slot in range(addresses.next_slot, network.slots):
        address = network.address(slot)
        if address is not None and address not in addresses.ahead:
            yield address
    yield from addresses.released


def _longest_idle(addresses: Addresses, reclaim: Reclaim) -> str:
    """The node that has been idle longest among those with an address of this network.

    O(bindings), which the pool's size bounds; needed only when the pool is used up.

    Raises:
        AddressPoolExhausted: none is idle, or none for long enough, or the node may have none.
    """
    network = addresses.network
    idle = [
        (binding.idle_since_seq, binding.idle_since_ms, node_id)
        for node_id, binding in addresses.by_node.items()
        if binding.idle_since_seq is not None
        and not binding.is_assigned
        and network.slot(binding.address) is not None
    ]
    if not idle:
        raise AddressPoolExhausted(str(network))
    # a command may have waited for longer than the node has been idle, or the clock gone back
    long = [each for each in idle if max(0, reclaim.now_ms - each[1]) >= reclaim.after_ms]
    if not long:
        raise AddressRecentlyHeld(str(network), reclaim.after_ms)
    if reclaim.share is not None:
        raise TokenShareReached(str(network), reclaim.share)
    return min(long)[2]
