"""`log repair` as an operator uses it: it says everything first, and what it did is in the log."""

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import eventlog
from eventlog import LogReader
from nc.domain.events import Event, LogRepaired, TokenExpired
from nc.domain.state import State
from nc.history.events import Recorded, events_of
from nc.replica.appends import in_thread
from nc.replica.replay import replay
from nc.replica.snapshots import Snapshots
from tests.support.programs import BIN, run_here
from tests.support.written_log import ALPHA, BETA, EVENTS, TOKEN, append_unchecked, write_story

DAMAGED_AT = 916  # in event 5, the first segment's fifth


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
    return [each for record in LogReader(folder).read() for each in events_of(record)]


def state_at_start(folder: Path) -> State:
    with closing(eventlog.open(folder)) as log:
        return replay(log, Snapshots(log.snapshots, in_thread).load())


def test_the_dry_run_says_everything_and_changes_nothing(damaged: Path) -> None:
    """What was found, what would be cut, what is lost and whom it was about; exit code 3."""
    before = contents(damaged)
    code, said = log("repair", damaged)
    assert code == 3
    first, second = sorted(before)
    for words in (
        f"damage      {first}, offset 904: header crc",
        "stays       events up to 4",
        "lost        events 5 to 15",
        f"cut {first} at offset 904",
        f"remove {second}",
        "nodes that were registered in them must join again, and nodes that were unregistered",
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
    assert found["unverified"]["nodes"][BETA] == {"NodeRegistered": 1, "ExpiryChanged": 1}
    assert found["unverified"]["tokens"] == {TOKEN: {"NodeRegistered": 1}}
    assert contents(damaged) == before


def test_what_to_do_is_a_line_to_paste(damaged: Path, tmp_path: Path) -> None:
    """The commands in messages name the log that they are about, wherever a shell finds them."""
    folder = damaged.rename(tmp_path / "the log")
    _, said = log("show", folder)
    look = shlex.split(said.partition('run "')[2].partition('", which')[0])
    looked = run_here(*look)
    assert (looked.returncode, f"log         {folder}\n" in looked.stdout) == (3, True)
    apply = shlex.split(looked.stdout.partition("to do this: ")[2])
    assert run_here(*apply).returncode == 0
    assert run_here(*look).returncode == 0


def test_a_file_is_not_repaired_and_nobody_is_told_to(damaged: Path, tmp_path: Path) -> None:
    """Damage inside of an export: what it was unpacked into is gone when one reads the advice."""
    out = tmp_path / "log.zip"
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(min(damaged.glob("*.seg")), f"{1:020d}.seg")
    code, said = log("show", out)
    assert (code, "offset 904: header crc" in said, "export it again" in said) == (3, True, True)
    assert "log repair" not in said


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
            damage=f"{damage['file']}, offset 904: "
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
    for command in (
        *("show", "show --from -9000d", "info", "verify", "replay --check", "diff 3 now"),
        *("at 7", f"why {ALPHA}", "export --format jsonl", "export --format html"),
    ):
        name, *arguments = command.split()
        code, said = log(name, served, *arguments)
        assert (code, "events 5 to 11 cannot be read, at least in part, and a" in said) == (3, True)
        assert "`log show --from 12` reads on behind" in said
    assert "after event 15" in log("at", served)[1]
    code, said = log("export", served, "--format", "jsonl", "--from", "13")
    assert (code, said.count("\n")) == (0, 3)
    code, said = log("show", served, "--to", "4")
    assert (code, said.count("\n")) == (0, 4)
    code, said = log("show", served, "--from", "12", "--output", "json")
    assert code == 0
    assert [json.loads(line)["seq"] for line in said.splitlines()] == [*range(12, EVENTS + 1)]


def _without(pattern: str) -> Callable[[Path], object]:
    def remove(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.unlink()

    return remove


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no segment": (_without("*.seg"), 'run "network-controller log repair'),
    "no newest segment": (_without("*12.seg"), "00015.snapshot says it was durable; run"),
    "a newest segment cut": (
        lambda folder: os.truncate(folder / f"{12:020d}.seg", 300),
        "the end of the file after",
    ),
    "a segment renamed": (
        lambda folder: (folder / f"{12:020d}.seg").rename(folder / f"{13:020d}.seg"),
        f"rename {13:020d}.seg to {12:020d}.seg",
    ),
    "no first segment": (_without("*01.seg"), "begins with event 12, and no snapshot"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_verify_says_of_a_damage_what_a_repair_finds(
    story: Path, tmp_path: Path, name: str
) -> None:
    """The same exit code, the same file, and what to do about it."""
    folder = Path(shutil.copytree(story / "log", tmp_path / "log"))
    damage, words = DAMAGES[name]
    damage(folder)
    code, found = log_json(folder)
    assert (code, log("verify", folder)[0]) == (3, 3)
    said = log("verify", folder)[1]
    assert words in said
    if name != "no first segment":  # which leaves what a slice is
        assert f"{folder / found['damage']['file']}, offset {found['damage']['offset']}" in said


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


def test_what_is_behind_a_gap_is_a_log_of_its_own(served: Path, tmp_path: Path) -> None:
    """From the event after the snapshot on it can be exported, and every command reads that."""
    max(served.glob("*.seg")).unlink()
    log("repair", served, "--apply")
    append_unchecked(served, [Event(token_expired=TokenExpired(token_id=TOKEN))])
    code, said = log("info", served)
    (words,) = re.findall("`log export (.*) --out FILE` makes a file of the rest", said)
    out = tmp_path / "rest.zip"
    assert (code, log("export", served, *words.split(), "--out", str(out))[0]) == (3, 0)
    for command in (
        "verify",
        "info",
        "show",
        "replay --check",
        f"why {TOKEN}",
        "at",
        "diff 16 now",
    ):
        name, *arguments = command.split()
        assert log(name, out, *arguments)[0] == 0


def test_a_running_server_is_left_alone(damaged: Path) -> None:
    """While another process holds the log, --apply fails and names it."""
    before = contents(damaged)
    with (damaged / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = log("repair", damaged, "--apply")
    assert (code, "stop that process" in said) == (1, True)
    assert contents(damaged) == before


def test_a_repair_that_fails_says_why_in_words(damaged: Path) -> None:
    """What the disk does not let happen is named as people name it; every file stays."""
    (damaged / "lock").unlink(missing_ok=True)
    (damaged / "lock").mkdir()
    before = contents(damaged)
    code, said = log("repair", damaged, "--apply")
    why = f"log {damaged} was not repaired: Is a directory; no original is lost"
    assert (code, why in said, "Errno" in said) == (1, True, False)
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


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 3), (b"\n", 3), (b"y\n", 0)])
def test_a_terminal_is_asked_first(damaged: Path, answer: bytes, code: int) -> None:
    """Only a yes lets it happen; without one there is still damage, and nothing was changed."""
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
    assert (b"nothing was changed; to do this: " in done.stdout) is (code != 0)
