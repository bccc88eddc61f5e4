"""A forked program is the program: what it says, how it ends, what it was given."""

import tempfile
from pathlib import Path

import pytest

from tests.support.forked_program import ForkedProgram
from tests.support.programs import BIN, run_installed

PATIENCE_S = 60.0


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("network-controller", ("serve", "--nonsense")),
        ("network-controller", ("--version",)),
        ("network-controller", ("log", "show")),
        ("ncadm", ("nodes", "--help")),
        ("ncadm", ("--port", "1", "check-health")),
    ],
)
def test_it_says_and_ends_as_the_program(
    program: str, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same output, errors and exit code, in the folder and environment of who starts it."""
    for name, value in {"COLUMNS": "80", "HOME": "/nonexistent"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    expected = run_installed(program, *arguments)
    with tempfile.TemporaryFile() as stdout:
        forked = ForkedProgram((str(BIN / program), *arguments), stdout=stdout)
        assert forked.stderr is not None
        with forked.stderr:
            stderr = forked.stderr.read().decode()
        code = forked.wait(PATIENCE_S)
        stdout.seek(0)
        said = stdout.read().decode()
    assert (code, said, stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_a_killed_one_has_the_signal_as_its_code(tmp_path: Path) -> None:
    """As `Popen` has it."""
    with tempfile.TemporaryFile() as stdout:
        command = (str(BIN / "network-controller"), "serve", "--data-dir", str(tmp_path / "data"))
        forked = ForkedProgram(command, stdout=stdout, stderr=stdout)
        assert forked.poll() is None
        forked.kill()
        assert forked.wait(PATIENCE_S) == -9
