"""The other live replicas, and where their link ports are: what a mesh of hubs is made from."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Peer(NamedTuple):
    """Where another replica is.

    Attributes:
        port: its link port.
        bootstrap_port: where machines join; 0: not known, of an older version.
    """

    host: str
    port: int
    bootstrap_port: int = 0

    @property
    def link(self) -> tuple[str, int]:
        return self.host, self.port


class Peers:
    """Those that the leader has last named, without this replica itself.

    Whoever has observed it is called on the event loop, after each change. A peer stays named while
    there is no leader: packets flow on during an election.
    """

    def __init__(self) -> None:
        self._peers: Mapping[str, Peer] = MappingProxyType({})
        self._observers: list[Callable[[], None]] = []

    def peers(self) -> Mapping[str, Peer]:
        """By session, which is also the owner of a link in `State.links`."""
        return self._peers

    def observe(self, changed: Callable[[], None]) -> None:
        """Call back after each change."""
        self._observers.append(changed)

    def set(self, peers: Mapping[str, Peer]) -> None:
        """Replace them."""
        if peers == self._peers:
            return
        self._peers = MappingProxyType(dict(peers))
        for changed in self._observers:
            changed()
