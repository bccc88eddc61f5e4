"""A search for histories that break a law: so many trials, or for so long, from one seed.

What it finds is made as small as it gets (`nc.testing.shrinking`), which takes fewer trials than
Hypothesis would need, since names stay what they are when parts are left out. Then the search goes
on for other laws, if asked to, so that what is wrong with another implementation is told at once.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from nc.clock import Clock, SystemClock
from nc.testing.judgement import LawBroken
from nc.testing.laws import Law
from nc.testing.machine import machine_for
from nc.testing.shrinking import shrink
from nc.testing.tally import Tally
from nc.testing.targets.target import Target

DEFAULT_STEPS = 40  # rules in a trial; most of them are more than one step

SHRINKS = 500  # in process, some seconds

# Trials between two looks at the clock, of a search that goes on for some time.
TRIALS_A_ROUND = 50


@dataclass(frozen=True)
class Report:
    """What a search has found.

    Attributes:
        seed: the search can be had again with it.
        trials, steps: how many there were until the end.
        exercised: how often each law was.
        broken: the smallest history for each law that is broken, as far as one was found.
        first_breach: in which trial, from 1, a law was broken for the first time; 0 if none was.
    """

    seed: int
    trials: int
    steps: int
    exercised: dict[Law, int]
    broken: list[LawBroken] = field(default_factory=list)
    first_breach: int = 0

    @property
    def is_good(self) -> bool:
        """Whether no law is broken."""
        return not self.broken

    @property
    def idle_laws(self) -> list[Law]:
        """The laws that were never exercised, and so have shown nothing."""
        return [law for law, count in self.exercised.items() if not count]

    def require(self) -> None:
        """Fail as a test does.

        Raises:
            LawBroken: the first of them.
        """
        for broken in self.broken:
            raise broken


def search(
    target: Target,
    *,
    examples: int = 100,
    minutes: float = 0,
    seed: int = 0,
    steps: int = DEFAULT_STEPS,
    shrinks: int = SHRINKS,
    find_all: bool = False,
    trials_a_round: int = TRIALS_A_ROUND,
    progress: Callable[[Tally], None] = lambda _: None,
    clock: Clock | None = None,
) -> Report:
    """Look for histories that break a law.

    Args:
        target: what is driven; it stays the caller's, who closes it.
        examples: how many trials, for a search without `minutes`.
        minutes: for how long to search instead; it ends with the round that is under way then.
        seed: equal seeds give equal searches, if the target has no chance or time of its own.
        steps: how many rules a trial consists of at most.
        shrinks: how often to play a history again to make it smaller (`nc.testing.shrinking`).
        find_all: whether to go on once a law is broken, to see which others are.
        trials_a_round: after how many it is seen whether a law was broken, and the time is up.
        progress: called as trials end.
        clock: measures the minutes.
    """
    clock = clock or SystemClock()
    until_ns = clock.monotonic_ns() + int(minutes * 60e9)
    tally = Tally(progress)
    broken: list[LawBroken] = []
    number = 0
    while clock.monotonic_ns() < until_ns if minutes else tally.trials < examples:
        count = trials_a_round if minutes else min(trials_a_round, examples - tally.trials)
        _round(machine_for(target, tally), count, seed + number, steps)
        number += 1
        found = tally.settle()
        if found is not None:
            broken.append(shrink(target, found, shrinks))
            if not find_all:
                break
    exercised = dict(tally.exercised)
    return Report(seed, tally.trials, tally.steps, exercised, broken, tally.first_breach)


def _round(machine: Any, examples: int, round_seed: int, steps: int) -> None:
    """Some trials; the tally of the machine keeps what they find."""
    with suppress(LawBroken, Flaky):  # it may not happen again, where time or threads play a part
        run_state_machine_as_test(
            seed(round_seed)(machine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                phases=[Phase.generate],
                database=None,
                deadline=None,
                verbosity=Verbosity.quiet,
                report_multiple_bugs=False,
                print_blob=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
