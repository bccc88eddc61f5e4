"""Our programs as a shell finds them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COLUMNS": "80"},
    )
