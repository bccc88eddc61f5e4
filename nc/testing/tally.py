"""A tally over many trials: how often each law was exercised, and which are broken."""

from collections import Counter
from collections.abc import Callable

from nc.testing.judgement import LawBroken
from nc.testing.laws import LAWS, Law
from nc.testing.trial import Trial


class Tally:
    """Counts as trials end, and keeps the smallest history that broke a law.

    Args:
        progress: called after each trial.
        most_shrinks: how many trials may be spent on making a history smaller that broke a law.

    Attributes:
        exercised: how often each law had something to say.
        trials, steps: how many there were, without those that only made a history smaller.
        first_breach: the trial, from 1, that broke a law for the first time; 0 while none has.
        ignored: laws that are known to be broken; a trial that breaks one is over, and says no more.
        smallest: of the law that is being looked into.
    """

    def __init__(
        self, progress: Callable[["Tally"], None] = lambda _: None, most_shrinks: int = 0
    ) -> None:
        self._progress = progress
        self._most_shrinks = most_shrinks
        self._shrinks = 0
        self.exercised: Counter[Law] = Counter(dict.fromkeys(LAWS, 0))
        self.trials = 0
        self.steps = 0
        self.first_breach = 0
        self.ignored: set[Law] = set()
        self.smallest: LawBroken | None = None

    @property
    def is_tired(self) -> bool:
        """Whether enough was spent on making a history smaller."""
        return self._shrinks > self._most_shrinks

    def add(self, trial: Trial) -> None:
        """A trial has ended."""
        if self.smallest is not None:
            self._shrinks += 1
            return
        self.trials += 1
        self.steps += len(trial.history.steps)
        if trial.judgement is not None:
            self.exercised.update(trial.judgement.exercised)
        self._progress(self)

    def broken(self, broken: LawBroken, trial: Trial) -> None:
        """A law is broken: raise that, unless it is known, or another one is being looked into."""
        self.add(trial)
        law = broken.breach.law
        if law in self.ignored:
            return
        if self.smallest is None:
            self.first_breach = self.first_breach or self.trials
            self.smallest = broken
        elif law != self.smallest.breach.law:
            return
        elif len(broken.history.steps) <= len(self.smallest.history.steps):
            self.smallest = broken
        raise broken

    def settle(self) -> LawBroken | None:
        """What was found; from now on its law is known to be broken."""
        found, self.smallest, self._shrinks = self.smallest, None, 0
        if found is not None:
            self.ignored.add(found.breach.law)
        return found
