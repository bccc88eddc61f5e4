"""What an operator sees in the console, in Chromium, of a real server."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nc.client.areas.replicas import Replicas
from nc.client.areas.server import Server
from nc.client.replicas import Replica, ReplicaRole, ReplicaState
from nc.client.reports import ServerStatus
from nc.client.types import (
    BootstrapToken,
    IssuedToken,
    Node,
)
from nc.console.story import Story
from tests.support.chromium import PATIENCE_S, Chromium, Tab
from tests.support.live_console import LiveConsole, enter, wait_for
from tests.support.shown_page import CONTRAST

LAST_EVENT = "cells(rows('events').at(-1))[2]"


def last_seq(live: LiveConsole) -> int:
    return live.run(live.client.events.last_seq())


def test_a_condition_that_throws_ends_the_wait(tab: Tab) -> None:
    """However late it does."""
    with pytest.raises(RuntimeError, match="TypeError"):
        wait_for(tab, "window.looked ? null.x : void (window.looked = true)")


def test_what_happens_is_shown_at_once(live: LiveConsole, tab: Tab, token: IssuedToken) -> None:
    """A token that is issued, and a node that joins, are there without anybody doing anything."""
    live.run(live.client.tokens.issue(label="new"))
    wait_for(tab, f"{LAST_EVENT} === 'TokenIssued'")
    node = live.join(token)
    named = live.run(live.client.nodes.get(node.token)).name
    wait_for(tab, f"rows('nodes').some((row) => cells(row)[0] === {named!r})")
    assert tab.run("text('pulse')") == "Live"
    assert tab.run("text('moment-event')") == f"after event {last_seq(live)} of {last_seq(live)}"


def test_the_past_stays_where_it_is(live: LiveConsole, tab: Tab) -> None:
    """While somebody looks at an earlier moment, what happens is added after it."""
    tab.press("Home", 36)
    tab.press("ArrowRight", 39)
    live.run(live.client.tokens.issue(label="later"))
    end = last_seq(live)
    wait_for(tab, f"text('moment-event') === 'after event 1 of {end}'")
    assert tab.run("text('pulse')") == "Back to live"
    tab.run("document.getElementById('pulse').click()")
    assert tab.run("text('moment-event')") == f"after event {end} of {end}"


def test_time_goes_on(tab: Tab) -> None:
    """The scale of times ends with now: what was last moves away from its end."""
    tab.run("import('/page/scale.js').then((scale) => { globalThis.scale = scale; })")
    tab.run("import('/page/model.js').then((model) => { globalThis.model = model; })")
    wait_for(tab, "scale.fractionOf(model.count) < 1")
    before = tab.run("scale.fractionOf(model.count)")
    wait_for(tab, f"scale.fractionOf(model.count) < {before}")
    assert tab.run("Number(document.getElementById('slider').value)") == 1


def test_every_view_has_what_the_server_says(live: LiveConsole, tab: Tab) -> None:
    """Tokens, certificates, links, and how the server is; each by its key."""
    tokens = [token.label for token in live.run(_tokens(live))]
    for key, ready in (
        ("2", f"rows('view-tokens').length === {len(tokens)}"),
        ("3", "rows('view-certificates').some((row) => cells(row)[0] === 'admin (you)')"),
        ("4", "text('drops') === 'Nothing was dropped.'"),
        ("5", "text('server-body').includes('Nothing is wrong.')"),
    ):
        tab.press(key, ord(key), key)
        wait_for(tab, ready)
    tab.press("2", 50, "2")
    wait_for(tab, f"rows('view-tokens').length === {len(tokens)}")
    told = tab.run("rows('view-tokens').map((row) => cells(row)[0])")
    assert sorted(told) == sorted(tokens)
    tab.press("1", 49, "1")


async def _tokens(live: LiveConsole) -> list[BootstrapToken]:
    return [token async for token in live.client.tokens.list(all=True)]


def test_tokens_are_those_of_the_moment(tab: Tab) -> None:
    """Before the first was issued there is none."""
    tab.press("2", 50, "2")
    tab.press("Home", 36)
    tab.press("ArrowRight", 39)
    wait_for(tab, "rows('view-tokens').length === 0")
    assert tab.run("text('no-tokens')") == "There is no bootstrap token."
    tab.press("End", 35)
    wait_for(tab, "rows('view-tokens').length > 0")
    tab.press("1", 49, "1")


def test_a_node_has_its_story_in_words(live: LiveConsole, tab: Tab) -> None:
    """The server's sentences, at the chosen moment."""
    node = next(iter(live.run(_nodes(live))))
    why = live.run(live.client.history.why(node.id))
    tab.run("rows('nodes')[0].click()")
    wait_for(tab, "document.querySelector('#node .story li') !== null")
    assert tab.run("text('node-title')") == node.name
    told = tab.run("[...document.querySelectorAll('.story li span')].map((e) => e.textContent)")
    assert told == [reason.sentence for reason in reversed(why.reasons)]
    tab.press("Escape", 27)
    assert tab.run("document.getElementById('node').hidden")


async def _nodes(live: LiveConsole) -> list[Node]:
    return [node async for node in live.client.nodes.list()]


CUT = """
[...document.querySelectorAll("h1, h2, header button, #moment-time, .action")]
  .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1)
  .map((each) => each.textContent)
"""


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_each_view_fits_and_can_be_read(tab: Tab, colours: str) -> None:
    """On phones and large windows, no title or button is cut and no text too pale."""
    tab.prefer(colours)
    for width in (390, 1024, 1400):
        tab.resize(width, 844)
        for key in "654321":
            tab.press(key, ord(key), key)
            where = (width, key)
            assert tab.run("frame().then(() => document.documentElement.scrollWidth)") <= width
            assert (where, tab.run(CUT), tab.run(CONTRAST)) == (where, [], [])
    tab.resize(1280, 800)
    tab.prefer("light")


REPLICAS = tuple(
    Replica(
        id=f"{name}-0a1b2c",
        state=ReplicaState.STOPPED if name == "c" else ReplicaState.RUNNING,
        sessions=() if name == "c" else (f"{name}0b1c2d3",),
        version="0.2.0",
        since=datetime(2026, 11, 28, 8, tzinfo=UTC),
        self=name == "a",
        role={"a": ReplicaRole.LEADER, "b": ReplicaRole.FOLLOWER}.get(name),
        address=None if name == "c" else f"{name}.servers.example.com",
        level=None,
        lag_events=None if name == "c" else 1200,
        links=3,
        ended=datetime(2026, 11, 28, 9, tzinfo=UTC) if name == "c" else None,
        lost=name == "c",
    )
    for name in "abc"
)


def test_servers_have_rows_where_there_are_several(
    live: LiveConsole, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which leads, which is away since when, what each lacks; of one server there is no table.

    The tab says that something is wrong, also while another view is shown.
    """
    status = live.run(live.client.server.status())
    log = replace(status.log, stream="nats://n1:4222/log")
    on_stream = replace(status, log=log, degraded=("c is lost",))
    listed: list[Replica] = []

    async def told(_server: Server) -> ServerStatus:
        return on_stream

    async def some(_replicas: Replicas) -> list[Replica]:
        return listed

    monkeypatch.setattr(Server, "status", told)
    monkeypatch.setattr(Replicas, "list", some)
    wait_for(tab, "text('tab-server') === 'Server \u26a0'")
    tab.press("5", 53, "5")
    wait_for(tab, "text('server-body').includes('nats://n1:4222/log')")
    assert not tab.run("document.querySelector('#servers') !== null")
    listed += REPLICAS
    tab.press("1", 49, "1")
    tab.press("5", 53, "5")
    wait_for(tab, "document.querySelectorAll('#servers tbody tr').length === 3")
    rows = "[...document.querySelectorAll('#servers tbody tr')]"
    shown = tab.run(f"{rows}.map((row) => [...row.cells].map((cell) => cell.textContent))")
    last = ["3", "0.2.0"]
    assert [row[:7] for row in shown] == [
        ["a-0a1b2c (this one)", "running", "leader", "1,200", *last, "2026-11-28 08:00:00"],
        ["b-0a1b2c", "running", "follower", "1,200", *last, "2026-11-28 08:00:00"],
        ["c-0a1b2c", "lost", "\u2013", "\u2013", *last, "2026-11-28 09:00:00"],
    ]
    for colours in ("light", "dark"):
        tab.prefer(colours)
        for width in (390, 1024, 1400):
            tab.resize(width, 844)
            fits = "frame().then(() => document.documentElement.scrollWidth)"
            assert tab.run(fits) <= width
            assert (width, tab.run(CUT), tab.run(CONTRAST)) == (width, [], [])
    tab.resize(1280, 800)
    tab.prefer("light")
    tab.press("1", 49, "1")


def test_a_server_that_comes_back(live: LiveConsole, tab: Tab) -> None:
    """While it is away the page says so; afterwards it goes on, and no event is there twice."""
    live.stop_server()
    wait_for(tab, "document.body.classList.contains('away')")
    assert "does not answer" in tab.run("text('notice')")
    live.start_server()
    wait_for(tab, "!document.body.classList.contains('away')")
    live.run(live.client.tokens.issue(label="after the start"))
    end = last_seq(live)
    wait_for(tab, f"text('moment-event') === 'after event {end} of {end}'")
    listed = tab.run("everyRow('events').then((all) => all.map(([seq]) => Number(seq)))")
    assert listed == list(range(1, end + 1))


def test_hostile_texts_are_texts(live: LiveConsole, tab: Tab, token: IssuedToken) -> None:
    """What others may choose is shown as it is, isolated, and none of it runs."""
    hostile = "<img src=x onerror=ran=1>", "<script>ran=1</script>"
    node = live.run(live.client.nodes.get(live.join(token).token))
    longest = "n-" + "x" * 61
    note = f"{hostile[0]} \u05e9\u05dc\u05d5\u05dd ${{x}}"
    live.run(live.client.nodes.update(node.id, name=longest, note=note))
    live.run(live.client.tokens.issue(label=hostile[1]))
    wait_for(tab, f"rows('nodes').some((row) => cells(row)[0] === {longest!r})")
    tab.run(f"rows('nodes').find((row) => cells(row)[0] === {longest!r}).click()")
    wait_for(tab, f"document.getElementById('node').textContent.includes({note!r})")
    tab.press("2", 50, "2")
    wait_for(tab, f"rows('view-tokens').some((row) => cells(row)[0] === {hostile[1]!r})")
    tab.press("1", 49, "1")
    tab.press("Escape", 27)
    assert tab.run("[typeof ran, document.images.length]") == ["undefined", 0]


def test_a_viewer_sees_everything_and_no_action(
    live: LiveConsole, browser: Chromium, token: IssuedToken
) -> None:
    """There is no button that changes anything; a call all the same is refused by the server."""
    with Tab(browser) as viewing:
        enter(viewing, live.start_console(live.issue_viewer("eve")))
        viewing.run("rows('nodes')[0].click()")
        wait_for(viewing, "document.querySelector('#node .story li') !== null")
        assert viewing.run("document.getElementById('node-actions').hidden")
        assert viewing.run("document.querySelectorAll('.action.main, .action.grave').length") == 0
        assert "eve, viewer @" in viewing.run("text('who')")
        status = viewing.run(
            f"""fetch("/api/actions/revoke-token", {{
                method: "POST",
                headers: {{"x-nc-console": "1"}},
                body: JSON.stringify({{token: {token.issued.id!r}}}),
            }}).then((answer) => answer.status)"""
        )
        assert status == 403


def test_the_present_comes_first(
    live: LiveConsole, browser: Chromium, token: IssuedToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the log is still read, the nodes and the newest events are there, and what happens."""
    may_read, read = threading.Event(), Story.read

    async def read_later(story: Story) -> AsyncIterator[None]:
        async for _ in read(story):
            yield
            await asyncio.to_thread(may_read.wait, PATIENCE_S)

    monkeypatch.setattr(Story, "read", read_later)
    before = last_seq(live)
    with Tab(browser) as tab:
        enter(tab, live.start_console())
        wait_for(tab, "text('pulse') === 'Live, reading the past: 0 %'")
        assert tab.run("text('moment-event')") == f"after event {before} of {before}"
        node = live.run(live.client.nodes.get(live.join(token).token))
        wait_for(tab, f"rows('nodes').some((row) => cells(row)[0] === {node.name!r})")
        tab.run(f"rows('nodes').find((row) => cells(row)[0] === {node.name!r}).click()")
        tab.press("Home", 36)  # to where it is known how nodes were: before this one joined
        assert tab.run("rows('nodes').length") == len(live.run(_nodes(live))) - 1
        tab.press("End", 35)
        assert tab.run("text('node-title')") == node.name
        tab.run("location.hash = 'seq=2'")  # a bookmark: it is gone to once it is read
        wait_for(tab, "document.getElementById('node').hidden")
        assert tab.run("text('pulse')") == "Live, reading the past: 0 %"
        may_read.set()
        end = last_seq(live)
        wait_for(tab, f"text('moment-event') === 'after event 2 of {end}'")
        assert tab.run("text('events-title')") == f"{end} events"
        assert tab.run("rows('nodes').length") == 0
        tab.press("End", 35)
        assert tab.run("text('pulse')") == "Live"
