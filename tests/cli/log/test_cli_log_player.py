"""The player as an operator has it: keys in, and what is on the screen."""

import asyncio
import time
from threading import Event

import pytest
from textual.pilot import Pilot

from nc.cli.log.player import LogPlayer, PlayerSource
from nc.domain.codec.records import Recorded
from nc.history.player import Player, recording_of
from tests.support.replica_bench import ManualClock
from tests.support.watched_player import (
    SECOND_NS,
    Progress,
    ask,
    go_to,
    name_of,
    player_of,
    screen,
    table,
    tick,
    watching,
)
from tests.support.whole_server import PATIENCE_S
from tests.support.written_log import ALPHA, BETA, EVENTS


async def test_every_key_moves_as_the_footer_says(recorded: list[Recorded]) -> None:
    """Each key, from where the ones before it led, and the event it leads to is on the screen."""
    async with watching(recorded) as (pilot, _):
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


async def test_the_table_is_the_state_at_the_event(recorded: list[Recorded]) -> None:
    """Nodes with name, state, address, expiry, as of the event shown; gone when unregistered."""
    async with watching(recorded) as (pilot, _):
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


async def test_it_plays_in_real_time_and_cuts_what_is_long(recorded: list[Recorded]) -> None:
    """At speed 60 a minute is a second; at speed 1 it is cut, and the screen says so."""
    async with watching(recorded, speed=60, playing=True) as (pilot, clock):
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


async def test_full_speed_ends_at_the_end(recorded: list[Recorded]) -> None:
    """Without a speed it plays to the end, event after event, and pauses there."""
    async with watching(recorded, playing=True) as (pilot, clock):
        tick(pilot, clock, SECOND_NS)
        assert 0 < player_of(pilot).position < EVENTS
        tick(pilot, clock, SECOND_NS)
        assert player_of(pilot).position == EVENTS
        assert f"{EVENTS} of {EVENTS}  paused at full speed" in await screen(pilot)


async def test_where_it_cannot_go_is_said(recorded: list[Recorded]) -> None:
    """What is no moment is said where it was asked for, also while it plays; escape goes back."""
    async with watching(recorded, playing=True, speed=1) as (pilot, clock):
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


async def test_a_filter_plays_what_has_a_text_in_it(recorded: list[Recorded]) -> None:
    """Only such events are stops; the states between are those of all; an empty text ends it."""
    async with watching(recorded, size=(80, 24)) as (pilot, _):
        await go_to(pilot, "9")
        await ask(pilot, "f", "statechanged")
        assert player_of(pilot).position <= 9
        await pilot.press("home")
        expected = [e.seq for e in recorded if e.event.HasField("state_changed")]
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


def test_a_log_that_does_not_come_is_not_waited_for(recorded: list[Recorded]) -> None:
    """As of a server that hangs: `q` ends the player all the same."""
    comes, has_come = Event(), Event()

    def load(_: Progress) -> Player:
        comes.wait(PATIENCE_S)
        has_come.set()
        return Player(recording_of(recorded), range(len(recorded) + 1))

    async def quit_(pilot: Pilot[object]) -> None:
        await pilot.press("q")

    app = LogPlayer(PlayerSource("a log", len(recorded), load, None), ManualClock())
    asyncio.run(app.run_async(headless=True, auto_pilot=quit_))
    assert not has_come.is_set()
    comes.set()
    assert has_come.wait(PATIENCE_S)
