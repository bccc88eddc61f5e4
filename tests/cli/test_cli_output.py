"""Where the output goes may be closed, full, or of another alphabet: nobody sees a traceback."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import pytest

from tests.support.forked_program import ForkedProgram
from tests.support.programs import ALONE, BIN, PATIENCE_S
from tests.support.written_log import ALPHA, write_story

COMMANDS = ("show", "show --output json", "info", "at 3", f"why {ALPHA}", "export --format jsonl")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a story of 15 events."""
    path = tmp_path_factory.mktemp("story") / "data"
    write_story(path)
    return path


def log_into(stdout: IO[bytes], data_dir: Path, command: str) -> tuple[int, str]:
    """Run `log …` with this as its standard output: exit code, and stderr."""
    words = [str(BIN / "network-controller"), "log", *command.split(), "--data-dir", str(data_dir)]
    with tempfile.TemporaryFile() as stderr:
        program = ForkedProgram(words, stdout=stdout, stderr=stderr, environment=ALONE)
        code = program.wait(PATIENCE_S)
        stderr.seek(0)
        return code, stderr.read().decode()


def installed_log_into(
    stdout: int | None, data_dir: Path, command: str, **env: str
) -> tuple[int, str]:
    """As a shell runs it; None: the standard output is closed."""
    words = [str(BIN / "network-controller"), "log", *command.split(), "--data-dir", str(data_dir)]
    shell = ["sh", "-c", 'exec "$@" >&-', "sh"] if stdout is None else []
    done = subprocess.run(
        [*shell, *words],
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        env=ALONE | env,
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_gone_is_no_failure(data_dir: Path, command: str) -> None:
    """`log … | head` exits with 0 and says nothing, however the command prints."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        assert log_into(output, data_dir, command) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_behind_the_output_is_one_line(data_dir: Path, command: str) -> None:
    """What cannot be printed is a failure that says why, in one line."""
    with Path("/dev/full").open("wb") as full:
        code, said = log_into(full, data_dir, command)
    text = "the output cannot be written: No space left on device"
    if "--output json" in command:
        assert (code, json.loads(said)["error"]) == (1, text)
    else:
        assert (code, said) == (1, f"network-controller: {text}\n")


@pytest.mark.parametrize("command", ["show", "info", "export --format jsonl"])
def test_a_closed_output_loses_nothing_silently(data_dir: Path, command: str) -> None:
    """What a command would print to a closed standard output is a failure, in one line."""
    expected = "network-controller: the output cannot be written: Bad file descriptor\n"
    assert installed_log_into(None, data_dir, command) == (1, expected)


def test_an_output_without_a_character_gets_another(data_dir: Path, tmp_path: Path) -> None:
    """Names of any alphabet are printed on any terminal; a page is UTF-8 wherever it goes."""
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    with (tmp_path / "out").open("w+b") as out:
        done = installed_log_into(out.fileno(), data_dir, "export --format html", **ascii_only)
        assert done == (0, "")
        out.seek(0)
        assert "→" in out.read().decode("utf-8")
