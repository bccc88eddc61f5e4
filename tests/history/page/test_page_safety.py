import io
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from nc.domain.codec.records import Recorded
from nc.domain.events import Entry, Event, LogRepaired, NodeRegistered, ReplicaStarted
from nc.domain.state import State
from nc.history.export.html import write_page
from tests.support.busy_log import busy_history
from tests.support.chromium import Tab
from tests.support.shown_page import Shown

HOSTILE = [
    "</script><script>globalThis.ran = 1</script>",
    "<img src=x onerror='globalThis.ran = 1'>",
    "<!--<script>",
    "</title></style><svg onload=globalThis.ran=1>",
    "\\u003cscript\\u003e & &lt;b&gt; ${policy} $style",
    "]]> \u2028 \u2029 \x00 \u202e \U0001f600 '\"`",
    "constructor",
    "__proto__",
]


# What says that something is not there.
ABSENCES = """
[...document.querySelectorAll(".none, #nothing")]
  .filter((each) => each.checkVisibility()).map((each) => each.textContent)
"""


def page(history: list[Recorded]) -> str:
    out = io.StringIO()
    write_page(history, State(), out)
    return out.getvalue()


def hostile_history() -> list[Recorded]:
    """Every text that somebody else may choose, and others, are an attack."""
    history = [
        Recorded(
            1,
            Entry(actor="x"),
            Event(
                replica_started=ReplicaStarted(version=HOSTILE[0], network_address="10.1.1.1/24")
            ),
        )
    ]
    for seq, text in enumerate(HOSTILE, start=2):
        entry = Entry(actor=f"certificate:{text}:1", method=text, request_id=text)
        registered = NodeRegistered(node_id=text, token_id=text)
        history.append(Recorded(seq, entry, Event(node_registered=registered)))
    repaired = LogRepaired(damage=HOSTILE[1], kept_in=HOSTILE[3])
    return [*history, Recorded(len(history) + 1, Entry(), Event(log_repaired=repaired))]


def test_hostile_names_are_texts(shown: Shown) -> None:
    """They are shown as they are, wherever they are shown, and none of them runs."""
    history = hostile_history()
    with shown(history) as tab:
        for position in range(2, len(HOSTILE) + 2):
            name = HOSTILE[position - 2]
            tab.run(f"slideTo({position} / {len(history)})")
            told = tab.run(
                "Object.fromEntries([...document.querySelectorAll('#current dl > div')].map(cells))"
            )
            assert told["actor"] == f"certificate:{name}:1"
            assert [told[key] for key in ("method", "request id", "node id")] == [name] * 3
        tab.run("[...rows('nodes'), ...rows('events')].forEach((row) => row.click())")
        assert sorted(row[0] for row in tab.run("everyRow('nodes')")) == sorted(HOSTILE)
        assert tab.run("[typeof ran, document.querySelectorAll('script').length]") == [
            "undefined",
            2,
        ]
        assert tab.run("document.querySelectorAll('img').length") == 0


def test_the_data_cannot_end_its_element() -> None:
    """Between the tags of the data there is no `<`, whatever the history holds."""
    text = page(hostile_history())
    (data,) = re.findall(r'<script type="application/json" id="data">(.*)</script>\n<script>', text)
    assert "<" not in data
    assert "globalThis.ran" in data


def test_the_policy_lets_nothing_else_in() -> None:
    """By default nothing, and of scripts and styles the page's own, known by their hashes."""
    text = page([])
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    (script,) = re.findall(r"<script>(.*)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*)</style>", text, re.DOTALL)
    hashes = [b64encode(sha256(each.encode()).digest()).decode() for each in (script, style)]
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{hashes[0]}'",
        f"style-src 'sha256-{hashes[1]}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_browser_keeps_the_policy(tab: Tab, tmp_path: Path) -> None:
    """What would load or run all the same is refused, and these tests would see it."""
    path = tmp_path / "page.html"
    path.write_text(page(busy_history(1, 5)), encoding="utf-8")
    tab.open(path)
    assert tab.complaints() == []
    tab.run(
        """(document.body.insertAdjacentHTML("beforeend",
             "<img src='http://127.0.0.1:9/x' onerror='globalThis.ran = 1'>"),
            new Promise((done) => setTimeout(done, 50)))"""
    )
    assert tab.run("typeof ran") == "undefined"
    assert any("Content Security Policy" in each for each in tab.complaints())


@pytest.mark.parametrize("events", [0, 1])
def test_hardly_any_history_has_a_page(shown: Shown, events: int) -> None:
    """A log of no event or one: what is missing is said once, and no control does harm."""
    with shown(busy_history(1, 5)[:events]) as tab:
        tab.run(
            """([...document.querySelectorAll("button, [type=radio]")].map((each) => each.click()),
                document.getElementById("tab-fleet").click(), slideTo(1))"""
        )
        facts = tab.run("text('facts')")
        assert facts.startswith("event 1  ·  0 nodes" if events else "no events  ·  0 nodes")
        if events:
            assert tab.run("rows('events').length") == events
        shown_texts = tab.run(ABSENCES)
        no_node = "No node is registered at this moment."
        assert shown_texts == (
            [no_node] if events else ["The log is empty: nothing has happened yet."]
        )


def test_an_event_takes_few_bytes() -> None:
    """50,000 events are a few megabytes: about 90 bytes an event, and the page itself."""
    history = busy_history(50, 1500)
    assert len(page(history)) - len(page([])) < 110 * len(history)


def test_paper_gets_every_node(shown: Shown) -> None:
    """While it is printed, the table has a row for each node, and the list the events around."""
    history = busy_history(60, 600)
    with shown(history) as tab:
        tab.run("dispatchEvent(new Event('beforeprint'))")
        nodes = tab.run("Number(text('nodes-title').split(' ')[0])")
        assert len(tab.run("rows('nodes').map(cells)")) == nodes > 40
        assert 40 < len(tab.run("rows('events').map(cells)")) < 80
        tab.run("dispatchEvent(new Event('afterprint'))")
        assert len(tab.run("rows('nodes').map(cells)")) < 30
        assert tab.paper().startswith(b"%PDF")
