"""The harness finds bugs: realistic ones are planted, and each is found.

A planted bug that survives is the harness's bug. `pytest -m long -s` prints in which trial each is
found, how long that takes, by which law, and with how many steps.
"""

import pytest

from nc.clock import SystemClock
from nc.testing import LAWS
from nc.testing.search import Report, search
from tests.testing.planted_bugs import BUGS
from tests.testing.planting import Bug

# Most are found in the first trial; a few that need a coincidence take up to some sixty.
MOST_TRIALS = 400
MOST_STEPS_TO_SHOW = 24  # with the two looks at every node that end a trial

# These speak of every answer, so that any bug may break them first.
OF_ALL_ANSWERS = {
    "some order of the commands explains every answer",
    "answers are never stale",
}

BY_NAME = {bug.name: bug for bug in BUGS}


def look_for(bug: Bug, seed: int, shrinks: int) -> Report:
    """What a search finds while the bug is planted."""
    target = bug.target()
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        try:
            return search(target, examples=MOST_TRIALS, seed=seed, shrinks=shrinks)
        finally:
            target.close()


@pytest.mark.parametrize("name", BY_NAME)
def test_a_planted_bug_is_found(name: str) -> None:
    """A search of some trials breaks a law, and it is one that speaks of it."""
    report = look_for(BY_NAME[name], seed=0, shrinks=0)
    assert not report.is_good, f"it survived {report.trials} trials"
    assert report.broken[0].breach.law.name in BY_NAME[name].laws | OF_ALL_ANSWERS


def test_there_are_enough_of_them() -> None:
    """At least fifteen, each by itself, and the laws that they break are laws."""
    assert len(BY_NAME) == len(BUGS) >= 15
    assert set().union(*(bug.laws for bug in BUGS)) <= {law.name for law in LAWS}


@pytest.mark.long
def test_every_planted_bug_is_shown_in_a_few_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """From any seed each is found, and shrunk to a history that can be read at a glance."""
    clock = SystemClock()
    lines, too_long = [], []
    for bug in BUGS:
        trials, seconds, sizes, laws = [], [], [], set()
        for seed in (1000, 2000, 3000):
            begun_ns = clock.monotonic_ns()
            report = look_for(bug, seed, shrinks=500)
            seconds.append((clock.monotonic_ns() - begun_ns) / 1e9)
            assert not report.is_good, f"{bug.name} survived {report.trials} trials of seed {seed}"
            trials.append(report.first_breach)
            sizes.append(len(report.broken[0].history.steps))
            laws.add(report.broken[0].breach.law.name)
        assert laws <= bug.laws | OF_ALL_ANSWERS, bug.name
        if min(sizes) > MOST_STEPS_TO_SHOW:
            too_long.append(bug.name)
        lines.append(
            f"{bug.name:<48} trial {min(trials):>3}-{max(trials):<3} {max(seconds):5.1f} s "
            f"{min(sizes):>3} steps  {'; '.join(sorted(laws))}"
        )
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201 - who asks for it wants to see it
    assert too_long == []
