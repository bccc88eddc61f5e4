"""How the page looks and moves: zoom, order, contrast, small windows, time zones."""

import json

import pytest

from nc.domain.codec.records import Recorded
from nc.domain.events import Entry, Event, NodeRegistered, ReplicaStarted, ReplicaStopped
from nc.history.events import field_of
from nc.history.export.page_files import page_file
from nc.history.fold import state_at
from tests.support.busy_log import busy_history
from tests.support.chromium import Tab
from tests.support.histories import NOW_MS
from tests.support.shown_page import (
    CONTRAST,
    GUTTER,
    MARGIN,
    NO_ADDRESS,
    Shown,
    box,
    recorded_at_ms,
)

WINDOW = "[Number(slider.min), Number(slider.max)]"


def wheel(tab: Tab, x: float, y: float, delta: float, *, shift: bool = False) -> None:
    tab.run(
        f"""(document.elementFromPoint({x}, {y}).dispatchEvent(new WheelEvent("wheel", {{
              bubbles: true, cancelable: true, clientX: {x}, clientY: {y},
              deltaY: {delta}, shiftKey: {json.dumps(shift)}}})), frame())"""
    )


def test_the_wheel_zooms_about_the_pointer(shown: Shown, busy: list[Recorded]) -> None:
    """What is under the pointer stays there; a double click, and 0, show all again."""
    with shown(busy) as tab:
        left, top, width, _ = box(tab, "#overview")
        plot = width - GUTTER - MARGIN
        x = left + GUTTER + plot / 4
        for delta in (-300, -300, 300):
            before = tab.run(WINDOW)
            wheel(tab, x, top + 20, delta)
            after = tab.run(WINDOW)
            for start, end in (before, after):
                assert start + (end - start) / 4 == pytest.approx(0.25)
            assert (after[1] - after[0] < before[1] - before[0]) == (delta < 0)
        assert tab.run("!document.getElementById('window').hidden")
        tab.press("0", 48, "0")
        assert tab.run(WINDOW) == [0, 1]
        for _ in range(40):
            wheel(tab, x, top + 20, -1000)
        start, end = tab.run(WINDOW)
        assert (end - start) * len(busy) == pytest.approx(8)


def test_the_window_moves_and_stays_inside(shown: Shown, busy: list[Recorded]) -> None:
    """By dragging, by Shift and the wheel, by keys; a moment out of sight brings it along."""
    with shown(busy, fragment="seq=200") as tab:
        left, top, width, _ = box(tab, "#overview")
        plot = width - GUTTER - MARGIN
        for _ in range(3):
            tab.press("+", 187, "+")
        before = tab.run(WINDOW)
        assert before[1] - before[0] == pytest.approx(1 / 8)
        drag(tab, left + GUTTER + plot / 2, left + GUTTER, top + 20)
        after = tab.run(WINDOW)
        assert after[0] == pytest.approx(before[0] + (before[1] - before[0]) / 2)
        assert "event 200" in tab.run("text('moment-event')")
        wheel(tab, left + GUTTER + 50, top + 20, 9000, shift=True)
        assert tab.run(WINDOW)[1] == 1
        tab.press("Home", 36)
        assert tab.run(WINDOW)[0] == 0
        tab.press("End", 35)
        assert tab.run(WINDOW)[1] == 1


def drag(tab: Tab, x: float, to_x: float, y: float) -> None:
    for kind, at in (("pointerdown", x), ("pointermove", to_x), ("pointerup", to_x), ("click", x)):
        made = "MouseEvent" if kind == "click" else "PointerEvent"
        tab.run(
            f"""(document.elementFromPoint({x}, {y}).dispatchEvent(new {made}("{kind}",
                  {{bubbles: true, clientX: {at}, clientY: {y}, pointerId: 7}})), frame())"""
        )


def test_a_place_in_a_zoomed_picture_is_its_moment(shown: Shown, busy: list[Recorded]) -> None:
    """A click chooses the event that is drawn there, and the line stands under the slider."""
    with shown(busy) as tab:
        tab.run("slideTo(0.5)")
        for _ in range(4):
            tab.press("+", 187, "+")
        left, top, width, _ = box(tab, "#overview")
        plot = width - GUTTER - MARGIN
        start, end = tab.run(WINDOW)
        tab.click(left + GUTTER + plot * 0.7, top + 20)
        expected = (start + (end - start) * 0.7) * len(busy)
        seq = int(tab.run("text('moment-event').match(/event (\\d+) of/)[1]"))
        assert abs(seq - expected) <= 1
        x, _, line_width, _ = box(tab, "#line")
        drawn = left + GUTTER + plot * (seq / len(busy) - start) / (end - start)
        assert abs(x + line_width / 2 - drawn) <= 1.5


def test_bars_follow_the_table(shown: Shown, busy: list[Recorded]) -> None:
    """They have its order and its filter; nodes that are gone and fit it come last."""
    state = state_at(busy, len(busy))
    gone = {field_of(each.event, "node_id") for each in busy} - {"", *state.nodes}
    with shown(busy) as tab:
        order = "timeline.order.map((node) => node.id)"
        assert set(tab.run(order)[len(state.nodes) :]) == gone != set()
        tab.run("document.querySelector('#nodes-columns .state button').click()")
        listed = [row[0] for row in tab.run("everyRow('nodes')")]
        names = {state.nodes[node_id].profile.name: node_id for node_id in state.nodes}
        assert tab.run(order)[: len(listed)] == [names[name] for name in listed]
        tab.run("set('nodes-filter', 'idle')")
        idle = [row[0] for row in tab.run("everyRow('nodes')")]
        assert tab.run(order) == [names[name] for name in idle]
        assert 0 < len(idle) < len(listed)


def test_flaps_and_last_seen_are_of_the_moment(shown: Shown, busy: list[Recorded]) -> None:
    """How often a node's link was lost until then."""
    with shown(busy) as tab:
        for seq in (150, len(busy)):
            tab.run(f"slideTo({seq} / {len(busy)})")
            told = {row[0]: row[5] for row in tab.run("everyRow('nodes')")}
            assert told == {
                name: str(n) if n else NO_ADDRESS for name, n in flaps(busy, seq).items()
            }


def flaps(history: list[Recorded], seq: int) -> dict[str, int]:
    nodes = state_at(history, seq).nodes
    lost = [
        field_of(each.event, "node_id")
        for each in history[:seq]
        if each.event.HasField("state_changed")
        and each.event.state_changed.from_state == 3
        and each.event.state_changed.to_state == 1
    ]
    return {node.profile.name: lost.count(node_id) for node_id, node in nodes.items()}


def test_changes_between_two_moments(shown: Shown, busy: list[Recorded]) -> None:
    """Of every node whose status differs, each field that does, whichever moment is first."""
    with shown(busy, fragment="seq=60") as tab:
        tab.press("2", 50, "2")
        tab.run("document.getElementById('changes-start').click()")
        tab.run("slideTo(1)")
        first, last = state_at(busy, 60), state_at(busy, len(busy))
        told = tab.run("everyRow('view-changes')")
        came = {last.nodes[n].profile.name for n in last.nodes if n not in first.nodes}
        went = {first.nodes[n].profile.name for n in first.nodes if n not in last.nodes}
        assert {row[0] for row in told if row[1] == "registered"} == came != set()
        assert {row[0] for row in told if row[1] == "unregistered"} == went
        tab.run("document.getElementById('changes-start').click()")
        assert tab.run("text('changes-title')") == "0 changes"
        tab.run(f"slideTo(60 / {len(busy)})")
        assert tab.run("everyRow('view-changes')") == told


def started(seq: int, event: Event, at_s: int) -> Recorded:
    return Recorded(seq, Entry(recorded_at_ns=(NOW_MS + 1000 * at_s) * 1_000_000), event)


def test_starts_of_the_server_are_marked(shown: Shown) -> None:
    """One that follows no stop is one after a crash."""
    start = Event(replica_started=ReplicaStarted(network_address="10.1.1.1/24"))
    events = [start, Event(replica_stopped=ReplicaStopped()), start, start]
    history = [started(seq, event, 10 * seq) for seq, event in enumerate(events, 1)]
    with shown(history) as tab:
        assert tab.run("restarts.map(({position, crashed}) => [position, crashed])") == [
            [1, False],
            [3, False],
            [4, True],
        ]
        left, top, width, _ = box(tab, "#overview")
        tab.point(left + GUTTER + (width - GUTTER - MARGIN) * 0.75, top + 20)
        assert "the server started" in tab.run("text('tip')")
        tab.point(left + GUTTER + (width - GUTTER - MARGIN) - 1, top + 20)
        assert "after a crash" in tab.run("text('tip')")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_text_can_be_read(shown: Shown, busy: list[Recorded], colours: str) -> None:
    """WCAG AA: 4.5:1, in the system's colours and in those that are chosen instead."""
    node_id = field_of(busy[300].event, "node_id")
    with shown(busy, fragment=f"seq=350&node={node_id}") as tab:
        tab.prefer(colours)
        assert tab.run(f"frame().then(() => {CONTRAST})") == []
        tab.press("t", 84, "t")
        assert tab.run(f"frame().then(() => {CONTRAST})") == []
        tab.press("t", 84, "t")
        assert tab.run(f"frame().then(() => {CONTRAST})") == []
        paper = "getComputedStyle(document.body).backgroundColor"
        assert tab.run(paper) == "rgb(15, 19, 25)"  # dark was chosen
        tab.press("t", 84, "t")
        tab.prefer("light")


@pytest.mark.parametrize("width", [390, 768, 1024, 1400])
def test_nothing_sticks_out(shown: Shown, busy: list[Recorded], width: int) -> None:
    """Whatever is shown fits the window's width, also names of 63 characters."""
    longest = "n" * 63
    event = Event(node_registered=NodeRegistered(node_id="b" * 32, name=longest))
    history = [*busy, Recorded(len(busy) + 1, busy[-1].entry, event)]
    with shown(history, fragment="node=" + "b" * 32) as tab:
        tab.resize(width, 844)
        assert tab.run("frame().then(() => document.documentElement.scrollWidth)") <= width
        heights = tab.run(
            "['nodes', 'events'].map((id) => document.querySelector(`#${id} .rows`).clientHeight)"
        )
        assert min(heights) > 100


def test_times_in_the_readers_zone(shown: Shown, busy: list[Recorded]) -> None:
    """U changes between UTC and local time, everywhere; it is remembered."""
    with shown(busy) as tab:
        utc = tab.run("text('moment-time')")
        assert utc.endswith(" UTC")
        tab.run("Date.prototype.getTimezoneOffset = () => -120")
        tab.press("u", 85, "u")
        local = tab.run("text('moment-time')")
        assert local.endswith(" local")
        hour = (int(utc[11:13]) + 2) % 24
        assert local[11:13] == f"{hour:02d}"
        assert tab.run("cells(rows('events').at(-1))[1]")[:2] == f"{hour:02d}"
        assert tab.run("localStorage.getItem('nc-clock')") == "local"
        tab.press("u", 85, "u")
        assert tab.run("text('moment-time')") == utc


def test_reasons_are_never_cut(shown: Shown, busy: list[Recorded]) -> None:
    """However narrow the list is, why a state changed is there in full."""
    with shown(busy) as tab:
        tab.run("globalThis.right = (each) => each.getBoundingClientRect().right")
        for width in (390, 800, 1024, 1400):
            tab.resize(width, 800)
            cut = "[...document.querySelectorAll('#events .row:not([hidden]) .what b')]"
            cut += ".filter((b) => b.scrollWidth > b.clientWidth + 1 ||"
            cut += " right(b) > right(b.parentElement) + 1)"
            assert tab.run(f"frame().then(frame).then(() => {cut}.map((b) => b.textContent))") == []


def test_what_is_so_is_named(shown: Shown) -> None:
    """A field of an event that says yes or no has its name in the list, if it is there at all."""
    started = ReplicaStarted(replica_id="a", network_address="10.1.1.1/24")
    came_back = NodeRegistered(node_id="n1", taken_back=True)
    events = Event(replica_started=started), Event(node_registered=came_back)
    history = [
        Recorded(seq, Entry(recorded_at_ns=NOW_MS * 10**6), event)
        for seq, event in enumerate(events, 1)
    ]
    with shown(history) as tab:
        line = tab.run("rows('events').at(-1).querySelector('.what').textContent")
    assert "taken back" in line
    assert "yes" not in line
    script = page_file("events.js")
    for kind in Event.DESCRIPTOR.fields:
        for field in kind.message_type.fields if kind.message_type else ():
            assert field.type != field.TYPE_BOOL or f'"{field.name}"' in script


def test_keys_are_listed_and_search_is_one_of_them(shown: Shown) -> None:
    """? shows them, Escape closes; / goes to the search."""
    with shown(busy_history(2, 16)) as tab:
        tab.press("?", 191, "?")
        assert tab.run("document.getElementById('help').open")
        tab.press("ArrowLeft", 37)
        assert "event 16 of 16" in tab.run("text('moment-event')")
        tab.press("Escape", 27)
        wait = "document.getElementById('help').close()"
        tab.run(wait)
        tab.press("/", 191, "/")
        assert tab.run("document.activeElement.id") == "nodes-filter"


def test_the_scale_of_times_ends_with_the_export(shown: Shown, busy: list[Recorded]) -> None:
    """A server that runs has done nothing since; of one that was stopped nobody knows."""
    start, end = recorded_at_ms(busy, 1), recorded_at_ms(busy, len(busy))
    until = end + (end - start)
    stopped = Recorded(busy[-1].seq + 1, busy[-1].entry, Event(replica_stopped=ReplicaStopped()))
    for history, share in ((busy, 0.5), ([*busy, stopped], 1.0)):
        with shown(history, fragment="by=time", until_ms=until) as tab:
            assert tab.run("fractionOf(count)") == pytest.approx(share)
            assert tab.run("Number(slider.value)") == 1
            tab.run("slideTo(0.75)")
            whole = f"after event {len(history)} of {len(history)}"
            assert (tab.run("text('moment-event')") == whole) == (share < 1)
