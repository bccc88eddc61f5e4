"""Our programs as a shell finds them."""

import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from nc.cli import main as network_controller
from nc.cli import ncadm

# Runs a program with arguments to its end: `run("ncadm", "check-health")`.
Run = Callable[..., "subprocess.CompletedProcess[str]"]

BIN = Path(sys.executable).parent


def run_program(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one of our programs to its end, in an environment of its own."""
    return subprocess.run(
        [str(BIN / program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COLUMNS": "80"},
    )


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
