"""Follows a server's log through the API, for any number of pages.

A page is shown the present first: the nodes as they are, and the newest events. That takes a
moment, however long the log is. Meanwhile the log is read behind it (`story`), from so many events
before its end, with the state as of then: a log may be longer than a page can hold. Once twice as
many have come, it is read anew; what was read from one beginning is a generation.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from nc.backoff import delay_s
from nc.client.client import AsyncClient
from nc.client.errors import CallFailed
from nc.client.reports import LoggedEvent
from nc.console.present import Present, PresentView
from nc.console.story import Chunk, Story
from nc.secrets import SystemSecrets

MOST_EVENTS: Final = 200_000

# A page that has only so many chunks to read has them as soon as it would have the present.
_FEW: Final = 2


class Feed:
    """What pages read; `run` fills it.

    Attributes:
        problem: why the log cannot be read now; "": nothing is wrong.
    """

    def __init__(self, client: AsyncClient, most_events: int = MOST_EVENTS) -> None:
        self._client = client
        self._most_events = most_events
        self._present: Present | None = None
        self._story: Story | None = None  # what pages are given
        self._next: Story | None = None  # read from a later beginning, instead of the other one
        self._generation = 0
        self._changed = asyncio.Event()
        self.problem = ""

    async def run(self) -> None:
        """Follow the log until this is cancelled."""
        failures, secrets = 0, SystemSecrets()
        while True:
            try:
                await self._follow()
            except* CallFailed as group:
                failures = 1 if self.problem == "" else failures + 1
                self.problem = str(group.exceptions[0])
            self._story = self._next = None
            self.tell()
            await asyncio.sleep(delay_s(failures, secrets))

    async def after(self, generation: int, seq: int) -> AsyncIterator[Chunk | None]:
        """Every chunk after an event, as it comes, without end; None: there is no more for now.

        If that event is none of this generation's, it begins with the present and the first chunk.
        """
        story = self._story
        place = 0
        if story is not None and story.generation == generation:
            place = story.place_after(seq)
        view = None if place else PresentView()
        while True:
            changed = self._changed
            if story is not self._story:
                story, place = self._story, 0
            for chunk in self._shown_first(view, story):
                yield chunk
            if story is self._story and story is not None:
                if place < len(story.chunks):
                    place += 1
                    yield story.chunks[place - 1]
                    continue
                if story.is_complete:
                    view = None
            if changed is self._changed:
                yield None
                await changed.wait()

    def _shown_first(self, view: PresentView | None, story: Story | None) -> list[Chunk]:
        is_short = story is not None and story.is_complete and len(story.chunks) <= _FEW
        if view is None or self._present is None or is_short:
            return []
        return view.fresh(self._present)

    async def _follow(self) -> None:
        """Look at the present, then follow the log, and read what was before beside that."""
        self._present = await Present.of(self._client)
        self.problem = ""
        async for nodes in self._client.nodes.list().chunks:
            self._present.list_nodes(nodes)
            self.tell()
        async with asyncio.TaskGroup() as group:
            self._story = self._begin(group)
            self.tell()
            async for events in self._client.events.watch(self._present.last_seq + 1).chunks:
                self._add(events, group)

    def _begin(self, group: asyncio.TaskGroup) -> Story:
        self._generation += 1
        begun = Story(self._client, self._generation, self._most_events)
        group.create_task(self._read(begun))
        return begun

    async def _read(self, story: Story) -> None:
        async for _ in story.read():
            if story is self._story:
                self.tell()
        if story is self._next:
            self._story, self._next = story, None
        self.tell()

    def _add(self, events: Sequence[LoggedEvent], group: asyncio.TaskGroup) -> None:
        if not events or self._present is None or self._story is None:
            return
        self._present.add(events)
        for story in (self._story, self._next):
            if story is not None:
                story.add(events)
        if self._story.is_too_long and self._next is None:
            self._next = self._begin(group)
        self.tell()

    def tell(self) -> None:
        """Wake everybody who waits for the next chunk: there may be something else to say."""
        self._changed.set()
        self._changed = asyncio.Event()
