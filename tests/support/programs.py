"""Our programs: as a shell finds them, forked from one that is loaded, or in this process."""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from nc.cli import main as network_controller
from nc.cli import ncadm
from tests.support.forked_program import ForkedProgram

# Runs a program with arguments to its end: `run("ncadm", "check-health")`.
Run = Callable[..., "subprocess.CompletedProcess[str]"]

BIN = Path(sys.executable).parent


ALONE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COLUMNS": "80"}
PATIENCE_S = 120.0


def run_installed(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one of our programs to its end as a shell finds it, in an environment of its own."""
    return subprocess.run(
        [str(BIN / program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=ALONE,
    )


def run_program(
    program: str,
    *arguments: str,
    said: str = "",
    environment: Mapping[str, str] | None = None,
    namespace: str = "",
) -> "subprocess.CompletedProcess[str]":
    """Run one in a process and an environment of its own, without loading its modules anew.

    It reads `said` from its standard input.
    """
    environment = ALONE if environment is None else environment
    command = (str(BIN / program), *arguments)
    return _run_forked(command, said, environment=environment, namespace=namespace)


def run_script(script: Path, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a script to its end in a folder, without loading our modules anew."""
    return _run_forked((sys.executable, str(script), *arguments), folder=folder)


def _run_forked(
    command: Sequence[str],
    said: str = "",
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    namespace: str = "",
) -> "subprocess.CompletedProcess[str]":
    with ExitStack() as stack:
        stdin, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        stdin.write(said.encode())
        stdin.seek(0)
        process = ForkedProgram(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            environment=environment,
            folder=folder,
            namespace=namespace,
        )
        stack.callback(process.kill)
        code = process.wait(PATIENCE_S)
        stdout.seek(0)
        stderr.seek(0)
        texts = stdout.read().decode(), stderr.read().decode()
    return subprocess.CompletedProcess(command, code, *texts)


def run_here(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in this process: a new one takes far longer than what it is asked."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        patch.setattr("sys.argv", [program, *arguments])
        patch.setenv("HOME", "/nonexistent")
        patch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit) as ended:
            (ncadm if program == "ncadm" else network_controller).main()
    code = int(str(ended.value.code))
    return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.endswith("\n")
