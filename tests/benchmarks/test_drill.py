"""The drill of several machines, in its short form."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.namespaces import require_namespaces
from tests.support.nats_servers import PROGRAM as NATS

ROOT = Path(__file__).parents[2]


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
