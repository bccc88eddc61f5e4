import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import eventlog
from eventlog import LogReader
from nc.cli.log.app import LogCommands
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA
from nc.domain.events import Event, StateChanged, Unregistered, pb
from nc.domain.state import State
from nc.history.events import events_of
from nc.history.state_fields import state_fields
from nc.text import iso_time
from tests.support.programs import Run, run_here
from tests.support.written_log import (
    ALPHA,
    ALPHA_TOKEN,
    BETA,
    BOOTSTRAP_TOKEN,
    EVENTS,
    TOKEN,
    append_unchecked,
    fold,
    leave_snapshot,
    write_story,
)

Log = Callable[..., Any]

NOBODY = 65534  # a user without rights


@pytest.fixture(scope="module")
def run() -> Run:
    """Runs `network-controller`, without a process of its own."""
    return run_here


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a story of 15 events, in several segments, and a snapshot."""
    path = tmp_path_factory.mktemp("story") / "data"
    write_story(path)
    return path


@pytest.fixture
def copy(data_dir: Path, tmp_path: Path) -> Path:
    """A copy of the log's folder alone."""
    return Path(shutil.copytree(data_dir / "log", tmp_path / "copy"))


@pytest.fixture
def log(run: Run, data_dir: Path) -> Log:
    """Runs `log …` on the story; JSON lines become what they say."""

    def run_log(*arguments: str) -> Any:
        done = run("network-controller", "log", *arguments, "--data-dir", str(data_dir))
        assert (done.returncode, done.stderr) == (0, "")
        if "json" in arguments:
            return [json.loads(line) for line in done.stdout.splitlines()]
        return done.stdout

    return run_log


@pytest.fixture(scope="module")
def events(run: Run, data_dir: Path) -> list[dict[str, Any]]:
    """All events as `log show` prints them."""
    done = run("network-controller", "log", "show", "--data-dir", str(data_dir), "--output=json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def verify(run: Run, folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code, and what was said: one line if something is wrong."""
    done = run("network-controller", "log", "verify", "--log", str(folder), *arguments)
    if done.returncode:
        assert done.stderr.count("\n") == 1
    return done.returncode, done.stdout + done.stderr


def test_a_log_as_written_is_verified(run: Run, data_dir: Path) -> None:
    """The range, the head and the counts are printed, and nothing is changed."""
    folder = data_dir / "log"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, said = verify(run, folder)
    assert code == 0
    segments = len(list(folder.glob("*.seg")))
    assert segments > 1
    assert f"verified {EVENTS} events in {segments} segments\n" in said
    assert f"head: {LogReader(folder).head.hex()}\n" in said
    assert "snapshots: 1 with the state of a replay" in said
    code, said = verify(run, folder, "--output", "json", "--seq", "0", "--head", "0" * 64)
    found = json.loads(said)
    assert (code, found["events"], found["head"]) == (0, EVENTS, LogReader(folder).head.hex())
    assert (found["segments"], found["snapshots"], found["contains_seq"]) == (segments, 1, 0)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_flipped_bit_is_exit_code_3(run: Run, copy: Path) -> None:
    """Damage to a record or to a snapshot is named with its file."""
    (snapshot,) = copy.glob("*.snapshot")
    data = snapshot.read_bytes()
    snapshot.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    code, said = verify(run, copy)
    assert (code, snapshot.name in said) == (3, True)
    segment = min(copy.glob("*.seg"))
    data = segment.read_bytes()
    segment.write_bytes(data[:190] + bytes([data[190] ^ 1]) + data[191:])
    code, said = verify(run, copy)
    assert (code, segment.name in said) == (3, True)


def changed(node_id: str, source: pb.ConnectionState, destination: pb.ConnectionState) -> Event:
    return Event(
        state_changed=StateChanged(
            node_id=node_id, from_state=source, to_state=destination, link_id="x"
        )
    )


def digested(seq: int) -> Event:
    """A digest of what an event led to."""
    return Event(digest_recorded=pb.DigestRecorded(seq=seq, digest="00"))


FORGERIES = {
    "a move that the machine has not": (
        [changed(BETA, pb.CONNECTION_STATE_IDLE, pb.CONNECTION_STATE_CONNECTED)],
        None,
        "from IDLE to CONNECTED",
    ),
    "a move from where the node was not": (
        [changed(BETA, pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_CONNECTED)],
        None,
        "leaves INIT",
    ),
    "a node that is gone": (
        [changed(ALPHA, pb.CONNECTION_STATE_IDLE, pb.CONNECTION_STATE_INIT)],
        None,
        "not registered",
    ),
    "unregistered twice": (
        [Event(unregistered=Unregistered(node_id=ALPHA))],
        None,
        "unregistered while not registered",
    ),
    "an address of somebody else": (
        [Event(address_released=pb.AddressReleased(node_id=BETA, address="10.1.1.5"))],
        None,
        "no node to hold it",
    ),
    "a digest of an event to come": ([digested(EVENTS + 1)], None, "a digest of event 16"),
    "a digest of a time before the last": (
        [digested(9), digested(9)],
        None,
        "after 9 and before 17",
    ),
    "more events than it says": (
        [Event(unregistered=Unregistered(node_id=BETA))],
        2,
        "1 events in its record",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_history_that_cannot_have_happened_is_refused(run: Run, copy: Path, name: str) -> None:
    """Right checksums do not make an illegal event right: exit code 3, and the event is named."""
    events, count, words = FORGERIES[name]
    append_unchecked(copy, events, count)
    code, said = verify(run, copy)
    assert code == 3
    assert f"event {EVENTS + len(events)}: " in said
    assert words in said


def test_a_snapshot_that_a_replay_does_not_lead_to_is_refused(run: Run, copy: Path) -> None:
    """A snapshot whose bytes check out and whose state is another one is found."""
    log = eventlog.open(copy)
    leave_snapshot(log, State(seq=EVENTS))
    log.close()
    code, said = verify(run, copy)
    assert (code, "a snapshot of state" in said) == (3, True)


def test_a_snapshot_of_another_schema_is_not_compared(run: Run, copy: Path) -> None:
    """One that another version of this program wrote says nothing against the log, and is named."""
    log = eventlog.open(copy)
    writer = log.snapshots.begin(log.write_sync_marker(), SNAPSHOT_SCHEMA + 1)
    writer.write(b"the future")
    writer.finish()
    log.close()
    code, said = verify(run, copy)
    assert (code, f"verified {EVENTS} events" in said) == (0, True)
    assert "snapshots: 0 with the state of a replay, 1 of another version not compared" in said


def test_a_kept_head_proves_that_the_past_is_unchanged(run: Run, copy: Path) -> None:
    """The head of a log stays provable as it grows; another hash, place or a shorter log is not."""
    head = LogReader(copy).head.hex()
    append_unchecked(copy, [Event(unregistered=Unregistered(node_id=BETA))])
    code, said = verify(run, copy, "--head", head, "--seq", str(EVENTS))
    assert (code, "unchanged" in said) == (0, True)
    for other, seq in ((head, EVENTS + 1), ("0" * 64, EVENTS), (head, EVENTS + 9)):
        assert verify(run, copy, "--head", other, "--seq", str(seq))[0] == 3
    assert verify(run, copy, "--head", head)[0] == 2
    assert verify(run, copy, "--head", "abc", "--seq", "1")[0] == 2


FILTERS: list[tuple[list[str], Callable[[dict[str, Any]], bool]]] = [
    (["--node", ALPHA], lambda e: e.get("node_id") == ALPHA),
    (["--node", ALPHA[:20]], lambda e: e.get("node_id") == ALPHA),
    (["--node", ALPHA_TOKEN], lambda e: e.get("node_id") == ALPHA),
    (["--node", f"node-{ALPHA[:8]}"], lambda e: e.get("node_id") == ALPHA),
    (["--node", "10.1.1.3"], lambda e: e.get("node_id") == ALPHA),
    (["--address", "10.1.1.3"], lambda e: e.get("address") == "10.1.1.3"),
    (["--actor", "system"], lambda e: e["actor"] == "system"),
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


@pytest.mark.parametrize("name", [ALPHA, ALPHA[:9], ALPHA_TOKEN])
def test_why_tells_an_unregistered_nodes_whole_story(log: Log, name: str) -> None:
    """From the issue of its bootstrap token to its end, the crash between, and who did it."""
    text = log("why", name)
    told = [
        f"bootstrap token {TOKEN} was issued, good for ever; by certificate:admin:75b7",
        "the node was registered with",
        "the node became INIT",
        "the node was given 10.1.1.3",
        "the node became CONNECTED",
        "its link was lost when the server started again after a crash",
        "the node became INIT",
        "the node became CONNECTED",
        "the node became IDLE: it was unregistered; by certificate:admin:75b7",
        "the node gave up 10.1.1.3",
        "the node was unregistered, for good; by certificate:admin:75b7 (UnRegister, request",
        "the node is not registered",
    ]
    place = 0
    for words in told:
        place = text.index(words, place) + 1
    assert ALPHA_TOKEN not in text


def test_why_tells_of_addresses_and_bootstrap_tokens(log: Log) -> None:
    """An address names its holders, a bootstrap token the nodes that came with it."""
    text = log("why", "10.1.1.3")
    assert f"({ALPHA}) was given 10.1.1.3" in text
    assert "10.1.1.3 is free" in text
    text = log("why", BOOTSTRAP_TOKEN)
    for node_id in (ALPHA, BETA):
        assert f"({node_id}) was registered with the bootstrap token" in text
    assert "1 node that came with it is registered" in text


@pytest.mark.parametrize("name", ["reserverd", "10.1.1.1"])
def test_why_knows_the_servers_own_node(log: Log, name: str) -> None:
    """By its token, which is no secret, or by its address: it is there without any event."""
    now = "reserverd is the server's own node: always CONNECTED, with 10.1.1.1"
    assert log("why", name).endswith(f"    now  {now}\n")
    (found,) = log("why", name, "--output", "json")
    assert (found["id"], found["events"], found["now"]) == (name, [], now)


def test_info_counts_what_is_there(log: Log, events: list[dict[str, Any]], data_dir: Path) -> None:
    """Text and JSON agree with the events."""
    (found,) = log("info", "--output", "json")
    assert (found["events"], found["first_seq"], found["last_seq"]) == (EVENTS, 1, EVENTS)
    assert sum(found["counts"].values()) == len(events)
    assert found["head"] == LogReader(data_dir / "log").head.hex()
    assert found["snapshots"] == [EVENTS]
    assert found["last_time"] == events[-1]["time"]
    assert found["head"] in log("info")


def test_mistakes_are_one_line(run: Run, data_dir: Path, copy: Path) -> None:
    """What is not in the log, or is no moment or kind, is said in one line, without the token."""
    token = "c" * 16
    for arguments, code, words in (
        (["why", token, "--data-dir", str(data_dir)], 1, "no node, bootstrap token or invitation"),
        (["why", ALPHA_TOKEN, "--log", str(copy)], 1, "secret.key is missing"),
        (["why", "10.1.1.999", "--log", str(copy)], 2, "no IPv4 address"),
        (["show", "--log", str(copy / "lost.zip")], 1, "lost.zip is not there"),
        (["at", "17", "--log", str(copy)], 1, "ends at event 15"),
        (["at", "yesterday", "--log", str(copy)], 2, "no moment"),
        (["at", "9999-12-31T23:59:59-23:00", "--log", str(copy)], 2, "no moment"),
        (["show", "--from", "abc", "--log", str(copy)], 2, "--from 'abc' is no moment"),
        (["show", "--to", "abc", "--log", str(copy)], 2, "--to 'abc' is no moment"),
        (["diff", "9", "3", "--log", str(copy)], 2, "exchange them"),
        (["show", "--from", "9", "--to", "3", "--log", str(copy)], 2, "exchange them"),
        (["show", "--from", "-1h", "--to", "-2h", "--log", str(copy)], 2, "exchange them"),
        (["show", "--address", "10.1.1", "--log", str(copy)], 2, "no IPv4 address"),
        (["show", "--type", "Nonsense", "--log", str(copy)], 2, "use ReplicaStarted"),
    ):
        done = run("network-controller", "log", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
        assert words in done.stderr
        assert token not in done.stderr
        assert ALPHA_TOKEN not in done.stderr


@pytest.fixture
def closed(data_dir: Path) -> Iterator[Path]:
    """A data folder that this process sees, and may not look into; root is somebody else then."""
    with tempfile.TemporaryDirectory() as home:
        for _, place in LogCommands.table.values():
            import_module(place.partition(":")[0])  # the interpreter's folders may be closed, too
        Path(home).chmod(0o711)  # pytest's own folders are hidden from others
        folder = Path(shutil.copytree(data_dir, Path(home) / "closed"))
        folder.chmod(0)
        users = os.getresuid()
        os.setresuid(users[0] or NOBODY, users[1] or NOBODY, users[2])
        yield folder
        os.setresuid(*users)
        folder.chmod(0o700)


def test_a_folder_that_one_may_not_look_into_is_not_missing(run: Run, closed: Path) -> None:
    """However it is named, and whatever is asked: it cannot be read, and exit code 1 says so."""
    for place in (["--data-dir", str(closed)], ["--log", str(closed / "log")]):
        for command in ("info", "show", "verify", "repair", "at"):
            done = run("network-controller", "log", command, *place)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert "cannot be read: Permission denied" in done.stderr


def test_a_folder_that_is_not_there_is_said_to_be(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named by an option or by the environment: what is not there, and how another is named."""
    gone = tmp_path / "gone"
    monkeypatch.setenv("NC_DATA_DIR", str(gone))
    for command in ("info", "verify", "repair", "at"):
        for place in ([], ["--data-dir", str(gone)]):
            done = run("network-controller", "log", command, *place)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"{gone} is not there: name the data folder with --data-dir or NC_DATA_DIR" in (
                done.stderr
            )


def test_a_key_that_is_not_whole_is_not_taken_for_an_unknown_token(
    run: Run, data_dir: Path, tmp_path: Path
) -> None:
    """Without a key that can be used, a token is unrecognised, not unknown."""
    damaged = shutil.copytree(data_dir, tmp_path / "damaged")
    (damaged / "secret.key").write_bytes(b"short")
    done = run("network-controller", "log", "why", ALPHA_TOKEN, "--data-dir", str(damaged))
    assert (done.returncode, done.stdout) == (1, "")
    assert "secret.key is missing or cannot be read" in done.stderr
    assert ALPHA_TOKEN not in done.stderr
