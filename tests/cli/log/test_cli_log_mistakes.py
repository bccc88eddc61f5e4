"""What an operator gets wrong when reading a log is said in one line."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from nc.cli.log.app import LogCommands
from tests.support.programs import run_here
from tests.support.written_log import ALPHA_TOKEN

NOBODY = 65534  # a user without rights


def test_mistakes_are_one_line(data_dir: Path, copy: Path) -> None:
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
        done = run_here("network-controller", "log", *arguments)
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


def test_a_folder_that_one_may_not_look_into_is_not_missing(closed: Path) -> None:
    """However it is named, and whatever is asked: it cannot be read, and exit code 1 says so."""
    for place in (["--data-dir", str(closed)], ["--log", str(closed / "log")]):
        for command in ("info", "show", "verify", "repair", "at"):
            done = run_here("network-controller", "log", command, *place)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert "cannot be read: Permission denied" in done.stderr


def test_a_folder_that_is_not_there_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named by an option or by the environment: what is not there, and how another is named."""
    gone = tmp_path / "gone"
    monkeypatch.setenv("NC_DATA_DIR", str(gone))
    for command in ("info", "verify", "repair", "at"):
        for place in ([], ["--data-dir", str(gone)]):
            done = run_here("network-controller", "log", command, *place)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"{gone} is not there: name the data folder with --data-dir or NC_DATA_DIR" in (
                done.stderr
            )


def test_a_key_that_is_not_whole_is_not_taken_for_an_unknown_token(
    data_dir: Path, tmp_path: Path
) -> None:
    """Without a key that can be used, a token is unrecognised, not unknown."""
    damaged = shutil.copytree(data_dir, tmp_path / "damaged")
    (damaged / "secret.key").write_bytes(b"short")
    done = run_here("network-controller", "log", "why", ALPHA_TOKEN, "--data-dir", str(damaged))
    assert (done.returncode, done.stdout) == (1, "")
    assert "secret.key is missing or cannot be read" in done.stderr
    assert ALPHA_TOKEN not in done.stderr
