"""Real links: a server process keeps the laws about them, and one with a bug about them does not.

`pytest -m long -s` prints in which trial each planted bug is found, how long that takes, and by
which law.
"""

import sys
from pathlib import Path

import pytest

from nc.clock import SystemClock
from nc.testing import ServerProcess, search
from tests.testing.broken_server import BUGS

BROKEN_SERVER = Path(__file__).with_name("broken_server.py")

MOST_TRIALS = 40


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_about_links_is_found(bug: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A search of some trials breaks a law."""
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    target = ServerProcess([sys.executable, str(BROKEN_SERVER), bug, "serve"])
    report = search(target, examples=MOST_TRIALS, seed=1, steps=15, shrinks=0)
    target.close()
    assert not report.is_good, f"it survived {report.trials} trials"
    seconds = (clock.monotonic_ns() - begun_ns) / 1e9
    laws = "; ".join(broken.breach.law.name for broken in report.broken)
    with capsys.disabled():
        print(f"\n{bug:<45} trial {report.first_breach:>3} {seconds:5.1f} s  {laws}")  # noqa: T201 - who asks for it wants to see it
