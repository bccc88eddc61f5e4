"""What `ncadm` tells of the past and of a server's state."""

import json
import re
from pathlib import Path

import pytest

from tests.support.ncadm_machine import Json, Machine
from tests.support.programs import Run, run_here
from tests.support.server_process import ServerProcess


def test_the_events_are_those_of_the_log(ncadm: Run, server: ServerProcess) -> None:
    """The newest ones, or all from one on; each as `network-controller log show` prints it."""
    for _ in range(3):
        ncadm("tokens", "issue")
    shown = run_here(
        "network-controller", "log", "show", "--data-dir", str(server.data_dir), "--output", "json"
    ).stdout.splitlines()
    expected = [json.loads(line) for line in shown]
    got = [
        json.loads(line)
        for line in ncadm("-o", "json", "events", "--from", "1").stdout.splitlines()
    ]
    assert [{key: event[key] for key in expected[n]} for n, event in enumerate(got)] == expected
    last = ncadm("-o", "json", "events", "--last", "2").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in last] == [expected[-2]["seq"], expected[-1]["seq"]]
    newest = ncadm("-o", "json", "events", "--from", "2", "--last", "1").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in newest] == [expected[-1]["seq"]]
    of_kind = ncadm("events", "--type", "tokenissued", "--from", "1").stdout.splitlines()
    assert of_kind
    assert all("TokenIssued" in line for line in of_kind)


@pytest.mark.parametrize("chosen", [("--actor", "nobody"), ("--from", "now")])
def test_that_no_event_is_chosen_is_said(ncadm: Run, chosen: tuple[str, ...]) -> None:
    """To people, beside the output; a program gets no lines."""
    done = ncadm("events", *chosen)
    assert (done.stdout, done.stderr) == ("", "there are no such events\n")
    done = ncadm("-o", "json", "events", *chosen)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_past_is_explained(ncadm: Run, told: Json, machine: Machine) -> None:
    """`at`, `diff` and `why` tell of one rename the same."""
    before = last_seq(told)
    ncadm("nodes", "rename", machine.id, "renamed")
    names = {node["id"]: node["name"] for node in told("at", str(before))["nodes"]}
    assert names[machine.id] != "renamed"
    changes = told("diff", str(before), "now")["differences"]
    assert [c["after"] for c in changes if (c["id"], c["field"]) == (machine.id, "name")] == [
        "renamed"
    ]
    assert told("why", "renamed", "--at", str(last_seq(told)))["name"] == "renamed"
    said = ncadm("nodes", "unregister", "renamed", "--yes").stdout
    assert said == f"unregistered: renamed {machine.id}\n"
    assert "the node is not registered" in ncadm("why", "renamed").stdout.splitlines()[-1]
    gone = told("why", "renamed")  # it is meant by the name that it had
    assert gone["name"] == "renamed"
    last = ncadm("events", "--node", "renamed").stdout.splitlines()[-1]
    assert f" node_id={machine.id} " in last
    assert [event["type"] for event in gone["events"]][-2:] == ["NodeUpdated", "Unregistered"]
    assert told("why", machine.id, "--at", str(before))["seq"] == before


def test_every_time_has_its_zone(
    ncadm: Run, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UTC follows a moment on a line of its own, and is in the title of a column of them."""
    ncadm("nodes", "set-expiry", machine.id, "2099-01-01T00:00")
    for command in (
        ("tokens", "issue", "--lifetime", "1h"),
        ("nodes", "show", machine.id),
        ("status",),
        ("at",),
        ("admins", "issue", "--name", "zoe", "--out", str(tmp_path / "zoe")),
    ):
        first = ncadm(*command).stdout.partition("\nnodes:")[0]
        times = re.findall(r"\d\d:\d\d:\d\d(?:Z| UTC)?", first)
        assert times, command
        assert all(time.endswith(("Z", " UTC")) for time in times), first
    monkeypatch.setattr("nc.cli.ncadm.render.terminal_width", lambda: None)  # every column
    for listing in ("nodes", "tokens", "admins"):
        titles, *lines = ncadm(listing, "list").stdout.splitlines()
        columns = {at.start() for line in lines for at in re.finditer(r"\d{4}-\d\d-\d\d ", line)}
        assert columns <= {at.start() for at in re.finditer(r"\S+( \S+)* \(UTC\)", titles)}
    ncadm("admins", "revoke", "zoe", "--yes")


def test_the_past_has_no_beginning(ncadm: Run, told: Json, server: ServerProcess) -> None:
    """Before the log, and before the time that computers count from, there was nothing."""
    words = ("log", "at", "1960-01-01", "--data-dir", str(server.data_dir), "--output", "json")
    there = json.loads(run_here("network-controller", *words).stdout)
    assert there["nodes"] == told("at", "1960-01-01")["nodes"] == []
    assert told("diff", "1960-01-01", "1961-01-01")["to_seq"] == 0
    assert ncadm("events", "--from", "1960-01-01").stdout
    assert not ncadm("events", "--to", "1960-01-01").stdout
    assert ncadm("at", "1960-01-01").stdout.startswith("before the first event")


def last_seq(told: Json) -> int:
    """The newest event of the server's log."""
    return int(told("status")["log"]["last_seq"])


def test_the_status_says_what_is_degraded(ncadm: Run, told: Json) -> None:
    """A healthy server has its log, its certificates, and nothing degraded."""
    status = told("status")
    assert status["log"]["writable"]
    assert {each["authority"] for each in status["certificates"]} == {"grpc", "network"}
    assert "degraded" in ncadm("status").stdout
    assert status["advertised_names"] == [status["advertised"]]
    assert told("links")["links"] == []
