"""The links that this server holds, as its hub counts them: what the log does not have."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol


class LiveLink(NamedTuple):
    """A link and its counters; "in" is from the node.

    Attributes:
        peer: IP address and port.
        dropped: packets, by reason.
    """

    node_id: str
    link_id: str
    peer: str
    opened_at_ms: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    dropped: Mapping[str, int]


class LivePeer(NamedTuple):
    """Another server of the network, and the packets exchanged with it; "in" is from there.

    Attributes:
        address: HOST:PORT of its link port; "" if it is not known now.
        connected: whether packets can be sent to it.
    """

    session: str
    address: str
    connected: bool
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    dropped: Mapping[str, int]


class LiveLinks(Protocol):
    """What the hub tells; on the event loop."""

    def link(self, link_id: str) -> LiveLink | None:
        """A link by its id."""

    def links(self) -> Iterable[LiveLink]:
        """All links."""

    def dropped(self) -> Mapping[str, int]:
        """Packets that the server dropped, by reason."""

    def peers(self) -> Iterable[LivePeer]:
        """The other servers."""


class NoLinks:
    """Of a server without a hub, and of the past."""

    def link(self, _link_id: str) -> LiveLink | None:
        return None

    def links(self) -> Iterable[LiveLink]:
        return ()

    def dropped(self) -> Mapping[str, int]:
        return {}

    def peers(self) -> Iterable[LivePeer]:
        return ()
