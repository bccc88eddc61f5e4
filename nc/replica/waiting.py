"""Nodes that the log does not know though the certificate that they show is from our own CA.

After an older backup was put back, the nodes that joined since are such. They are kept in memory
alone: they ask again and again, also after a restart. Until an administrator has taken them back
and they are linked, the addresses that they say they hold are given to nobody else.

Of several servers each tells the leader, which takes nodes back and gives addresses away, of those
that ask there.
"""

from itertools import islice
from typing import Final, NamedTuple

from nc.domain.events import Certificate
from nc.domain.nodes import Nodes

MOST_WAITING: Final = 20_000

_MINUTE_MS: Final = 60_000


class WaitingNode(NamedTuple):
    """What is known of a node that waits.

    Attributes:
        address: that it says it holds; "" if it said none.
        key_sha256: hex, of the key that it has shown it has.
        hostname: as its machine says; "" if it does not.
        peer: the IP address that it asked from; "": not known.
        asked_at_ms: when it asked last, by the clock of the server that it asked; 0: not known. The
            leader learns of it once a minute.
    """

    certificate: Certificate
    address: str
    key_sha256: str = ""
    hostname: str = ""
    peer: str = ""
    asked_at_ms: int = 0

    def is_news_after(self, before: "WaitingNode | None") -> bool:
        minute = self.asked_at_ms // _MINUTE_MS
        return (
            before is None
            or minute != before.asked_at_ms // _MINUTE_MS
            or self._replace(asked_at_ms=0) != before._replace(asked_at_ms=0)
        )


class WaitingNodes:
    """The nodes that wait, by id; of too many the one that asked longest ago is dropped.

    Attributes:
        addresses: which of them are not to be given away.
        has_news: whether `news` would give any.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._nodes: dict[str, WaitingNode] = {}
        self._news: dict[str, None] = {}  # ids, the oldest first
        self.addresses: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._nodes)

    def note(self, node_id: str, node: WaitingNode) -> None:
        """A node asked for a link; what it said before is replaced, an address only by another."""
        before = self._nodes.pop(node_id, None)
        if before is not None and not node.address:
            node = node._replace(address=before.address)
        self._nodes[node_id] = node
        if node.is_news_after(before):
            self._news[node_id] = None
        if len(self._nodes) > self._most:
            oldest = next(iter(self._nodes))
            del self._nodes[oldest]
            self._news.pop(oldest, None)
        if before is None or before.address != node.address:
            self._collect()

    def address_of(self, node_id: str) -> str:
        node = self._nodes.get(node_id)
        return "" if node is None else node.address

    def certificate_of(self, node_id: str) -> Certificate | None:
        node = self._nodes.get(node_id)
        return None if node is None else node.certificate

    def get(self, node_id: str) -> WaitingNode | None:
        return self._nodes.get(node_id)

    def key_of(self, node_id: str) -> str:
        node = self._nodes.get(node_id)
        return "" if node is None else node.key_sha256

    def not_taken_back(self, nodes: Nodes) -> list[str]:
        """The ids of those that are not registered, in the order in which they asked."""
        return [node_id for node_id in self._nodes if node_id not in nodes]

    @property
    def has_news(self) -> bool:
        return bool(self._news)

    def news(self, most: int) -> list[tuple[str, WaitingNode]]:
        """The next of those that were noted and not given yet, each once."""
        given = list(islice(self._news, most))
        for node_id in given:
            del self._news[node_id]
        return [(node_id, self._nodes[node_id]) for node_id in given]

    def begin_news(self) -> None:
        """Have `news` give all again, for another leader, which knows of none."""
        self._news = dict.fromkeys(self._nodes)

    def discard(self, node_id: str) -> None:
        """The node has a link: its address is in the log."""
        self._news.pop(node_id, None)
        if self._nodes.pop(node_id, None) is not None:
            self._collect()

    def _collect(self) -> None:
        self.addresses = frozenset(each.address for each in self._nodes.values() if each.address)
