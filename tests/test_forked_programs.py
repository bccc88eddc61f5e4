"""A forked program is the program: what it says, how it ends, what it was given."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.forked_program import ForkedProgram
from tests.support.programs import BIN, run_installed, run_script

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


SCRIPT = """
import subprocess, sys
program = [{program!r}]
asked = subprocess.run([*program, "--version"], capture_output=True, text=True)
read = subprocess.run([sys.executable, __file__ + ".py"], input="hello", stdout=-1, text=True)
with subprocess.Popen([sys.executable, __file__ + ".py"], stdin=-1, stdout=-1) as killed:
    assert killed.poll() is None
    killed.kill()
print(asked.returncode, asked.stdout.split()[0], read.returncode, read.stdout, killed.returncode)
"""


def test_what_a_script_starts_is_what_it_asked_for(tmp_path: Path) -> None:
    """Its output, its input and its end are those of a process that was started anew."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(program=str(BIN / "network-controller")))
    (tmp_path / "script.py.py").write_text("import sys; print(sys.stdin.read()); sys.exit(3)")
    done = run_script(script, folder=tmp_path)
    assert done.stderr == ""
    expected = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert done.stdout == expected.stdout
    assert done.stdout.split()[-3:] == ["3", "hello", "-9"]
