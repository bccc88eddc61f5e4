"""`log repair` as an operator uses it: it says everything first, and what it did is in the log."""

import fcntl
import json
import os
import pty
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import eventlog
from eventlog import LogReader
from nc.domain.events import LogRepaired
from nc.domain.state import State
from nc.history import Recorded, events_of
from nc.replay import replay
from nc.replica import in_thread
from nc.snapshotting import Snapshots
from tests.support.programs import BIN, run_here
from tests.support.written_log import ALPHA, BETA, EVENTS, TOKEN, write_story

DAMAGED_AT = 900  # in event 5, the first segment's fifth


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a log of 15 events in two segments, and a snapshot."""
    path = tmp_path_factory.mktemp("story") / "data"
    write_story(path)
    return path


@pytest.fixture
def served(story: Path, tmp_path: Path) -> Path:
    """A copy, damaged before the snapshot's segment; its log's folder."""
    folder = Path(shutil.copytree(story, tmp_path / "data")) / "log"
    segment = min(folder.glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[DAMAGED_AT] ^= 1
    segment.write_bytes(data)
    return folder


@pytest.fixture
def damaged(served: Path) -> Path:
    """As above, and without the snapshot."""
    for snapshot in served.glob("*.snapshot"):
        snapshot.unlink()
    return served


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but the lock."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "lock"}


def log(command: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of `log …`, and what was said; errors are one line."""
    done = run_here("network-controller", "log", command, "--log", str(folder), *arguments)
    assert done.stderr.count("\n") <= 1
    return done.returncode, done.stdout + done.stderr


def log_json(folder: Path, *arguments: str) -> tuple[int, Any]:
    """As above, of `log repair --output json`."""
    code, said = log("repair", folder, "--output", "json", *arguments)
    return code, json.loads(said)


def history(folder: Path) -> list[Recorded]:
    """All events of a log."""
    return [each for record in LogReader(folder).read() for each in events_of(record)]


def state_at_start(folder: Path) -> State:
    """What a server starts with."""
    with closing(eventlog.open(folder)) as log:
        return replay(log, Snapshots(log.snapshots, in_thread).load())


def test_the_dry_run_says_everything_and_changes_nothing(damaged: Path) -> None:
    """What was found, what would be cut, what is lost and whom it was about; exit code 3."""
    before = contents(damaged)
    code, said = log("repair", damaged)
    assert code == 3
    first, second = sorted(before)
    for words in (
        f"damage      {first}, offset 888: header crc",
        "stays       events up to 4",
        "lost        events 5 to 15",
        f"cut {first} at offset 888",
        f"remove {second}",
        "who was registered in them has to join again, and who was unregistered in them is let in",
        "of these 9 can be read, unverified",
        f"node {ALPHA}: 4 StateChanged, 1 AddressReleased, 1 Unregistered",
        f"node {BETA}: 1 NodeRegistered, 1 ExpiryChanged",
        f"bootstrap token {TOKEN}: 1 NodeRegistered",
        "nothing was changed",
    ):
        assert words in said
    code, found = log_json(damaged)
    assert code == 3
    assert (found["finding"], found["lost"], found["last_seq"]) == ("repairable", [5, EVENTS], 4)
    assert found["unverified"]["nodes"][BETA] == "1 NodeRegistered, 1 ExpiryChanged"
    assert contents(damaged) == before


def test_a_repair_is_an_event_of_the_log_itself(damaged: Path) -> None:
    """The events before the damage stay; the next one says what was lost, and where the rest is."""
    before = contents(damaged)
    kept_events: list[Recorded] = []
    reader = LogReader(damaged).read()
    while len(kept_events) < 4:
        kept_events += list(events_of(next(reader)))
    code, done = log_json(damaged, "--apply")
    assert (code, done["seq"]) == (0, 5)
    *events, (seq, entry, event) = history(damaged)
    assert events == kept_events
    assert (entry.actor, entry.method, len(entry.request_id)) == ("system", "log repair", 20)
    damage = done["damage"]
    assert (seq, event.log_repaired) == (
        5,
        LogRepaired(
            lost_through_seq=EVENTS,
            damage=f"{damage['file']}, offset 888: "
            f"{damage['found']}, expected {damage['expected']}",
            kept_in=done["kept_in"],
        ),
    )
    assert contents(damaged / done["kept_in"]) == before
    code, said = log("verify", damaged)
    assert (code, "verified 5 events" in said) == (0, True)
    after = contents(damaged)
    for arguments in ([], ["--apply"]):
        code, said = log("repair", damaged, *arguments)
        assert (code, "nothing to repair" in said) == (0, True)
    assert contents(damaged) == after
    assert state_at_start(damaged).seq == 5


def test_a_story_says_what_may_be_missing(damaged: Path) -> None:
    """Who lived when the log was repaired has it in the story; who came later has not."""
    log("repair", damaged, "--apply")
    for name in (ALPHA, TOKEN):
        _, said = log("why", damaged, name)
        assert "events 5 to 15 were lost in a repair: some may be missing here; by system" in said


def test_what_a_snapshot_holds_needs_no_repair(served: Path) -> None:
    """Damage before the snapshot: nothing is cut, a start works, and reading goes on behind it."""
    before = contents(served)
    for arguments, exit_code in (([], 3), (["--apply"], 0)):
        code, said = log("repair", served, *arguments)
        assert code == exit_code
        assert "no repair is needed to serve" in said
        assert "events 5 to 11, at least in part; `log show --from 12` reads on behind" in said
    assert contents(served) == before
    assert log("show", served, "--output", "json")[0] == 3
    assert "log repair" in log("show", served)[1]
    code, said = log("show", served, "--from", "12", "--output", "json")
    assert code == 0
    assert [json.loads(line)["seq"] for line in said.splitlines()] == [*range(12, EVENTS + 1)]


def test_going_on_from_a_snapshot_loses_no_state(served: Path) -> None:
    """The snapshot's own segment is lost: the log goes on from the snapshot, and says so."""
    expected = state_at_start(served)
    max(served.glob("*.seg")).unlink()
    code, said = log("repair", served)
    assert (code, "lost        no event that is known of" in said) == (3, True)
    code, done = log_json(served, "--apply")
    assert (code, done["seq"]) == (0, EVENTS + 1)
    state = state_at_start(served)
    assert (state.nodes, state.tokens, state.addresses) == (
        expected.nodes,
        expected.tokens,
        expected.addresses,
    )
    code, said = log("show", served, "--from", str(done["unreadable"][1] + 1))
    assert (code, "LogRepaired" in said) == (0, True)


def test_a_running_server_is_left_alone(damaged: Path) -> None:
    """While another process holds the log, --apply fails and names it."""
    before = contents(damaged)
    with (damaged / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = log("repair", damaged, "--apply")
    assert (code, "stop that process" in said) == (1, True)
    assert contents(damaged) == before


def test_what_people_have_to_do_is_said(damaged: Path, story: Path, tmp_path: Path) -> None:
    """A renamed file, or a log of which nothing is left, is not touched: exit code 1."""
    first, second = sorted(damaged.glob("*.seg"))
    first.unlink()
    code, said = log("repair", damaged)
    assert (code, "put the first segment back from a copy" in said) == (3, True)
    assert log("repair", damaged, "--apply")[0] == 1
    folder = Path(shutil.copytree(story / "log", tmp_path / "renamed"))
    (folder / second.name).rename(folder / f"{13:020d}.seg")
    code, said = log("repair", folder)
    assert (code, f"rename {13:020d}.seg to {second.name}; then" in said) == (3, True)
    assert log("repair", folder, "--apply")[0] == 1
    (folder / second.name).write_bytes(b"something else")
    assert "moving what has these names now elsewhere first" in log("repair", folder)[1]
    (folder / f"{13:020d}.seg").rename(folder / second.name)
    assert log("repair", folder)[0] == 0


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 130), (b"y\n", 0)])
def test_a_terminal_is_asked_first(damaged: Path, answer: bytes, code: int) -> None:
    """Only a yes lets it happen."""
    before = contents(damaged)
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    command = [BIN / "network-controller", "log", "repair", "--apply", "--log", damaged]
    done = subprocess.run(
        [*map(str, command)], check=False, stdin=theirs, capture_output=True, timeout=120
    )
    for end in (ours, theirs):
        os.close(end)
    assert (done.returncode, b"do this?" in done.stderr) == (code, True)
    assert (contents(damaged) == before) is (code != 0)
