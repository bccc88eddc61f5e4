"""What the feed gives to pages, against what the server has."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given

from nc.client.client import AsyncClient
from nc.client.contexts import Context
from nc.console.app import _Console
from nc.console.feed import Feed
from nc.console.statuses import Statuses
from nc.domain.codec.records import Recorded
from nc.domain.events import Entry, Event
from nc.domain.state import State
from nc.history.events import field_of
from nc.history.timelines import changes
from tests.support.event_strategies import histories
from tests.support.operators import enrolled, operator
from tests.support.whole_server import running


@given(histories)
def test_statuses_follow_events_as_the_fold_does(events: list[Event]) -> None:
    """After each event of a history, in which nothing happens to nodes that are not registered."""
    statuses = Statuses()
    history = [Recorded(seq, Entry(), event) for seq, event in enumerate(possible(events), 1)]
    for recorded, change in changes(State(), history):
        assert statuses.follow(recorded.event) == change


def possible(events: list[Event]) -> Iterator[Event]:
    """Those of the events that can happen; a node with labels has a name, too."""
    registered: set[str] = set()
    for event in events:
        node_id = field_of(event, "node_id")
        is_new = event.HasField("node_registered")
        if node_id and is_new == (node_id in registered):
            continue
        if is_new and event.node_registered.labels and not event.node_registered.name:
            continue
        if is_new:
            registered.add(node_id)
        elif event.HasField("unregistered"):
            registered.discard(node_id)
        if node_id or not is_new:
            yield event


class Page:
    """What a page has read: the statuses of nodes, and the sequence numbers of events."""

    def __init__(self) -> None:
        self.generation = 0
        self.last_seq = 0
        self.base = 0
        self.beginnings = 0  # how often it has read from the beginning

    def read(self, generation: int, data: bytes) -> None:
        chunk: dict[str, Any] = json.loads(data)
        if "states" in chunk:
            self.generation, self.base = generation, chunk["base"]
            self.beginnings += 1
            self.texts: list[str] = []
            self.statuses: list[Any] = []
            self.nodes: dict[str, Any] = {}
            self.seqs: list[int] = []
            self.last_seq = self.base
        assert generation == self.generation
        self.texts += chunk["texts"]
        self.statuses += chunk["statuses"]
        for step, *_ in chunk["events"]:
            self.last_seq += step
            self.seqs.append(self.last_seq)
        for place, *steps in chunk["nodes"]:
            status = steps[-1]
            self.nodes[self.texts[place]] = self.statuses[status - 1] if status else None

    def registered(self) -> dict[str, tuple[str, str, str]]:
        kept = {node_id: status for node_id, status in self.nodes.items() if status}
        return {node_id: (s[0], s[1], s[3]) for node_id, s in kept.items()}


async def follow(feed: Feed, page: Page, until_seq: int, after: tuple[int, int] = (0, 0)) -> None:
    """Let a page read until it has an event."""
    async with asyncio.timeout(60):
        async for chunk in feed.after(*after):
            if chunk is not None and chunk.kind == "chunk":
                page.read(int(chunk.id.partition("-")[0]), chunk.data)
            if page.last_seq >= until_seq:
                return


async def nodes_of(client: AsyncClient) -> dict[str, tuple[str, str, str]]:
    return {
        node.id: (node.state.value, node.address, node.name) async for node in client.nodes.list()
    }


async def test_a_page_has_what_the_server_has(tmp_path: Path) -> None:
    """All of the log or its end: the nodes are those of the server, and no event is missing."""
    async with running(tmp_path / "data") as server, operator(server) as admin:
        context = Context.of_data_dir(tmp_path / "data", port=server.endpoints.control_port)
        async with AsyncClient(context) as client:
            issued = await client.tokens.issue(label="first")
            nodes = [await enrolled(admin, issued.token) for _ in range(4)]
            await client.nodes.update(nodes[1], name="renamed", set_labels={"a": "b"})
            await client.nodes.unregister(nodes[2])
            whole, end = Feed(client), Feed(client, most_events=3)
            tasks = [asyncio.create_task(feed.run()) for feed in (whole, end)]
            pages = Page(), Page()
            last_seq = await client.events.last_seq()
            for feed, page in zip((whole, end), pages, strict=True):
                await follow(feed, page, last_seq)
                assert page.registered() == await nodes_of(client)
                assert page.seqs == list(range(page.base + 1, last_seq + 1))
            assert (pages[0].base, pages[1].base) == (0, last_seq - 3)

            await client.nodes.unregister(nodes[0])
            last_seq = await client.events.last_seq()
            after = whole_page = pages[0].generation, pages[0].last_seq
            await follow(whole, pages[0], last_seq, after)
            assert pages[0].seqs == list(range(1, last_seq + 1))
            assert pages[0].beginnings == 1
            assert pages[0].registered() == await nodes_of(client)

            stranger = Page()
            await follow(whole, stranger, last_seq, (whole_page[0] + 1, whole_page[1]))
            assert stranger.seqs == pages[0].seqs
            for task in tasks:
                task.cancel()


async def test_a_feed_that_grows_begins_anew(tmp_path: Path) -> None:
    """What pages have goes on until they can read the log from a later event on."""
    async with running(tmp_path / "data") as server:
        context = Context.of_data_dir(tmp_path / "data", port=server.endpoints.control_port)
        async with AsyncClient(context) as client:
            feed, page = Feed(client, most_events=4), Page()
            task = asyncio.create_task(feed.run())
            async with asyncio.timeout(60):
                while page.generation < 3:  # the end is read beside what happens meanwhile
                    await client.tokens.issue()
                    last_seq = await client.events.last_seq()
                    await follow(feed, page, last_seq)
                    assert page.seqs == list(range(page.base + 1, last_seq + 1))
            assert page.base > 4
            task.cancel()


@pytest.mark.parametrize("since", [None, datetime(2026, 11, 29, tzinfo=UTC)])
async def test_a_server_that_may_be_out_of_date_is_shown_as_one(since: datetime | None) -> None:
    """Its status is answered, and what it knows is not what the others know."""

    async def status() -> Any:
        return SimpleNamespace(now=None, degraded=["out of touch"], out_of_touch_since=since)

    told = asyncio.Event()
    client: Any = SimpleNamespace(server=SimpleNamespace(status=status))
    feed: Any = SimpleNamespace(problem="", tell=told.set)
    console = _Console(client, feed)
    checking = asyncio.create_task(console._check())
    await told.wait()
    checking.cancel()
    assert console._health["problem"] == ("" if since is None else "out of touch")
