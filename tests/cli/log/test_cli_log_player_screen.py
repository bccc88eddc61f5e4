"""What the player shows: all of it on a small terminal, nothing that steers one."""

import pytest
from textual.binding import Binding

from nc.cli.log.player import LogPlayer
from nc.cli.log.player_dialogs import HELP
from nc.cli.log.player_nodes import STATE_STYLES, NodeTable
from nc.domain.codec.records import Recorded
from nc.domain.events import Entry, Event, ExpiryChanged, NodeRegistered
from nc.domain.fsm import ConnectionState
from nc.history.fields import field_texts
from nc.history.player import AS_FAST_AS_IT_GOES
from tests.support.histories import NOW_MS
from tests.support.watched_player import SIZE, go_to, name_of, player_of, screen, table, watching
from tests.support.written_log import BETA, EVENTS

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


@pytest.mark.parametrize("speed", [1, 60, AS_FAST_AS_IT_GOES])
async def test_a_small_terminal_shows_all_of_it(recorded: list[Recorded], speed: float) -> None:
    """At 80 by 24: each field, its actor and request, the speed, the expiry, and every key."""
    entry = Entry(
        recorded_at_ns=recorded[-1].entry.recorded_at_ns + 10**14,
        actor=f"certificate:admin:{'7' * 40}",
        method="UpdateSensorExpireTime",
        request_id="9" * 20,
    )
    changed = Event(expiry_changed=ExpiryChanged(node_id=BETA, expires_at_ms=NOW_MS))
    async with watching(
        [*recorded, Recorded(EVENTS + 1, entry, changed)], speed=speed, size=(80, 24)
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


async def test_one_node_alone(recorded: list[Recorded]) -> None:
    """With one node chosen, the table has no other; before it came there is none."""
    async with watching(recorded, node_id=BETA) as (pilot, _):
        assert await table(pilot) == [[BETA, "none"]]
        await go_to(pilot, "14")
        assert await table(pilot) == [[name_of(BETA), BETA, "IDLE", "2027-01-15T08:00:00Z"]]


def test_state_names_all_have_a_style() -> None:
    """Each state of the machine has a colour in the table."""
    assert set(STATE_STYLES) == set(ConnectionState)


async def test_the_summary_counts_the_nodes(recorded: list[Recorded]) -> None:
    """How many nodes are in which state at the present event, and what else there is."""
    async with watching(recorded, size=(80, 24)) as (pilot, _):
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


async def test_help_has_every_key(recorded: list[Recorded]) -> None:
    """`?` shows what each key does, at 80 by 24, and what is played; any usual key goes back."""
    async with watching(recorded, size=(80, 24)) as (pilot, _):
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
