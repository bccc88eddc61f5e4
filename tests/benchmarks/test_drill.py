"""The drill of several machines, in its short form."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.drill.__main__ import parsed
from tests.support.namespaces import require_namespaces
from tests.support.nats_servers import PROGRAM as NATS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--random", minutes] for minutes in ("0", "-1", "nan", "inf", "x")),
        *(["--each", f"--agents={agents}"] for agents in ("1", "155", "2.5")),
        *(["--each", f"--{name}=0"] for name in ("times", "workers", "pause", "rate")),
        ["--each", "--only=no such fault"],
        [],
    ],
    ids=" ".join,
)
def test_a_drill_that_would_show_nothing_is_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is made; the last line says what is allowed."""
    monkeypatch.setattr(sys, "argv", ["drill", *arguments])
    with pytest.raises(SystemExit) as refused:
        parsed()
    assert refused.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert any(words in last for words in (" from ", "they are: ", " is required"))


@pytest.mark.long
@pytest.mark.skipif(not NATS.exists(), reason="no nats-server")
def test_no_fault_of_the_short_drill_breaks_a_law(tmp_path: Path) -> None:
    """Replicas and servers of NATS are killed, cut off and paused; every answer is explained."""
    require_namespaces()
    size = ("--agents=4", "--workers=1", "--pause=0.1", f"--folder={tmp_path}")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.drill", "--short", *size],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
