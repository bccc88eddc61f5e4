"""Who gets one of a port's places for calls under way; decided when a call's headers arrive.

A caller's party is its identity, or its address on a port where callers have none. Each party has a
share of a pool, so that the calls of one never take the places of all others; administrators,
health checks and calls that stay open have pools of their own, so that those are answered while all
other places are taken, and these take no place of another kind.
"""

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

# An IPv6 host usually has a /64 of its own, and can call from any address of it.
_IPV6_PREFIX_BITS: Final = 64


class Pool(Enum):
    """Kinds of calls."""

    ADMINISTRATORS = "administrators"
    HEALTH = "health"
    STREAMS = "streams"  # health watches, reflection: they stay open
    OTHERS = "others"


class Places(NamedTuple):
    """How many calls may be under way at once, and of one party."""

    for_all: int
    for_party: int


# A connection may have 250 calls under way, and a fleet behind one address has many.
PLACES: Final[Mapping[Pool, Places]] = {
    Pool.ADMINISTRATORS: Places(2048, 1024),
    Pool.HEALTH: Places(1024, 512),
    Pool.STREAMS: Places(1024, 64),
    Pool.OTHERS: Places(8192, 2048),
}


class Admission:
    """The places of one port, and who has them. Used in one thread."""

    def __init__(self, places: Mapping[Pool, Places] = PLACES) -> None:
        self._places = places
        self._of_pool = dict.fromkeys(places, 0)
        self._of_party: dict[tuple[Pool, object], int] = {}

    @property
    def taken(self) -> int:
        """How many calls have a place."""
        return sum(self._of_pool.values())

    def enter(self, pool: Pool, party: object) -> bool:
        """Take a place for a call, if there is one for it; it has to be left again."""
        places = self._places[pool]
        of_party = self._of_party.get((pool, party), 0)
        if self._of_pool[pool] >= places.for_all or of_party >= places.for_party:
            return False
        self._of_pool[pool] += 1
        self._of_party[pool, party] = of_party + 1
        return True

    def leave(self, pool: Pool, party: object) -> None:
        """Give back the place of a call."""
        self._of_pool[pool] -= 1
        left = self._of_party[pool, party] - 1
        if left:
            self._of_party[pool, party] = left
        else:
            del self._of_party[pool, party]


def party_of(peer: str) -> str:
    """The party of a caller without identity: its address, or for IPv6 the network of it.

    Args:
        peer: as gRPC writes it, `ipv4:192.0.2.1:4711` or `ipv6:[2001:db8::1]:4711`.
    """
    family, _, address = peer.partition(":")
    if family not in {"ipv4", "ipv6"}:
        return peer
    host = address.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        ip = ip_address(host)
    except ValueError:
        return peer
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, _IPV6_PREFIX_BITS), strict=False))
