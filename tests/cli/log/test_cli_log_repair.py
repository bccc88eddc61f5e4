"""`log repair` as an operator uses it: it says everything first, and what it did is in the log."""

import fcntl
import os
import pty
import shlex
import subprocess
import zipfile
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.domain.codec.records import Recorded, events_of
from nc.domain.events import LogRepaired
from tests.support.programs import BIN, run_here
from tests.support.repaired_log import contents, history, log, log_json, state_at_start
from tests.support.written_log import ALPHA, BETA, EVENTS, TOKEN


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
