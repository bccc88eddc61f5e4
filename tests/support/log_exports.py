"""`log …` in this process, and exports that it writes, for tests to share."""

import stat
from pathlib import Path

from tests.support.programs import run_here


def log(*arguments: object) -> str:
    """Run `log …`, which succeeds, and says nothing on stderr unless it was asked to widen."""
    done = run_here("network-controller", "log", *map(str, arguments))
    assert done.returncode == 0, done.stderr
    assert not done.stderr or "a record is whole" in done.stderr
    return done.stdout


def refused(*arguments: object) -> tuple[int, str]:
    """Run `log …`, which does not succeed: its exit code, and the one line that says why."""
    done = run_here("network-controller", "log", *map(str, arguments))
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    return done.returncode, done.stderr


def refused_code(*arguments: object) -> int:
    """The exit code of what fails after it has said something."""
    return run_here("network-controller", "log", *map(str, arguments)).returncode


def export(data_dir: Path, out: Path, kind: str, *arguments: object) -> Path:
    log("export", "--format", kind, "--out", out, "--data-dir", data_dir, *arguments)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [each.name for each in out.parent.glob(f".{out.name}*")] == []
    return out
