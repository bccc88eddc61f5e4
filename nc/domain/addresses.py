"""The address pool: which node holds which overlay address, and which comes next.

Nodes get odd host numbers; the even one above each is its point-to-point peer. Addresses that were
never used come first, then the one that was released longest ago, so that an address rests as long
as it can before it means another machine. When none is left, the node that has been idle longest
gives its address up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from typing import NamedTuple

from rpds import HashTrieMap, HashTrieSet, Queue

from nc.domain.errors import AddressPoolExhausted
from nc.domain.events import AddressBound, AddressReleased, Event, pb

DEFAULT_NETWORK = "10.1.1.1/24"  # LiteKube's

ReleaseReason = pb.AddressReleaseReason

_FIRST_HOST = 3  # host numbers 1 and 2 are the server's and its peer's
_LAST_OCTET = 255
_OCTETS = {str(octet): octet for octet in range(256)}  # as they are written, and in no other way
_LONGEST_PREFIX = 29  # /30 has no room for a node and its peer beside the server


@dataclass(frozen=True, slots=True)
class Network:
    """An overlay network, and the slots it has for nodes.

    Slot k is host number 2k + 3; the last slot wraps round to host 1, which is the server's unless
    the server lives elsewhere. Not every slot is assignable.
    """

    base: int  # its first address, as a number
    prefix_length: int
    server: int  # the server's own address in it, as a number

    @classmethod
    def parse(cls, text: str) -> "Network":
        """Read `10.1.1.1/24`; with the network's own address, `10.1.1.0/24`, the server is host 1.

        Raises:
            ValueError: not an IPv4 prefix, or one without room for a node.
        """
        interface = IPv4Interface(text)
        network = interface.network
        if network.prefixlen > _LONGEST_PREFIX:
            raise ValueError(
                f"{text!r} has no room for a node: use a prefix of /{_LONGEST_PREFIX} or shorter"
            )
        if interface.ip == network.broadcast_address:
            raise ValueError(f"{text!r} is the network's broadcast address: use one of its hosts")
        base = int(network.network_address)
        server = int(interface.ip)
        return cls(base, network.prefixlen, server + 1 if server == base else server)

    def __str__(self) -> str:
        """The server's address and the prefix length, `10.1.1.1/24`."""
        return f"{self.server_address}/{self.prefix_length}"

    @property
    def server_address(self) -> str:
        """The server's own address, `10.1.1.1`."""
        return str(IPv4Address(self.server))

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return 1 << (32 - self.prefix_length)

    @property
    def slots(self) -> int:
        """How many slots there are, assignable or not."""
        return self.size // 2

    def address(self, slot: int) -> str | None:
        """The address in a slot, or None if it must not be given to a node."""
        host = (2 * slot + _FIRST_HOST) % self.size
        return str(IPv4Address(self.base + host)) if self._is_assignable(host) else None

    def slot(self, address: str) -> int | None:
        """The slot of an address, or None if this network would not give it to a node."""
        host = _number(address) - self.base
        if not 0 < host < self.size or host % 2 == 0 or not self._is_assignable(host):
            return None
        return (host - _FIRST_HOST) % self.size // 2

    def _is_assignable(self, host: int) -> bool:
        """Whether a node may have this odd host number."""
        number = self.base + host
        peer_overflows = number & _LAST_OCTET == _LAST_OCTET or host + 1 == self.size
        # the server's own pair, whichever half of it the server lives on
        return not peer_overflows and abs(number - self.server) > 1


def _number(address: str) -> int:
    """An address as a number; a replay does this for every address that was ever bound."""
    try:
        first, second, third, fourth = map(_OCTETS.__getitem__, address.split("."))
    except (KeyError, ValueError):
        return int(IPv4Address(address))  # which says what is wrong with it
    return first << 24 | second << 16 | third << 8 | fourth


class Binding(NamedTuple):
    """An address that a node holds."""

    address: str
    idle_since_seq: int | None  # the event that made the node idle; None while it has a link


@dataclass(frozen=True, slots=True)
class Addresses:
    """Who holds which address.

    Every address of the network that is held is in a slot below `next_slot`, or in `ahead`.
    """

    network: Network = field(default_factory=lambda: Network.parse(DEFAULT_NETWORK))
    next_slot: int = 0  # every slot below it was given out, or belongs to the server
    released: "Queue[str]" = field(default_factory=Queue)  # longest ago first
    by_node: "HashTrieMap[str, Binding]" = field(default_factory=HashTrieMap)
    ahead: "HashTrieSet[str]" = field(default_factory=HashTrieSet)  # bound in an earlier network

    def address_of(self, node_id: str) -> str:
        """The node's address, "" if it holds none."""
        binding = self.by_node.get(node_id)
        return "" if binding is None else binding.address

    def holder_of(self, address: str) -> str:
        """The id of the node that holds the address, "" if none does. A walk over all of them."""
        holders = (node_id for node_id, held in self.by_node.items() if held.address == address)
        return next(holders, "")


def release(addresses: Addresses, node_id: str, reason: ReleaseReason) -> list[Event]:
    """The node's address is free again; nothing if it holds none."""
    address = addresses.address_of(node_id)
    if not address:
        return []
    released = AddressReleased(node_id=node_id, address=address, reason=reason)
    return [Event(address_released=released)]


def bind(addresses: Addresses, node_id: str) -> list[Event]:
    """Give the node an address, taking one from an idle node if need be; nothing if it has one.

    Raises:
        AddressPoolExhausted: all are held by nodes that are not idle.
    """
    current = addresses.address_of(node_id)
    if current and addresses.network.slot(current) is not None:
        return []
    events = release(addresses, node_id, pb.ADDRESS_RELEASE_REASON_NETWORK_CHANGED)
    address = next(_free(addresses), None)
    if address is None:
        idle_node_id = _longest_idle(addresses)
        address = addresses.address_of(idle_node_id)
        events += release(addresses, idle_node_id, pb.ADDRESS_RELEASE_REASON_RECLAIMED)
    return [*events, Event(address_bound=AddressBound(node_id=node_id, address=address))]


def _free(addresses: Addresses) -> Iterator[str]:
    """The addresses that nobody holds, in the order in which they are given out."""
    network = addresses.network
    for slot in range(addresses.next_slot, network.slots):
        address = network.address(slot)
        if address is not None and address not in addresses.ahead:
            yield address
    yield from addresses.released


def _longest_idle(addresses: Addresses) -> str:
    """The node that has been idle longest among those with an address of this network.

    A walk over all bindings: the pool is used up, which is rare, and ends at the pool's size.
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
