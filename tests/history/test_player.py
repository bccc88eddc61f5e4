"""A player is wherever its keys brought it, and what it shows there is the fold up to there."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.codec.records import Recorded
from nc.domain.events import Entry, Event
from nc.domain.evolve import evolve_recorded
from nc.domain.state import State
from nc.history.events import Point, seq_of
from nc.history.fields import field_texts, kind_of
from nc.history.player import (
    AS_FAST_AS_IT_GOES,
    LONGEST_WAIT_NS,
    Player,
    recording_of,
    stops_with,
)
from tests.support.event_strategies import events as any_event
from tests.support.histories import started

SECOND_NS = 1_000_000_000
FEW = 4


@pytest.fixture(autouse=True, scope="module")
def few_events() -> Iterator[None]:
    """A state is kept every four events, so that short histories have some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nc.history.player.CHECKPOINT_EVENTS", FEW)
        yield


timed = st.lists(st.tuples(st.integers(0, 9), any_event), max_size=12)
speeds = st.sampled_from([0.1, 0.7, 1, 60, 100_000, AS_FAST_AS_IT_GOES])
points = st.builds(Point, seq=st.integers(0, 14)) | st.builds(
    Point, at_ns=st.integers(-1, 10).map(lambda s: s * SECOND_NS)
)
Move = Callable[[Player], Player]
moves: st.SearchStrategy[Move] = st.one_of(
    st.integers(-15, 15).map(lambda by: lambda player: player.stepped(by)),
    st.integers(-15, 15).map(lambda by: lambda player: player.skipped(by)),
    points.map(lambda point: lambda player: player.jumped(point)),
    st.integers(0, 5 * SECOND_NS).map(lambda ns: lambda player: player.advanced(ns)),
    st.sampled_from([Player.toggled, Player.faster, Player.slower]),
)


def recorded(history: list[tuple[int, Event]]) -> list[Recorded]:
    """Events with their times in seconds, as a log would give them."""
    return [
        Recorded(seq, Entry(recorded_at_ns=at_s * SECOND_NS), event)
        for seq, (at_s, event) in enumerate(history, start=1)
    ]


@st.composite
def players(draw: st.DrawFn) -> Player:
    """Somebody who watches any history, or some of its events, at any speed."""
    history = draw(timed)
    chosen = draw(st.sets(st.integers(0, len(history)), min_size=1))
    stops = draw(st.sampled_from([range(len(history) + 1), sorted(chosen)]))
    player = Player(recording_of(recorded(history)), stops, speed=draw(speeds))
    return player.toggled() if draw(st.booleans()) else player


@given(players(), st.lists(moves, max_size=12))
def test_what_is_shown_is_the_fold_up_to_there(player: Player, keys: list[Move]) -> None:
    """After any keys: a stop, and the state that the events up to it lead to, one by one."""
    for key in keys:
        player = key(player)
        assert player.position in player.stops
        events = player.recording.events[: player.position]
        assert player.state == evolve_recorded(State(), events)
        assert player.present is (player.recording.events[player.position - 1] if events else None)
        assert not (player.playing and player.at == player.last)


@given(players(), st.integers(-5, 20))
def test_back_undoes_a_step(player: Player, to: int) -> None:
    """Wherever there is a next stop, a step and one back lead to where it was, and so reversed."""
    player = player.stepped(to)
    if player.at < player.last:
        assert player.stepped(1).stepped(-1) == player
    if player.at > 0:
        assert player.stepped(-1).stepped(1) == player


@given(players(), st.lists(st.integers(0, 20).map(lambda n: n * SECOND_NS // 20), min_size=2))
def test_time_may_come_in_any_portions(player: Player, portions: list[int]) -> None:
    """Playing for a while is playing for its parts, however the screen keeps up."""
    in_parts = player = player.stepped(-player.last).toggled()
    for portion in portions:
        in_parts = in_parts.advanced(portion)
    assert in_parts == player.advanced(sum(portions))


@given(players())
def test_a_history_plays_to_its_end_in_its_time(player: Player) -> None:
    """It takes the sum of the gaps at that speed, each cut to what anybody would watch."""
    player = player.stepped(-player.last).toggled()
    waits = [player.wait_ns(at) for at in range(player.last)]
    assert all(0 <= wait <= LONGEST_WAIT_NS for wait in waits)
    assert player.advanced(sum(waits)).at == player.last
    if waits and waits[-1]:
        assert player.advanced(sum(waits) - 1).at < player.last
    stops = [
        player.recording.events[stop - 1].entry.recorded_at_ns for stop in player.stops if stop
    ]
    if 1 <= player.speed < AS_FAST_AS_IT_GOES:
        assert sum(waits) <= sum(max(b - a, 0) for a, b in pairwise(stops))


@given(players(), points)
def test_a_jump_finds_what_log_at_finds(player: Player, point: Point) -> None:
    """It leads to the last stop at that place or before it; to the first if there is none."""
    position = player.jumped(point).position
    reached = seq_of(player.recording.events, point)
    assert position == max([s for s in player.stops if s <= reached], default=player.stops[0])


@given(players())
def test_speeds_have_an_order_and_two_ends(player: Player) -> None:
    """Faster is faster and slower slower, down to a tenth and up to as fast as it goes."""
    up, down = player, player
    for _ in range(20):
        assert up.faster().speed > up.speed or up.speed == AS_FAST_AS_IT_GOES
        assert down.slower().speed < down.speed or down.speed == 0.1
        up, down = up.faster(), down.slower()
    assert (up.speed, down.speed) == (AS_FAST_AS_IT_GOES, 0.1)


@given(players(), st.integers(0, 5))
def test_neighbours_are_the_stops_around(player: Player, count: int) -> None:
    """What comes before and after the present event, in order, and no more than asked for."""
    for at in range(len(player.stops)):
        here = player.skipped(at - player.at)
        before, later = here.around(count)
        shown = [*before, *([here.present] if here.present else []), *later]
        stops = [s for s in player.stops[max(at - count, 0) : at + count + 1] if s]
        assert [each.seq for each in shown] == stops


@given(timed)
def test_a_past_may_begin_with_a_state(history: list[tuple[int, Event]]) -> None:
    """Its states are what the events lead to from there, and it says how far it has come."""
    start = started("10.1.0.1/16")
    reached: list[int] = []
    past = recording_of(recorded(history), start, reached.append)
    assert reached == [
        *range(FEW, len(history) + 1, FEW),
        *[len(history)] * (len(history) % FEW > 0),
    ]
    for position in range(len(history) + 1):
        assert past.state_at(position) == evolve_recorded(start, recorded(history[:position]))


@given(
    player=players(), moves=st.lists(moves, max_size=3), text=st.sampled_from(["", "A", "_id", "?"])
)
def test_a_filter_takes_some_of_the_stops(player: Player, moves: list[Move], text: str) -> None:
    """The first place, and each event that says the text; the player goes back to one, or stays."""
    for move in moves:
        player = move(player)
    stops = stops_with(player.recording, player.stops, text)
    assert list(stops) == [
        stop for stop in player.stops if stop == player.stops[0] or says(player, stop, text)
    ]
    moved = player.among(stops)
    assert moved.position == max(stop for stop in stops if stop <= player.position)
    assert moved.state == player.recording.state_at(moved.position)
    assert moved.among(player.stops).position == moved.position


def says(player: Player, stop: int, text: str) -> bool:
    """Whether the event of a stop has a text in what the player shows of it."""
    event = player.recording.events[stop - 1].event
    shown = [kind_of(event), *field_texts(event).values()]
    return any(text.casefold() in each.casefold() for each in shown)
