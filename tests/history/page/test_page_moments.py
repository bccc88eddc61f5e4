from itertools import cycle
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from nc.domain.events import (
    Entry,
    Event,
    ExpiryChanged,
    NodeRegistered,
    ReplicaStarted,
    ReplicaStopped,
)
from nc.history.events import Recorded, field_of
from nc.history.fields import json_fields, kind_of
from nc.history.fold import state_at
from nc.history.timelines import status_of
from nc.text import time_text
from tests.support.busy_log import busy_history
from tests.support.event_strategies import histories
from tests.support.histories import NOW_MS
from tests.support.shown_page import (
    GUTTER,
    MARGIN,
    Shown,
    counts,
    expiry_words,
    recorded_at_ms,
    table,
)

AT_EVERY_MOMENT = """
Array.from({length: %(count)d + 1}, (_, position) => {
  slideTo(%(count)d ? position / %(count)d : 0);
  return [rows("nodes").map(nodeCells), text("counts"), text("moment-event"), selected("events")];
})
"""

times_ns = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=6)
@given(histories, st.lists(times_ns, min_size=1), st.integers(0, 8))
def test_every_moment_is_shown_as_it_was(
    shown: Shown, events: list[Event], times: list[int], cut: int
) -> None:
    """At each event of any history, from any base on, nodes and counts are those of the fold."""
    whole = [
        Recorded(seq, Entry(recorded_at_ns=at_ns), event)
        for seq, (event, at_ns) in enumerate(zip(events, cycle(times), strict=False), start=1)
    ]
    base = state_at(whole, cut)
    history = whole[base.seq :]
    with shown(history, base) as tab:
        told = tab.run(AT_EVERY_MOMENT % {"count": len(history)})
    for state_seq, (rows, numbers, where, selected) in enumerate(told, start=base.seq):
        state = state_at(whole, state_seq)
        assert numbers == counts(state)
        now_ms = recorded_at_ms(whole, max(1, state_seq, base.seq + 1)) if history else 0
        if history:
            assert sorted(rows) == table(state, now_ms)
        if state_seq > base.seq:
            assert where == f"after event {state_seq} of {len(whole)}"
            event = whole[state_seq - 1].event
            assert [row[::2][:2] for row in selected] == [[str(state_seq), kind_of(event)]]


def test_long_tables_and_lists_are_whole(shown: Shown, busy: list[Recorded]) -> None:
    """Scrolled from end to end, the table has every node of the moment, the list every event."""
    random = Random(2)  # noqa: S311 - which moments are looked at
    with shown(busy) as tab:
        for seq in [len(busy), *random.sample(range(1, len(busy)), 3)]:
            tab.run(f"slideTo({seq} / {len(busy)})")
            told = tab.run("everyRow('nodes')")
            state = state_at(busy, seq)
            assert [row[:4] for row in told] == table(state, recorded_at_ms(busy, seq))
            assert tab.run("text('counts')") == counts(state)
        listed = tab.run("everyRow('events')")
    assert [row[:3] for row in listed] == [
        [str(each.seq), time_text(each.entry.recorded_at_ns)[11:], kind_of(each.event)]
        for each in busy
    ]


def test_an_expiry_passes_at_its_very_millisecond(shown: Shown) -> None:
    """Until then the node is as good as any; from then on it is shown as expired."""
    events = [
        Event(node_registered=NodeRegistered(node_id="a")),
        Event(expiry_changed=ExpiryChanged(node_id="a", expires_at_ms=NOW_MS)),
        Event(replica_stopped=ReplicaStopped()),
    ]
    times_ms = (NOW_MS - 2, NOW_MS - 1, NOW_MS)
    history = [
        Recorded(seq, Entry(recorded_at_ns=at_ms * 1_000_000), event)
        for seq, (at_ms, event) in enumerate(zip(times_ms, events, strict=True), start=1)
    ]
    with shown(history) as tab:
        told = tab.run("[1, 2, 3].map((seq) => (slideTo(seq / 3), cells(rows('nodes')[0])[3]))")
    until = expiry_words(NOW_MS)
    assert told == ["never", until, f"expired {until}"]


def test_a_history_before_1970_ends_with_its_last_event(shown: Shown) -> None:
    """An expiry after that event has not passed yet."""
    events = [
        Event(node_registered=NodeRegistered(node_id="a")),
        Event(expiry_changed=ExpiryChanged(node_id="a", expires_at_ms=-1)),
    ]
    entry = Entry(recorded_at_ns=-2_000_000)
    with shown([Recorded(seq, entry, event) for seq, event in enumerate(events, 1)]) as tab:
        assert tab.run("slideTo(1), cells(rows('nodes')[0])[3]") == expiry_words(-1)


def test_a_history_whose_clock_was_put_back_ends_with_its_last_event(shown: Shown) -> None:
    """An expiry that had passed has not passed any more."""
    events = [
        Event(node_registered=NodeRegistered(node_id="a")),
        Event(expiry_changed=ExpiryChanged(node_id="a", expires_at_ms=NOW_MS)),
    ]
    times_ms = (NOW_MS + 1, NOW_MS - 1)
    history = [
        Recorded(seq, Entry(recorded_at_ns=at_ms * 1_000_000), event)
        for seq, (at_ms, event) in enumerate(zip(times_ms, events, strict=True), start=1)
    ]
    with shown(history) as tab:
        assert tab.run("slideTo(1), cells(rows('nodes')[0])[3]") == expiry_words(NOW_MS)


def test_a_clock_that_was_put_back_since_the_last_event_decides(shown: Shown) -> None:
    """The server judges by it, not by the time of an event."""
    started = ReplicaStarted(network_address="10.1.1.1/24")
    events = [
        Event(replica_started=started),
        Event(node_registered=NodeRegistered(node_id="a")),
        Event(expiry_changed=ExpiryChanged(node_id="a", expires_at_ms=NOW_MS)),
    ]
    entry = Entry(recorded_at_ns=(NOW_MS + 1) * 1_000_000)
    history = [Recorded(seq, entry, event) for seq, event in enumerate(events, 1)]
    for until_ms, expected in (
        (NOW_MS - 1, expiry_words(NOW_MS)),
        (NOW_MS, f"expired {expiry_words(NOW_MS)}"),
    ):
        with shown(history, until_ms=until_ms) as tab:
            assert tab.run("slideTo(1), cells(rows('nodes')[0])[3]") == expected


def test_only_rows_in_sight_exist(shown: Shown, busy: list[Recorded]) -> None:
    """However long a list is, the page holds a few dozen rows of it."""
    with shown(busy) as tab:
        assert tab.run("document.querySelectorAll('.rows .row').length") < 60


def says_something(value: object) -> bool:
    return value is not False and value not in ("", None, {}, [])


def test_the_current_event_tells_all(shown: Shown, busy: list[Recorded]) -> None:
    """Every field that says something, and who caused the event through what."""
    first_of_each_kind = {kind_of(each.event): each for each in reversed(busy)}
    envelope = {"seq", "time", "recorded_at_ns", "type"}
    with shown(busy) as tab:
        for kind, recorded in first_of_each_kind.items():
            tab.run(f"slideTo({recorded.seq} / {len(busy)})")
            told = tab.run("[...document.querySelectorAll('#current dl > div')].map(cells)")
            fields = json_fields(recorded)
            names = [n for n in fields if n not in envelope and says_something(fields[n])]
            labels = [name.removesuffix("_ms").replace("_", " ") for name in names]
            assert tab.run("document.querySelector('#current h3').textContent") == kind
            assert [label for label, _ in told] == labels
            values = dict(told)
            assert values["actor"] == recorded.entry.actor
            assert values["method"] == recorded.entry.method
            assert values["request id"] == recorded.entry.request_id
            assert values.get("node id", "") == field_of(recorded.event, "node_id")


BAR_COLOURS = """
(() => {
  const probe = document.getElementById("probe");
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const names = {};
  for (const name of ["connected", "init", "idle"]) {
    probe.style.color = `var(--${name})`;
    pen.fillStyle = getComputedStyle(probe).color;
    pen.fillRect(0, 0, 1, 1);
    names[String(pen.getImageData(0, 0, 1, 1).data)] = name.toUpperCase();
  }
  const canvas = document.getElementById("timeline");
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const reader = copy.getContext("2d", { willReadFrequently: true });
  reader.drawImage(canvas, 0, 0);
  const picture = reader.getImageData(0, 0, canvas.width, canvas.height);
  const width = canvas.clientWidth - %(gutter)d - %(margin)d;
  return (fractions) => Array.from({length: %(nodes)d}, (_, place) => fractions.map((fraction) => {
    const y = Math.floor((place + 0.5) * timeline.rowHeight);
    const x = Math.floor(%(gutter)d + fraction * width);
    const pixel = 4 * (y * canvas.width + x);
    return names[String(picture.data.slice(pixel, pixel + 4))] ?? null;
  }));
})()
"""


def in_order(history: list[Recorded], node_id: str) -> tuple[bool, str]:
    """Bars are in the table's order: by name, and those that are gone come last."""
    is_gone = node_id not in state_at(history, len(history)).nodes
    registered = (each.event.node_registered for each in history)
    return is_gone, next(each.name for each in registered if each.node_id == node_id)


def test_the_bars_have_the_colours_of_the_states(shown: Shown) -> None:
    """Between any two events a node's bar has its state's colour or none, in light and in dark."""
    history = busy_history(5, 60, seed=3)
    ids = {field_of(each.event, "node_id") for each in history} - {""}
    nodes = sorted(ids, key=lambda node_id: in_order(history, node_id))
    places = {"nodes": len(nodes), "gutter": GUTTER, "margin": MARGIN}
    fractions = [(position + 0.5) / len(history) for position in range(len(history))]
    told = []
    with shown(history) as tab:
        for colours in ("dark", "light"):
            tab.prefer(colours)
            told.append(
                tab.run(f"frame().then(frame).then(() => {BAR_COLOURS % places}({fractions}))")
            )
    states = [state_at(history, seq) for seq in range(len(history))]
    statuses = [[status_of(state, node_id) for state in states] for node_id in nodes]
    expected = [[each and each.state.name for each in bar] for bar in statuses]
    assert told == [expected, expected]
