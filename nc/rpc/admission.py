"""Who gets one of a port's places for calls under way; decided when a call's headers arrive.

A caller's party is its identity, or its address on a port where callers have none. Each party has a
share, so that the calls of one never take the places of others; some places are kept for
administrators and for health checks, so that those are answered when all others are taken.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

# An IPv6 host usually has a /64 of its own, and can call from any address of it.
_IPV6_PREFIX_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Places:
    """How many calls may be under way at once.

    Attributes:
        for_all: altogether.
        reserved: of them, for calls that are entitled to it.
        for_party: of one party. A connection may have 250; a fleet behind one address has many.
        streams_for_party: of one party, calls that stay open: health watches, reflection.
    """

    for_all: int = 8192
    reserved: int = 512
    for_party: int = 1024
    streams_for_party: int = 64


class Admission:
    """The places of one port, and who has them. Used in one thread."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._taken = 0
        self._of_party: dict[object, int] = {}

    @property
    def taken(self) -> int:
        return self._taken

    def enter(self, party: object, *, is_reserved: bool, is_stream: bool) -> bool:
        """Take a place for a call, if there is one for it; each has to be left again."""
        places = self._places
        room = places.for_all if is_reserved else places.for_all - places.reserved
        share = places.streams_for_party if is_stream else places.for_party
        counted = (party, is_stream)
        of_party = self._of_party.get(counted, 0)
        if self._taken >= room or of_party >= share:
            return False
        self._taken += 1
        self._of_party[counted] = of_party + 1
        return True

    def leave(self, party: object, *, is_stream: bool) -> None:
        """Give back the place of a call."""
        counted = (party, is_stream)
        self._taken -= 1
        left = self._of_party[counted] - 1
        if left:
            self._of_party[counted] = left
        else:
            del self._of_party[counted]


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
    if ip.version == 6 and ip.ipv4_mapped is None:
        return str(ip_network((ip, _IPV6_PREFIX_BITS), strict=False))
    return str(ip.ipv4_mapped or ip) if ip.version == 6 else str(ip)
