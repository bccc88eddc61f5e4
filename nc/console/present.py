"""The present: the nodes as they are, and the newest events; a page is shown it first.

How nodes were before is not known here. The nodes are listed, page by page, while the log goes on,
so that some of what is added afterwards is in the list already: a status that is set twice is the
same.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from nc.client.client import AsyncClient
from nc.client.reports import LoggedEvent
from nc.client.types import Node
from nc.console.statuses import Statuses
from nc.console.story import Chunk, Entries, encoded
from nc.domain.codec.records import Recorded
from nc.history.export.chunks import ChunkWriter
from nc.history.timelines import NodeStatus

NEWEST: Final = 300  # events: a page shows some dozen at once


class _Noted(NamedTuple):
    recorded: Recorded
    change: tuple[str, NodeStatus | None] | None  # of a node's status, as in `Statuses.follow`


class Present:
    """The nodes after the last event, and the newest events.

    Args:
        network: the overlay network.
        newest: events, in order; the nodes are listed after them.

    Attributes:
        listed: the ids of nodes that were listed, in that order.
    """

    def __init__(self, network: str, newest: Sequence[LoggedEvent]) -> None:
        self.network = network
        self.statuses = Statuses()
        self.listed: list[str] = []
        self._entries = Entries()
        self.newest: deque[_Noted] = deque(maxlen=NEWEST)
        for event in newest:
            self._note(event, None)

    @classmethod
    async def of(cls, client: AsyncClient) -> Self:
        """What a server has now, still without its nodes."""
        status = await client.server.status()
        pages = client.events.read(newest_first=True, page_size=NEWEST).chunks
        newest = list(reversed(await anext(pages)))
        await pages.aclose()
        return cls(status.network, newest)

    @property
    def last_seq(self) -> int:
        return self.newest[-1].recorded.seq if self.newest else 0

    def list_nodes(self, nodes: Sequence[Node]) -> None:
        """Some more of the nodes; events are added after all of them."""
        self.statuses.add(nodes)
        self.listed += [node.id for node in nodes]

    def add(self, events: Sequence[LoggedEvent]) -> None:
        for event in events:
            self._note(event, self.statuses.follow(event.event))

    def _note(self, event: LoggedEvent, change: tuple[str, NodeStatus | None] | None) -> None:
        recorded = Recorded(event.seq, self._entries.entry_of(event), event.event)
        self.newest.append(_Noted(recorded, change))


class PresentView:
    """What one page was shown of it."""

    def __init__(self) -> None:
        self._present: Present | None = None
        self._listed = 0  # nodes that it was shown
        self._writer = ChunkWriter(0, "")

    def fresh(self, present: Present) -> list[Chunk]:
        """What it has not been shown yet; nothing, or one chunk."""
        newest = present.newest
        has_missed = bool(newest) and newest[0].recorded.seq > self._writer.last_seq + 1
        if present is not self._present or has_missed:
            self._present = present
            self._begin(present)
        elif (self._writer.last_seq, self._listed) == (present.last_seq, len(present.listed)):
            return []
        else:
            self._list_nodes(present)
            seen = self._writer.last_seq
            for recorded, change in newest:
                if recorded.seq > seen:
                    self._writer.note(recorded)
                    if change is not None:
                        self._writer.change(*change)
        return [Chunk("present", "", encoded(self._writer))]

    def _begin(self, present: Present) -> None:
        first = present.newest[0].recorded.seq if present.newest else 1
        self._writer = ChunkWriter(first - 1, present.network)
        for recorded, _ in present.newest:
            self._writer.note(recorded)
        self._writer.know_from_here()
        self._listed = len(present.listed)
        for node_id, status in present.statuses.by_id.items():
            self._writer.change(node_id, status)

    def _list_nodes(self, present: Present) -> None:
        for node_id in present.listed[self._listed :]:
            self._writer.change(node_id, present.statuses.by_id.get(node_id))
        self._listed = len(present.listed)
