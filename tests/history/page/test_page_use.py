import json

from nc.domain.codec.records import Recorded
from nc.domain.fsm import ConnectionState
from nc.history.events import field_of
from nc.history.fields import json_fields, kind_of
from nc.history.fold import state_at
from tests.support.busy_log import busy_history
from tests.support.chromium import Tab
from tests.support.shown_page import GUTTER, MARGIN, NO_ADDRESS, Shown, box, middle, table

SEQS = "everyRow('events').then((all) => all.map(([seq]) => Number(seq)))"


def named(history: list[Recorded], node_id: str) -> str:
    return state_at(history, len(history)).nodes[node_id].profile.name


def where(tab: Tab) -> int:
    """The event after which the page shows things; the list marks the same."""
    told, listed = tab.run(
        "[text('moment-event').replaceAll(',', '').match(/^after event (\\d+)/)?.[1],"
        " selected('events')[0]?.[0]]"
    )
    assert told == listed
    return int(told or 0)


def test_keys_move_through_time(shown: Shown, busy: list[Recorded]) -> None:
    """An event back or on, a twentieth of the log, the beginning, the end; no further."""
    end = len(busy)
    with shown(busy, fragment="seq=200") as tab:
        assert where(tab) == 200
        for key, code, expected in (
            ("ArrowRight", 39, 201),
            ("ArrowLeft", 37, 200),
            ("PageDown", 34, 200 + end // 20),
            ("PageUp", 33, 200),
            ("End", 35, end),
            ("ArrowRight", 39, end),
            ("Home", 36, 0),
            ("ArrowLeft", 37, 0),
        ):
            tab.press(key, code)
            assert where(tab) == expected


def test_up_and_down_go_through_a_list(shown: Shown, busy: list[Recorded]) -> None:
    """In the events to those that are listed, in the table from node to node; words are typed."""
    node_id = field_of(busy[300].event, "node_id")
    of_node = [each.seq for each in busy if field_of(each.event, "node_id") == node_id]
    with shown(busy, fragment=f"seq={of_node[3]}&node={node_id}") as tab:
        tab.run("(set('events-only', true), document.querySelector('#events .grid').focus())")
        for key, code, expected in (("ArrowDown", 40, 4), ("ArrowUp", 38, 3), ("ArrowUp", 38, 2)):
            tab.press(key, code)
            assert where(tab) == of_node[expected]
        tab.run("(set('events-only', false), slideTo(1))")
        tab.run("document.querySelector('#nodes .grid').focus()")
        tab.press("Escape", 27)
        ids = [row[0] for row in table(state_at(busy, len(busy)), 0)]
        for expected in range(3):
            tab.press("ArrowDown", 40)
            assert tab.run("selected('nodes').map(([id]) => id)") == [ids[expected]]
        tab.run("document.getElementById('nodes-filter').focus()")
        tab.press("Home", 36)
        assert where(tab) == len(busy)


def test_buttons_and_clicks_move_through_time(shown: Shown, busy: list[Recorded]) -> None:
    """Back, on, beginning, end; an event of the list; a place in the picture."""
    end = len(busy)
    with shown(busy) as tab:
        for button, expected in (("back", end - 1), ("step", end), ("first", 0), ("last", end)):
            tab.click(*middle(tab, f"#{button}"))
            assert where(tab) == expected
        tab.run(f"slideTo({end // 2} / {end})")
        tab.run("rows('events').find((row) => row.ariaSelected === 'true').id = 'here'")
        left, top, _, height = box(tab, "#here")
        tab.click(left + 30, top + 1.5 * height)
        assert where(tab) == end // 2 + 1
        left, top, width, _ = box(tab, "#overview")
        plot = width - GUTTER - MARGIN
        tab.click(left + GUTTER + plot / 4, top + 20)
        assert abs(where(tab) - end / 4) <= end / plot


def test_a_bar_tells_and_chooses_its_node(shown: Shown, busy: list[Recorded]) -> None:
    """Pointing at a bar says how the node was then; a click chooses it and the moment."""
    state = state_at(busy, len(busy))
    first = min(state.nodes, key=lambda node_id: state.nodes[node_id].profile.name)
    name = state.nodes[first].profile.name
    seq = [each.seq for each in busy if field_of(each.event, "node_id") == first][-1]
    with shown(busy) as tab:
        left, top, width, _ = box(tab, "#timeline")
        x, y = left + GUTTER + (width - GUTTER - MARGIN) * seq / len(busy), top + 7
        tab.point(x, y)
        tip = tab.run("[...document.querySelectorAll('#tip p')].map((each) => each.textContent)")
        tab.click(x, y)
        assert where(tab) == seq
        standing = table(state_at(busy, seq), 0)
        (row,) = [row for row in standing if row[0] == name]
        assert tip[0] == f"{name}: {row[1][2:]} {row[2]}"
        assert tip[1].endswith(f" UTC, event {seq}")
        assert tab.run("selected('nodes')[0][0]") == name
        of_node = tab.run(
            "rows('events').map((r) => [r.classList.contains('of-node'), +cells(r)[0]])"
        )
        assert any(is_its for is_its, _ in of_node)
        for is_its, seq in of_node:
            assert is_its == (field_of(busy[seq - 1].event, "node_id") == first)


def test_it_plays_to_the_end_and_stops(shown: Shown) -> None:
    """Space starts it from the beginning; each moment comes after the one before."""
    history = busy_history(2, 16)
    with shown(history) as tab:
        tab.run("document.getElementById('speed').value = 16")
        tab.run(
            """(globalThis.seen = [], new MutationObserver(() => seen.push(text("moment-event")))
                .observe(document.getElementById("moment-event"), {childList: true}))"""
        )
        tab.press(" ", 32, " ")
        told = tab.run(
            """new Promise((done) => {
                 const play = document.getElementById("play");
                 const look = () => {
                   if (play.ariaPressed === "true") requestAnimationFrame(look); else done(seen);
                 };
                 look();
               })"""
        )
    wheres = ["before event 1"]
    wheres += [f"after event {each.seq} of {len(history)}" for each in history]
    places = [wheres.index(each) for each in told]
    assert places == sorted(set(places))
    assert (places[0], places[-1]) == (0, len(history))
    assert len(places) > 3


def test_the_list_is_filtered(shown: Shown, busy: list[Recorded]) -> None:
    """By type, by the chosen node, by a text in any field, and by all three."""
    silent = [each for each in busy if "link_silent" in json.dumps(json_fields(each))]
    with_text = {each.seq for each in silent}
    node_id = field_of(silent[0].event, "node_id")
    of_kind = {each.seq for each in busy if kind_of(each.event) == "StateChanged"}
    of_node = {each.seq for each in busy if field_of(each.event, "node_id") == node_id}
    assert of_kind & of_node & with_text < of_node
    with shown(busy, fragment=f"seq=350&node={node_id}") as tab:
        tab.run("set('events-type', 'StateChanged')")
        assert set(tab.run(SEQS)) == of_kind
        tab.run("set('events-only', true)")
        assert set(tab.run(SEQS)) == of_kind & of_node
        tab.run("set('events-filter', 'Link_Silent')")
        assert set(tab.run(SEQS)) == of_kind & of_node & with_text
        tab.run("(set('events-type', ''), set('events-only', false))")
        assert set(tab.run(SEQS)) == with_text
        tab.run("set('nodes-filter', 'connected')")
        rows = table(state_at(busy, 350), 0)
        connected = [row[0] for row in rows if "CONNECTED" in row[1]]
        assert [row[0] for row in tab.run("everyRow('nodes')")] == connected
        assert tab.run("text('nodes-title')") == f"{len(connected)} of {len(rows)} nodes"


def test_columns_sort(shown: Shown, busy: list[Recorded]) -> None:
    """A click on a title sorts by its column, another the other way round; no node is lost."""
    everybody = state_at(busy, len(busy)).nodes
    with shown(busy) as tab:
        for place, column in ((1, "State"), (2, "Address"), (3, "Expires"), (0, "Node")):
            for is_descending in (False, True):
                tab.click(*middle(tab, f"#nodes-columns > :nth-child({place + 1}) button"))
                told = tab.run("everyRow('nodes')")
                keys = [_sort_key(row[place]) for row in told]
                assert keys == sorted(keys, reverse=is_descending), column
                assert len(told) == len(everybody)


def _sort_key(text: str) -> tuple[int, ...] | str:
    names = [state.name for state in ConnectionState]
    if text[2:] in names:
        return (names.index(text[2:]),)
    if text.count(".") == 3:
        return tuple(map(int, text.split(".")))
    return () if text == NO_ADDRESS else text.removeprefix("expired ")  # `never` after all digits


def test_a_link_points_at_a_moment_and_a_node(shown: Shown, busy: list[Recorded]) -> None:
    """What the address has after `#` is shown, and follows what is chosen; nonsense is the end."""
    node_id = field_of(busy[300].event, "node_id")
    with shown(busy, fragment=f"seq=301&node={node_id}&by=time") as tab:
        assert where(tab) == 301
        assert tab.run("selected('nodes').map(([id]) => id)") == [named(busy, node_id)]
        assert tab.run("document.querySelector('[value=time]').checked")
        tab.press("ArrowRight", 39)
        tab.run("new Promise((done) => setTimeout(done, 300))")
        assert tab.run("location.hash") == f"#seq=302&node={node_id}&by=time"
        for fragment, expected in (
            ("seq=12", 12),
            ("seq=x&node=<b>", len(busy)),
            ("seq=99e9", len(busy)),
        ):
            tab.run(f"(location.hash = {fragment!r}, frame())")
            assert where(tab) == expected


def test_the_current_event_stays_in_sight(shown: Shown, busy: list[Recorded]) -> None:
    """However the window changes."""
    with shown(busy, fragment="seq=200") as tab:
        for height in (640, 1400, 700):
            tab.resize(1280, height)
            tab.run("frame().then(frame)")
            _, top, _, row_height = box(tab, "#events .row[aria-selected=true]:not([hidden])")
            _, list_top, _, list_height = box(tab, "#events-rows")
            assert list_top <= top <= list_top + list_height - row_height
            assert where(tab) == 200


def test_the_slider_goes_by_time_too(shown: Shown, busy: list[Recorded]) -> None:
    """By time, a place on the slider is the last event recorded at or before it."""
    times = [each.entry.recorded_at_ns // 1_000_000 for each in busy]
    with shown(busy) as tab:
        tab.click(*middle(tab, "[value=time]"))
        for fraction in (0.1, 0.37, 0.5, 0.99, 1):
            tab.run(f"slideTo({fraction})")
            at_ms = times[0] + fraction * (times[-1] - times[0])
            assert where(tab) == sum(time <= at_ms + 1e-6 for time in times)
