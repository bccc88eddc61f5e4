"""A log read back: what happened, the state at an event, and what changed between two."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogReader
from nc.history.events import events_of
from nc.history.state_fields import state_fields
from nc.text import iso_time
from tests.support.written_log import ALPHA, ALPHA_TOKEN, BETA, EVENTS, TOKEN, Log, fold

FILTERS: list[tuple[list[str], Callable[[dict[str, Any]], bool]]] = [
    (["--node", ALPHA], lambda e: e.get("node_id") == ALPHA),
    (["--node", ALPHA[:20]], lambda e: e.get("node_id") == ALPHA),
    (["--node", ALPHA_TOKEN], lambda e: e.get("node_id") == ALPHA),
    (["--node", f"node-{ALPHA[:8]}"], lambda e: e.get("node_id") == ALPHA),
    (["--node", "10.1.1.3"], lambda e: e.get("node_id") == ALPHA),
    (["--address", "10.1.1.3"], lambda e: e.get("address") == "10.1.1.3"),
    (["--actor", "system"], lambda e: e["actor"] == "system"),
    (["--actor", "admin"], lambda e: e["actor"].startswith("certificate:admin:")),
    (["--actor", "certificate:"], lambda e: e["actor"].startswith("certificate:")),
    (["--actor", "certificate:admin"], lambda e: e["actor"].startswith("certificate:admin:")),
    (
        ["--type", "StateChanged", "--type", "unregistered"],
        lambda e: e["type"] in ("StateChanged", "Unregistered"),
    ),
    (["--from", "5", "--to", "9"], lambda e: 5 <= e["seq"] <= 9),
    (
        ["--from", "2027-01-15T08:02", "--to", "2027-01-15T09:04+01:00"],
        lambda e: "2027-01-15T08:02" <= e["time"] <= "2027-01-15T08:04:00.000Z",
    ),
    (["--from", "-2h", "--after", "3"], lambda e: e["seq"] > 3),
]


@pytest.mark.parametrize(
    ("options", "chosen"),
    FILTERS,
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_filter_chooses_what_a_plain_filter_would(
    log: Log,
    events: list[dict[str, Any]],
    options: list[str],
    chosen: Callable[[dict[str, Any]], bool],
) -> None:
    """`log show` with options prints those of all events that fit, and no other."""
    expected = [event for event in events if chosen(event)]
    assert 0 < len(expected) < len(events)
    assert log("show", "--output", "json", *options) == expected


def test_the_state_after_an_event_is_the_fold_of_those_before(log: Log, data_dir: Path) -> None:
    """`log at SEQ` is what the first SEQ events lead to; `log at TIME` what had happened then."""
    history = [e for record in LogReader(data_dir / "log").read() for e in events_of(record)]
    for seq in (0, 7, EVENTS):
        now_ns = history[max(seq - 1, 0)].entry.recorded_at_ns
        expected = state_fields(fold(history[:seq]), now_ns)
        assert log("at", str(seq), "--output", "json") == [expected]
    (then,) = log("at", "2027-01-15T08:04:30", "--output", "json")
    assert then["seq"] == 6
    (node,) = then["nodes"]
    assert (node["node_id"], node["token_id"]) == (ALPHA, TOKEN)
    assert (node["state"], node["address"]) == ("CONNECTED", "10.1.1.3")
    assert (node["expires_at_ms"], node["expired"]) == (0, False)
    text = log("at", "7")
    for word in (ALPHA, node["name"], BETA, TOKEN, "10.1.1.3", "CONNECTED"):
        assert word in text
    (before,) = log("at", "-9000d", "--output", "json")
    assert before["seq"] == 0


def test_now_is_the_end_of_the_log(log: Log, events: list[dict[str, Any]]) -> None:
    """`log at` alone is the state as it is, expired by now or not; `now` is a moment everywhere."""
    last_time = max(events[-1]["time"], iso_time(time.time_ns()))  # a clock may be put back
    (found,) = log("at", "--output", "json")
    assert (found["seq"], found["time"] >= last_time) == (EVENTS, True)
    assert {node["node_id"]: node["expired"] for node in found["nodes"]} == {BETA: True}
    (same,) = log("at", "now", "--output", "json")
    assert {**same, "time": None} == {**found, "time": None}
    assert log("diff", "3", "now") == log("diff", "3", str(EVENTS))
    assert log("show", "--from", "9", "--to", "now") == log("show", "--from", "9")
    assert log("show", "--from", "now") == ""


@pytest.mark.parametrize("command", ["at", "diff", "diff 3", "why", "show"])
def test_help_has_a_short_name_in_every_command(log: Log, command: str) -> None:
    """`-h` is help, also where `-2h` is a moment."""
    words = command.split()
    assert log(*words, "-h") == log(words[0], "--help")


@pytest.mark.parametrize("end", ["9", "now", "-9000d", "2026-01-01"])
def test_following_ends_where_it_is_told_to(log: Log, end: str) -> None:
    """With `--to` a place that the log has reached, `--follow` prints what is there, and ends."""
    assert log("show", "--follow", "--to", end) == log("show", "--to", end)


def test_following_to_a_moment_waits_for_it(log: Log) -> None:
    """A moment to come ends it when it has come."""
    soon_ns = time.time_ns() + 300_000_000
    said = log("show", "--follow", "--from", "14", "--to", iso_time(soon_ns))
    assert time.time_ns() > soon_ns
    assert said == log("show", "--from", "14", "--to", iso_time(soon_ns))


def test_a_difference_says_who_came_went_and_flapped(log: Log) -> None:
    """Between two moments: nodes, states, addresses and tokens that are not as they were."""
    (found,) = log("diff", "6", "12", "--output", "json")
    assert (found["came"], found["went"]) == ([BETA], [])
    assert found["flapped"] == {ALPHA: 1}
    (found,) = log("diff", "0", str(EVENTS), "--output", "json")
    assert (found["came"], found["passed_through"]) == ([BETA], [ALPHA])
    assert found["tokens_came"] == [TOKEN]
    assert f"node node-{ALPHA[:8]} ({ALPHA}) was registered and un" in log("diff", "0")
    text = log("diff", "7", "13")
    assert f"({BETA}) expires" in text
    assert log("diff", "4", "4").endswith("nothing changed\n")


def test_events_name_their_nodes(log: Log) -> None:
    """Each that is about a node which had a name before, wherever the reading begins."""
    named = re.compile(f" node=node-{ALPHA[:8]} node_id={ALPHA} ")
    about = [event["seq"] for event in log("show", "--node", ALPHA, "--output", "json")]
    for after in (0, about[0], about[2]):
        lines = log("show", "--after", str(after)).splitlines()
        found = [int(line.split()[0]) for line in lines if named.search(line)]
        assert found == [seq for seq in about[1:] if seq > after]
    assert log("why", ALPHA).startswith(f"node node-{ALPHA[:8]} {ALPHA}\n")


def test_info_counts_what_is_there(log: Log, events: list[dict[str, Any]], data_dir: Path) -> None:
    """Text and JSON agree with the events."""
    (found,) = log("info", "--output", "json")
    assert (found["events"], found["first_seq"], found["last_seq"]) == (EVENTS, 1, EVENTS)
    assert sum(found["counts"].values()) == len(events)
    assert found["head"] == LogReader(data_dir / "log").head.hex()
    assert found["snapshots"] == [EVENTS]
    assert found["last_time"] == events[-1]["time"]
    assert found["head"] in log("info")
