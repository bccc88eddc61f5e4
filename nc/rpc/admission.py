"""Who gets one of a port's places for calls under way; decided when a call's headers arrive.

A caller's party is its identity, or its address on a port where callers have none. Each party has a
share of a pool, so that the calls of one never take the places of all others; administrators,
health checks and calls that stay open have pools of their own, so that those are answered while all
other places are taken, and these take no place of another kind.
"""

from typing import Final

from nc.net.party import party_at

# Watches of events under way. Each holds one message at the most (`nc.rpc.admin.watching`).
MAX_WATCHES: Final = 512
MAX_WATCHES_OF_ONE: Final = 256


class TooManyStreams(Exception):
    """The watches of one identity, or all, have all the places that there are."""

    def __init__(self, pool: "Pool") -> None:
        super().__init__(
            f"too many watches are open: {pool.for_party} of one certificate and {pool.for_all} in "
            "all may be; end some, or watch once and share the events"
        )


class Pool:
    """Places for calls of one kind, and who has them. Used in one thread.

    Args:
        for_all: how many calls may be under way at once.
        for_party: how many of one party.
    """

    def __init__(self, for_all: int, for_party: int) -> None:
        self.for_all = for_all
        self.for_party = for_party
        self.taken = 0
        self._of_party: dict[object, int] = {}

    def enter(self, party: object) -> bool:
        """Take a place for a call, if there is one for it; it has to be left again."""
        of_party = self._of_party.get(party, 0)
        if self.taken >= self.for_all or of_party >= self.for_party:
            return False
        self.taken += 1
        self._of_party[party] = of_party + 1
        return True

    def leave(self, party: object) -> None:
        """Give back the place of a call."""
        self.taken -= 1
        left = self._of_party[party] - 1
        if left:
            self._of_party[party] = left
        else:
            del self._of_party[party]


class Admission:
    """The pools of one port.

    A connection may have 250 calls under way, and a fleet behind one address has many.
    """

    def __init__(self) -> None:
        self.administrators = Pool(2048, 1024)
        self.health = Pool(1024, 512)
        self.streams = Pool(1024, 64)  # health watches, reflection: they stay open
        self.watches = Pool(MAX_WATCHES, MAX_WATCHES_OF_ONE)
        self.others = Pool(16_384, 12_288)


def party_of(peer: str) -> str:
    """The party of a caller without identity: its address, or for IPv6 the network of it.

    Args:
        peer: as gRPC writes it, `ipv4:192.0.2.1:4711` or `ipv6:[2001:db8::1]:4711`.
    """
    family, _, address = peer.partition(":")
    if family not in {"ipv4", "ipv6"}:
        return peer
    return party_at(address.rpartition(":")[0].strip("[]")) or peer
