"""Bugs that are planted in a simulated cluster are found.

`pytest -m long -s tests/testing/test_simulation_bugs.py` prints in which trial each is found, how
long it takes, by which law, and with how many acts.
"""

import pytest

from nc.clock import SystemClock
from nc.testing import CLUSTER_LAWS
from nc.testing.simulation import Chronicle
from tests.testing.planted_cluster_bugs import CLUSTER_BUGS
from tests.testing.simulated_clusters import BY_NAME, BY_SITUATION, SEVERAL, look_for, require_found

MOST_TRIALS_WITH_LUCK = 1000
RARE = {
    "an address is told before it is durable",
    "a full disk at a snapshot ends the writer",
    "a full disk loses the record of a link s end",
}


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - RARE - BY_SITUATION - {*SEVERAL}))
def test_a_planted_bug_of_a_cluster_is_found(name: str) -> None:
    """A search of some trials breaks a law."""
    require_found(BY_NAME[name], look_for(BY_NAME[name], seed=0))


def test_planted_bugs_name_laws_that_there_are() -> None:
    """Each bug of a cluster names one at least."""
    named = {law for bug in CLUSTER_BUGS for law in bug.laws}
    assert named <= {law.name for law in CLUSTER_LAWS}
    assert all(bug.laws for bug in CLUSTER_BUGS)


@pytest.mark.long
def test_every_planted_bug_of_a_cluster_is_shown_in_a_few_acts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From any seed each is found, and shrunk."""
    clock = SystemClock()
    for bug in (bug for bug in CLUSTER_BUGS if bug.name not in BY_SITUATION):
        for seed in (1000, 2000, 3000):
            begun_ns = clock.monotonic_ns()
            report = look_for(bug, seed, examples=MOST_TRIALS_WITH_LUCK, shrinks=150)
            seconds = (clock.monotonic_ns() - begun_ns) / 1e9
            assert not report.is_good, f"{bug.name} survived {report.trials} trials of seed {seed}"
            (broken,) = report.broken
            assert broken.breach.law.name in bug.laws, bug.name
            chronicle = broken.history
            assert isinstance(chronicle, Chronicle)
            with capsys.disabled():
                print(  # noqa: T201 - who asks for it wants to see it
                    f"{bug.name:<48} trial {report.first_breach:>3} {seconds:5.1f} s "
                    f"{len(chronicle.plan.actions):>3} actions  {broken.breach.law.name}"
                )
