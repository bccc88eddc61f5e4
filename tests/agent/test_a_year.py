"""A year of renewals in virtual time: servers restart, replies are lost, clocks step.

Real are the agents' renewals and attempts, the service, the replica and its log. Links are not: a
node counts as connected while the server would accept its certificate.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from nc.pki.certificates import NODE_LIFETIME
from tests.agent.simulated_year import play


@pytest.mark.parametrize("seed", range(2))
def test_a_season_of_some_machines(tmp_path: Path, seed: int) -> None:
    """At its end all are connected, and none was enrolled twice."""
    play(tmp_path, 8, 90, seed)


@pytest.mark.long
def test_a_year_of_five_hundred_machines(tmp_path: Path) -> None:
    """The same, and nobody renewed much more often than it had to."""
    server = play(tmp_path, 500, 365, 1)
    most = timedelta(days=365) / (NODE_LIFETIME / 3)
    assert server.renewed < 2 * 500 * most
