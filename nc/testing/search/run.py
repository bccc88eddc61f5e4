"""One search for histories that break a law: so many trials, or for so long, from one seed.

Every trial has a seed of its own: the first one that of the search, the next one the number after
it. So a trial that broke a law can be had again by itself, in any process. A history that breaks a
law is made smaller by leaving parts out: names stay what they are, so the rest still means
something. Halves are left out first, then ever smaller parts, then single things.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nc.clock import SystemClock
from nc.testing.contract.history import History
from nc.testing.contract.judgement import Judgement, LawBroken
from nc.testing.contract.laws import Law
from nc.testing.search.trials import Trials
from nc.testing.targets.target import Target


class Subject(Protocol):
    @property
    def laws(self) -> Sequence[Law]:
        """Those that it is held to."""

    @property
    def most_shrinks(self) -> int:
        """How often to play a history again to make it smaller."""

    def draw(self, seed: int) -> Judgement:
        """Draw a trial, play it, and judge it."""

    def parts(self, history: History) -> list[Any]:
        """What happened in the trial; any of it can be left out."""

    def replay(self, history: History, parts: list[Any]) -> Judgement:
        """Play some parts of what was played."""


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
        return not self.broken

    @property
    def idle_laws(self) -> list[Law]:
        """The laws that were never exercised, and so have shown nothing."""
        return [law for law, count in self.exercised.items() if not count]

    def require(self) -> None:
        """Raise LawBroken for the first law that is broken."""
        for broken in self.broken:
            raise broken


def search(
    subject: Subject | Target,
    *,
    examples: int = 100,
    minutes: float = 0,
    seed: int = 0,
    shrinks: int | None = None,
    find_all: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Look for histories that break a law.

    Args:
        subject: a target, which stays the caller's, who closes it; `Trials(target, rules=…)` for
            shorter trials; or a `Simulation`.
        examples: how many trials, for a search without `minutes`.
        minutes: for how long to search instead.
        seed: equal seeds give equal searches, if the target has no chance or time of its own.
        shrinks: how often to play a history again to make it smaller; the subject's own number
            without.
        find_all: whether to go on once a law is broken, to see which others are. A trial whose
            first breach is of a law that is known to be broken says no more.
        progress: called after each trial with how many there were.
    """
    drawn = Trials(subject) if isinstance(subject, Target) else subject
    clock = SystemClock()
    until_ns = clock.monotonic_ns() + int(minutes * 60e9)
    exercised: Counter[Law] = Counter(dict.fromkeys(drawn.laws, 0))
    broken: dict[Law, LawBroken] = {}
    trials = steps = first = 0
    while clock.monotonic_ns() < until_ns if minutes else trials < examples:
        judgement = drawn.draw(seed + trials)
        trials += 1
        steps += len(judgement.history.steps)
        exercised.update(judgement.exercised)
        for breach in judgement.breaches[:1]:
            first = first or trials
            if breach.law not in broken:
                found = LawBroken(breach, judgement.history)
                broken[breach.law] = shrink(
                    drawn, found, drawn.most_shrinks if shrinks is None else shrinks
                )
        if broken and not find_all:
            break
        progress(trials)
    return Report(seed, trials, steps, dict(exercised), list(broken.values()), first)


def shrink(subject: Subject, broken: LawBroken, most_plays: int) -> LawBroken:
    """The smallest history found that breaks the same law, with so many plays at most."""
    parts = subject.parts(broken.history)
    size, end = max(len(parts) // 2, 1), len(parts)  # from the end on: it depends on the beginning
    for _ in range(most_plays):
        if not parts or not size:
            break
        fewer = [*parts[: max(end - size, 0)], *parts[end:]]
        judgement = subject.replay(broken.history, fewer)
        same = [each for each in judgement.breaches if each.law == broken.breach.law]
        if same:
            broken, parts = LawBroken(same[0], judgement.history), fewer
            end = len(parts)
        elif end > size:
            end -= size
        else:
            size, end = size // 2, len(parts)
    return broken
