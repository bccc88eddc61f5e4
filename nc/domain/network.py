"""The address space of the overlay: which addresses a network has for nodes.

Nodes get odd host numbers; the even one above each is its point-to-point peer.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

DEFAULT_NETWORK = "10.1.1.1/24"  # LiteKube's

_FIRST_HOST = 3  # host numbers 1 and 2 are the server's and its peer's
_LAST_OCTET = 255
_OCTETS = {str(octet): octet for octet in range(256)}  # canonical decimal only, no leading zeros
_LONGEST_PREFIX = 29  # /30 has no room for a node and its peer beside the server


@dataclass(frozen=True, slots=True)
class Network:
    """An overlay network and its slots.

    Slot k is host number 2k + 3; the last slot wraps round to host 1, which is the server's unless
    the server has another address. Not every slot is assignable.
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
        return f"{self.server_address}/{self.prefix_length}"

    @property
    def server_address(self) -> str:
        return str(IPv4Address(self.server))

    @property
    def size(self) -> int:
        return 1 << (32 - self.prefix_length)

    @property
    def slots(self) -> int:
        return self.size // 2

    @property
    def capacity(self) -> int:
        """How many nodes can have an address at one time."""
        without_peer = max(self.size >> 8, 1)  # the last octet is 255, or the host the last one
        near = (self.server - self.base + offset for offset in (-1, 0, 1))
        servers = sum(
            host % 2 == 1 and 0 < host < self.size and not self._peer_overflows(host)
            for host in near
        )
        return self.slots - without_peer - servers

    def address(self, slot: int) -> str | None:
        """The address in a slot, or None if a node must not have it."""
        host = (2 * slot + _FIRST_HOST) % self.size
        return str(IPv4Address(self.base + host)) if self._is_assignable(host) else None

    def slot(self, address: str) -> int | None:
        """The slot of an address, or None if this network would not give it to a node."""
        number, size = _number(address), 1 << (32 - self.prefix_length)
        host = number - self.base
        # `_is_assignable`, without the calls: replay comes here for every address
        is_apart = number - self.server < -1 or number - self.server > 1
        if 0 < host < size - 1 and host % 2 and number & _LAST_OCTET != _LAST_OCTET and is_apart:
            return (host - _FIRST_HOST) % size // 2
        return None

    def slot_if_any(self, text: str) -> int | None:
        try:
            return self.slot(text)
        except ValueError:
            return None

    def _is_assignable(self, host: int) -> bool:
        # the server's pair: its own address and its peer
        return not self._peer_overflows(host) and abs(self.base + host - self.server) > 1

    def _peer_overflows(self, host: int) -> bool:
        return (self.base + host) & _LAST_OCTET == _LAST_OCTET or host + 1 == self.size


def _number(address: str) -> int:
    """The address as a number. Hot: replay calls it for every address that was ever bound."""
    try:
        first, second, third, fourth = map(_OCTETS.__getitem__, address.split("."))
    except (KeyError, ValueError):
        return int(IPv4Address(address))  # raises with the reason
    return first << 24 | second << 16 | third << 8 | fourth
