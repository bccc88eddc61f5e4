"""What `log verify` and `log repair` find in a log, and what is lost by a repair."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nc.domain.events import Event, TokenExpired
from tests.support.repaired_log import contents, log, log_json, state_at_start
from tests.support.written_log import ALPHA, EVENTS, TOKEN, append_unchecked


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
    data_dir: Path, tmp_path: Path, name: str
) -> None:
    """The same exit code, the same file, and what to do about it."""
    folder = Path(shutil.copytree(data_dir / "log", tmp_path / "log"))
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


def test_what_people_have_to_do_is_said(damaged: Path, data_dir: Path, tmp_path: Path) -> None:
    """A renamed file, or a log of which nothing is left, is not touched: exit code 1."""
    first, second = sorted(damaged.glob("*.seg"))
    first.unlink()
    code, said = log("repair", damaged)
    assert (code, "put the first segment back from a copy" in said) == (3, True)
    assert log("repair", damaged, "--apply")[0] == 1
    folder = Path(shutil.copytree(data_dir / "log", tmp_path / "renamed"))
    (folder / second.name).rename(folder / f"{13:020d}.seg")
    code, said = log("repair", folder)
    assert (code, f"rename {13:020d}.seg to {second.name}; then" in said) == (3, True)
    assert log("repair", folder, "--apply")[0] == 1
    (folder / second.name).write_bytes(b"something else")
    assert "moving what has these names now elsewhere first" in log("repair", folder)[1]
    (folder / f"{13:020d}.seg").rename(folder / second.name)
    assert log("repair", folder)[0] == 0
