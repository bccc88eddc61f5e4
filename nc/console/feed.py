"""Follows a server's log through the API, and keeps it as chunks for any number of pages.

A log may be longer than a page can hold: the feed begins so many events before its end, with the
state as of then, and begins anew once twice as many have come. What it has from one beginning is a
generation; a page that has seen another one reads everything again.
"""

import asyncio
import json
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from nc.backoff import delay_s
from nc.client.client import AsyncClient
from nc.client.errors import CallFailed
from nc.client.reports import LoggedEvent
from nc.console.statuses import Statuses
from nc.domain.events import Entry
from nc.history.events import Recorded
from nc.history.export.chunks import ChunkWriter
from nc.secrets import SystemSecrets

MOST_EVENTS: Final = 200_000
PAGE_SIZE: Final = 2000  # events in a chunk: the loop has others to answer


class Chunk(NamedTuple):
    generation: int
    last_seq: int
    data: bytes  # JSON without line ends


class Feed:
    """The log as chunks; `run` fills it.

    Attributes:
        problem: why the log cannot be read now; "": nothing is wrong.
        end_seq: the log's last event when this generation began: what comes before it is the past.
    """

    def __init__(self, client: AsyncClient, most_events: int = MOST_EVENTS) -> None:
        self._client = client
        self._most_events = most_events
        self._chunks: list[Chunk] = []
        self._generation = 0
        self._events = 0
        self._changed = asyncio.Event()
        self.problem = ""
        self.end_seq = 0

    async def run(self) -> None:
        """Follow the log until this is cancelled."""
        failures, secrets = 0, SystemSecrets()
        while True:
            try:
                await self._one_generation()
                failures = 0
            except CallFailed as error:
                failures += 1
                self.problem = str(error)
                self.tell()
            await asyncio.sleep(delay_s(failures, secrets) if failures else 0)

    async def after(self, generation: int, seq: int) -> AsyncIterator[Chunk | None]:
        """Every chunk after an event, as it comes, without end; None: there is no more for now.

        If that event is none of this generation's, it begins with the first chunk.
        """
        place = self._place(generation, seq)
        while True:
            changed, current = self._changed, self._generation
            for chunk in self._chunks[place:]:
                yield chunk
                place += 1
                if self._generation != current:
                    break
            if self._generation != current:
                place = 0
                continue
            yield None
            await changed.wait()
            if self._generation != current:
                place = 0

    def _place(self, generation: int, seq: int) -> int:
        if generation != self._generation:
            return 0
        place = bisect_right(self._chunks, seq, key=lambda chunk: chunk.last_seq)
        # a page that has a part of a chunk has another log than this one
        is_known = place > 0 and self._chunks[place - 1].last_seq == seq
        return place if is_known else 0

    async def _one_generation(self) -> None:
        """Read the log's end, then follow it until it is more than a page can hold."""
        log = (await self._client.server.status()).log
        after_seq = max(log.first_seq - 1, log.last_seq - self._most_events, 0)
        statuses, writer = await self._base(after_seq)
        self._generation += 1
        self.end_seq = log.last_seq
        self._chunks, self._events, self.problem = [], 0, ""
        self._add(writer)
        entries = _Entries()
        next_seq = after_seq + 1
        if log.last_seq > after_seq:
            reading = self._client.events.read(next_seq, page_size=PAGE_SIZE)
            async for events in reading.chunks:
                self._write(events, entries, statuses, writer)
            next_seq = writer.last_seq + 1
        async for events in self._client.events.watch(next_seq).chunks:
            self._write(events, entries, statuses, writer)
            if self._events > 2 * self._most_events:
                return

    async def _base(self, seq: int) -> tuple[Statuses, ChunkWriter]:
        if seq == 0:
            return Statuses(), ChunkWriter(0, "")
        past = await self._client.history.at(seq)
        statuses = Statuses(past.nodes)
        tokens = ((token.id, token.label) for token in past.tokens)
        writer = ChunkWriter(seq, past.network, tokens)
        for node_id, status in statuses.by_id.items():
            writer.change(node_id, status)
        return statuses, writer

    def _write(
        self,
        events: Sequence[LoggedEvent],
        entries: "_Entries",
        statuses: Statuses,
        writer: ChunkWriter,
    ) -> None:
        if not events:
            return
        for event in events:
            writer.note(Recorded(event.seq, entries.entry_of(event), event.event))
            change = statuses.follow(event.event)
            if change is not None:
                writer.change(*change)
        self._events += len(events)
        self._add(writer)

    def _add(self, writer: ChunkWriter) -> None:
        data = json.dumps(writer.chunk(), separators=(",", ":")).encode()
        self._chunks.append(Chunk(self._generation, writer.last_seq, data))
        self.tell()

    def tell(self) -> None:
        """Wake everybody who waits for the next chunk: there may be something else to say."""
        self._changed.set()
        self._changed = asyncio.Event()


class _Entries:
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
