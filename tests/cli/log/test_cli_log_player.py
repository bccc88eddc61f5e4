"""The player as an operator has it: keys in, and what is on the screen."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input

from eventlog import LogReader
from nc.cli.log.player import LogPlayer, PlayerSource
from nc.cli.log.player_dialogs import HELP
from nc.cli.log.player_nodes import STATE_STYLES, NodeTable
from nc.domain.events import Entry, Event, ExpiryChanged, NodeRegistered
from nc.domain.fsm import ConnectionState
from nc.history.events import Recorded, history
from nc.history.fields import field_texts
from nc.history.player import AS_FAST_AS_IT_GOES, Player, recording_of
from tests.support.histories import NOW_MS
from tests.support.replica_bench import ManualClock
from tests.support.written_log import ALPHA, BETA, EVENTS, write_story

SECOND_NS = 1_000_000_000
SIZE = (130, 40)

# How the help writes keys that it does not write as Textual does; the last ones it need not name.
SHOWN = {
    "right": "→",
    "left": "←",
    "up": "↑",
    "down": "↓",
    "plus": "+",
    "minus": "-",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "ctrl+c": "Ctrl-C",
    "equals_sign": "",
    "slash": "",
    "question_mark": "",
}

Progress = Callable[[int], None]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """A story of 15 events, of which each command took a minute."""
    folder = write_story(tmp_path_factory.mktemp("story") / "data")
    return list(history(LogReader(folder)))


@asynccontextmanager
async def watching(
    events: list[Recorded],
    *,
    speed: float = AS_FAST_AS_IT_GOES,
    playing: bool = False,
    node_id: str | None = None,
    size: tuple[int, int] = SIZE,
) -> AsyncIterator[tuple[Pilot[None], ManualClock]]:
    """The player, once it has read the events."""

    def load(progress: Progress) -> Player:
        past = recording_of(events, progress=progress)
        player = Player(past, range(len(events) + 1), speed=speed)
        return player.toggled() if playing else player

    clock = ManualClock()
    app = LogPlayer(PlayerSource("a log", len(events), load, node_id), clock)
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        yield pilot, clock


def player_of(pilot: Pilot[None]) -> Player:
    app = pilot.app
    assert isinstance(app, LogPlayer)
    assert app.player is not None
    return app.player


async def screen(pilot: Pilot[None]) -> str:
    await pilot.pause()
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def table(pilot: Pilot[None]) -> list[list[str]]:
    """What is in sight of the table of nodes, words by line."""
    region = pilot.app.query_one(NodeTable).region
    lines = (await screen(pilot)).splitlines()[region.y : region.bottom]
    return [line[: region.width].split() for line in lines if line.strip()]


def name_of(node_id: str) -> str:
    """The name of a node that told no hostname."""
    return f"node-{node_id[:8]}"


async def go_to(pilot: Pilot[None], text: str) -> None:
    await ask(pilot, "g", text)


async def ask(pilot: Pilot[None], key: str, text: str) -> None:
    """Type a text where the key asks for it."""
    await pilot.press(key)
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")


def tick(pilot: Pilot[None], clock: ManualClock, ns: int) -> None:
    clock.ns += ns
    assert isinstance(pilot.app, LogPlayer)
    pilot.app._tick()


async def test_every_key_moves_as_the_footer_says(story: list[Recorded]) -> None:
    """Each key, from where the ones before it led, and the event it leads to is on the screen."""
    async with watching(story) as (pilot, _):
        for keys, position in (
            (["n"], 1),
            (["right", "n"], 3),
            (["p"], 2),
            (["left", "left", "left"], 0),
            (["end"], EVENTS),
            (["n"], EVENTS),
            (["pageup"], 0),
            (["pagedown"], EVENTS),
            (["home"], 0),
            (["g", "7", "enter"], 7),
            (["g", "3", "escape", "n"], 8),
        ):
            await pilot.press(*keys)
            assert player_of(pilot).position == position, keys
            text = await screen(pilot)
            assert f"{position} of {EVENTS}  paused" in text
            if position:
                assert f"event {position}  " in text
                assert f"▶       {position}  " in text or f"▶      {position}  " in text
        await go_to(pilot, "2027-01-15T08:04:30")
        assert player_of(pilot).position == 6
        await pilot.press("q")
    assert pilot.app.return_code == 0


async def test_the_table_is_the_state_at_the_event(story: list[Recorded]) -> None:
    """Nodes with name, state, address, expiry, as of the event shown; gone when unregistered."""
    async with watching(story) as (pilot, _):
        await go_to(pilot, "6")
        assert await table(pilot) == [
            ["▶", name_of(ALPHA), ALPHA, "CONNECTED", "10.1.1.3", "never"]
        ]
        await pilot.press("n", "n", "n")
        assert await table(pilot) == [
            [name_of(BETA), BETA, "IDLE", "never"],
            ["▶", name_of(ALPHA), ALPHA, "IDLE", "10.1.1.3", "never"],
        ]
        text = await screen(pilot)
        for words in ("StateChanged", "replica_restarted", "system", "start", "request-6"):
            assert words in text
        await pilot.press("end")
        assert await table(pilot) == [[name_of(BETA), BETA, "IDLE", "2027-01-15T08:00:00Z"]]


async def test_it_plays_in_real_time_and_cuts_what_is_long(story: list[Recorded]) -> None:
    """At speed 60 a minute is a second; at speed 1 it is cut, and the screen says so."""
    async with watching(story, speed=60, playing=True) as (pilot, clock):
        tick(pilot, clock, 0)  # before the first event there is nothing to wait for
        assert player_of(pilot).position == 1
        tick(pilot, clock, SECOND_NS - 1)
        assert player_of(pilot).position == 1
        tick(pilot, clock, 1)
        assert player_of(pilot).position == 2
        assert "playing at 60 times real time  next event after 1 min\n" in await screen(pilot)
        await pilot.press("minus", "minus", "minus", "minus")
        said = "playing at 1 times real time  next event after 1 min, cut to 3 s"
        assert said in await screen(pilot)
        for _ in range(3):
            assert player_of(pilot).position == 2
            tick(pilot, clock, SECOND_NS)
        assert player_of(pilot).position == 3
        await pilot.press("space")
        tick(pilot, clock, 60 * SECOND_NS)
        assert player_of(pilot).position == 3


async def test_full_speed_ends_at_the_end(story: list[Recorded]) -> None:
    """Without a speed it plays to the end, event after event, and pauses there."""
    async with watching(story, playing=True) as (pilot, clock):
        tick(pilot, clock, SECOND_NS)
        assert 0 < player_of(pilot).position < EVENTS
        tick(pilot, clock, SECOND_NS)
        assert player_of(pilot).position == EVENTS
        assert f"{EVENTS} of {EVENTS}  paused at full speed" in await screen(pilot)


@pytest.mark.parametrize("speed", [1, 60, AS_FAST_AS_IT_GOES])
async def test_a_small_terminal_shows_all_of_it(story: list[Recorded], speed: float) -> None:
    """At 80 by 24: each field, its actor and request, the speed, the expiry, and every key."""
    entry = Entry(
        recorded_at_ns=story[-1].entry.recorded_at_ns + 10**14,
        actor=f"certificate:admin:{'7' * 40}",
        method="UpdateSensorExpireTime",
        request_id="9" * 20,
    )
    changed = Event(expiry_changed=ExpiryChanged(node_id=BETA, expires_at_ms=NOW_MS))
    async with watching(
        [*story, Recorded(EVENTS + 1, entry, changed)], speed=speed, size=(80, 24)
    ) as (pilot, _):
        for seq in range(1, EVENTS + 2):
            await pilot.press("n")
            text = await screen(pilot)
            present = player_of(pilot).present
            assert present is not None
            actor, method, request_id = (
                present.entry.actor,
                present.entry.method,
                present.entry.request_id,
            )
            fields = field_texts(present.event).values()
            for words in (*fields, actor, f"{method}, request {request_id}", "q quit"):
                assert f" {words}" in text
            assert f"{seq} of {EVENTS + 1}  paused at" in text
            if speed < AS_FAST_AS_IT_GOES:
                assert f"at {speed} times real time" in text
        cut = [name_of(BETA), f"{BETA[:8]}…"]
        assert await table(pilot) == [["▶", *cut, "IDLE", "2027-01-15T08:00:00Z"]]


HOSTILE = ["\x1b[2J\x1b[31mred", "[bold red]markup[/]", "\u202etxet", "[/nothing]", "漢字" * 30]


async def test_names_neither_steer_the_terminal_nor_are_markup() -> None:
    """Control characters are replaced, brackets stay what they are, long names are cut."""
    entry = Entry(recorded_at_ns=1, actor="[blink]\x07actor", method="[b]", request_id="[/b]\x9b")
    events = [
        Recorded(seq, entry, Event(node_registered=NodeRegistered(node_id=name, token_id=name)))
        for seq, name in enumerate(HOSTILE, start=1)
    ]
    async with watching(events) as (pilot, _):
        for name in HOSTILE:
            await pilot.press("n")
            text = await screen(pilot)
            assert all(c.isprintable() for line in text.splitlines() for c in line)
            assert "[blink]\N{REPLACEMENT CHARACTER}actor" in text
            assert "[b]" in text
            shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
            assert shown[:16] in text
            assert {tuple(row[-2:]) for row in await table(pilot)} == {("IDLE", "never")}
        assert all(len(line) <= SIZE[0] for line in text.splitlines())


async def test_thousands_of_nodes_are_a_screenful() -> None:
    """However many nodes there are, the one that the event is about is in sight."""
    registered = (
        Event(node_registered=NodeRegistered(node_id=f"node-{number:05}")) for number in range(5000)
    )
    events = [Recorded(seq, Entry(), event) for seq, event in enumerate(registered, start=1)]
    async with watching(events) as (pilot, _):
        for seq in (5000, 2500):
            await go_to(pilot, str(seq))
            assert ["▶", f"node-{seq - 1:05}", "IDLE", "never"] in await table(pilot)
        top = pilot.app.query_one(NodeTable).scroll_y
        await pilot.press("up", "up", "down")
        assert pilot.app.query_one(NodeTable).scroll_y == top - 1


async def test_one_node_alone(story: list[Recorded]) -> None:
    """With one node chosen, the table has no other; before it came there is none."""
    async with watching(story, node_id=BETA) as (pilot, _):
        assert await table(pilot) == [[BETA, "none"]]
        await go_to(pilot, "14")
        assert await table(pilot) == [[name_of(BETA), BETA, "IDLE", "2027-01-15T08:00:00Z"]]


async def test_where_it_cannot_go_is_said(story: list[Recorded]) -> None:
    """What is no moment is said where it was asked for, also while it plays; escape goes back."""
    async with watching(story, playing=True, speed=1) as (pilot, clock):
        await go_to(pilot, "[b]soon")
        tick(pilot, clock, SECOND_NS)
        assert "'[b]soon' is no moment" in await screen(pilot)
        await pilot.press("escape", "end")
        assert player_of(pilot).position == EVENTS


@pytest.mark.parametrize("error", [ValueError("no such log"), OSError("no disk")])
async def test_a_log_that_cannot_be_read_ends_it(error: Exception) -> None:
    """Why is left for the command to say, and the terminal is given back."""

    def load(_progress: Progress) -> Player:
        raise error

    app = LogPlayer(PlayerSource("a log", 1, load, None), ManualClock())
    async with app.run_test():
        await app.workers.wait_for_complete()
    assert app.failure is error


async def test_quitting_ends_the_reading() -> None:
    """Whoever quits while the log is read does not wait for the end of it."""

    def load(progress: Progress) -> Player:
        while True:
            progress(1)
            time.sleep(0.001)

    app = LogPlayer(PlayerSource("a log", 1, load, None), ManualClock())
    async with app.run_test() as pilot:
        await pilot.press("q")
    await app.workers.wait_for_complete()
    assert app.failure is None


def test_state_names_all_have_a_style() -> None:
    """Each state of the machine has a colour in the table."""
    assert set(STATE_STYLES) == set(ConnectionState)


async def test_the_summary_counts_the_nodes(story: list[Recorded]) -> None:
    """How many nodes are in which state at the present event, and what else there is."""
    async with watching(story, size=(80, 24)) as (pilot, _):
        for seq in range(EVENTS + 1):
            state = player_of(pilot).state
            states = [link.state.name for link in state.links.values()]
            counts = [f"{states.count(name)} {name}" for name in ("CONNECTED", "INIT")]
            idle = f"{len(state.nodes) - len(states)} IDLE"
            nodes = "1 node" if len(state.nodes) == 1 else f"{len(state.nodes)} nodes"
            text = await screen(pilot)
            assert "  ".join([nodes, *counts, idle]) in text, seq
            assert f"  {len(state.addresses.by_node)} address" in text
            assert f"  {len(state.tokens)} token" in text
            await pilot.press("n")


async def test_a_filter_plays_what_has_a_text_in_it(story: list[Recorded]) -> None:
    """Only such events are stops; the states between are those of all; an empty text ends it."""
    async with watching(story, size=(80, 24)) as (pilot, _):
        await go_to(pilot, "9")
        await ask(pilot, "f", "statechanged")
        assert player_of(pilot).position <= 9
        await pilot.press("home")
        expected = [e.seq for e in story if e.event.HasField("state_changed")]
        for seq in expected:
            await pilot.press("n")
            assert player_of(pilot).position == seq
            assert player_of(pilot).state.seq == seq
        assert "only: statechanged" in await screen(pilot)
        await ask(pilot, "f", "[b]none of this")
        assert "no event has '[b]none of this' in it" in await screen(pilot)
        await pilot.press("escape")
        await ask(pilot, "slash", "")
        assert player_of(pilot).last == EVENTS
        assert player_of(pilot).position == expected[-1]
        assert "only:" not in await screen(pilot)


async def test_help_has_every_key(story: list[Recorded]) -> None:
    """`?` shows what each key does, at 80 by 24, and what is played; any usual key goes back."""
    async with watching(story, size=(80, 24)) as (pilot, _):
        await pilot.press("question_mark")
        text = await screen(pilot)
        assert "a log" in text
        for key, does in HELP:
            assert f"{key}  {does}" in text
        named = " ".join(key for key, _ in HELP)
        for binding in LogPlayer.BINDINGS:
            assert isinstance(binding, Binding)
            for key in binding.key.split(","):
                assert SHOWN.get(key, key) in named, key
        await pilot.press("escape", "n")
        assert player_of(pilot).position == 1
