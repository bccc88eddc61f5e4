"""The log from some place on, as the chunks that a page reads one after another."""

import asyncio
import json
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from nc.client.client import AsyncClient
from nc.client.reports import LoggedEvent
from nc.console.statuses import Statuses
from nc.domain.codec.records import Recorded
from nc.domain.events import Entry
from nc.history.export.chunks import ChunkWriter

PAGE_SIZE: Final = 1000  # events in a chunk

# Events that are written before others run: a page that is opened meanwhile asks for many files.
_SLICE: Final = 200


class Chunk(NamedTuple):
    """A server-sent event for the page.

    Attributes:
        kind: `present`, or `chunk` of the log.
        id: what a page that connects again says it had last; "": nothing new.
        data: JSON without line ends.
    """

    kind: str
    id: str
    data: bytes


def encoded(writer: ChunkWriter) -> bytes:
    """What was added since the last chunk."""
    return json.dumps(writer.chunk(), separators=(",", ":")).encode()


class Story:
    """The log from `most_events` before its end on: `read` fills it, `add` adds what happens.

    Attributes:
        generation: another one for each story.
        chunks: in order.
        is_complete: everything is in it up to what was added last.
    """

    def __init__(self, client: AsyncClient, generation: int, most_events: int) -> None:
        self._client = client
        self._most_events = most_events
        self._events = 0
        self._waiting: list[Sequence[LoggedEvent]] = []  # added before what comes before was read
        self._ends: list[int] = []  # the last event of each chunk
        self._statuses, self._writer = Statuses(), ChunkWriter(0, "")
        self._entries = Entries()
        self.generation = generation
        self.chunks: list[Chunk] = []
        self.is_complete = False

    @property
    def is_too_long(self) -> bool:
        return self._events > 2 * self._most_events

    def place_after(self, seq: int) -> int:
        """How many chunks a page has that had this event last; 0: it has another log than this."""
        place = bisect_right(self._ends, seq)
        return place if place and self._ends[place - 1] == seq else 0

    async def read(self) -> AsyncIterator[None]:
        """Read the log up to its end; after each chunk others may go on."""
        log = (await self._client.server.status()).log
        after_seq = max(log.first_seq - 1, log.last_seq - self._most_events, 0)
        if after_seq:
            await self._read_base(after_seq)
        self._end_chunk()
        yield
        if log.last_seq > after_seq:
            pages = self._client.events.read(after_seq + 1, page_size=PAGE_SIZE).chunks
            coming = asyncio.ensure_future(anext(pages, None))
            try:
                while (events := await coming) is not None:
                    coming = asyncio.ensure_future(anext(pages, None))  # the server works meanwhile
                    for start in range(0, len(events), _SLICE):
                        await asyncio.sleep(0)
                        self._note(events[start : start + _SLICE])
                    self._end_chunk()
                    yield
            finally:
                coming.cancel()
        for events in self._waiting:
            self._write(events)
        self._waiting = []
        self.is_complete = True

    async def _read_base(self, seq: int) -> None:
        past = await self._client.history.at(seq)
        self._statuses = Statuses(past.nodes)
        tokens = ((token.id, token.label) for token in past.tokens)
        self._writer = ChunkWriter(seq, past.network, tokens)
        for node_id, status in self._statuses.by_id.items():
            self._writer.change(node_id, status)

    def add(self, events: Sequence[LoggedEvent]) -> None:
        if self.is_complete:
            self._write(events)
        else:
            self._waiting.append(events)

    def _write(self, events: Sequence[LoggedEvent]) -> None:
        """Add a chunk of what is not there yet: a watch may be behind what was read."""
        fresh = [event for event in events if event.seq > self._writer.last_seq]
        if fresh:
            self._note(fresh)
            self._end_chunk()

    def _note(self, events: Sequence[LoggedEvent]) -> None:
        for event in events:
            self._writer.note(Recorded(event.seq, self._entries.entry_of(event), event.event))
            change = self._statuses.follow(event.event)
            if change is not None:
                self._writer.change(*change)
        self._events += len(events)

    def _end_chunk(self) -> None:
        last_seq = self._writer.last_seq
        self._ends.append(last_seq)
        self.chunks.append(Chunk("chunk", f"{self.generation}-{last_seq}", encoded(self._writer)))


class Entries:
    """The entry of each event: one object for those that belong together."""

    def __init__(self) -> None:
        self._last: Entry | None = None
        self._key: tuple[object, ...] = ()

    def entry_of(self, event: LoggedEvent) -> Entry:
        key = (event.recorded_at_ns, event.actor, event.method, event.request_id)
        if self._last is None or key != self._key:
            self._key = key
            self._last = Entry(
                recorded_at_ns=event.recorded_at_ns,
                actor=event.actor,
                method=event.method,
                request_id=event.request_id,
            )
        return self._last
