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

    Attributes:
        exercised: how often each law had something to say.
        trials, steps: how many there were, without those that show the same breach again.
        first_breach: the trial, from 1, that broke a law for the first time; 0 while none has.
        ignored: laws known to be broken; a trial that breaks one is over, and says no more.
        found: the smallest history that breaks the law that is being looked into.
    """

    def __init__(self, progress: Callable[["Tally"], None] = lambda _: None) -> None:
        self._progress = progress
        self.exercised: Counter[Law] = Counter(dict.fromkeys(LAWS, 0))
        self.trials = 0
        self.steps = 0
        self.first_breach = 0
        self.ignored: set[Law] = set()
        self.found: LawBroken | None = None

    def add(self, trial: Trial) -> None:
        """A trial has ended."""
        if self.found is not None:
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
        if self.found is None:
            self.first_breach = self.first_breach or self.trials
            self.found = broken
        elif law != self.found.breach.law:
            return
        elif len(broken.history.steps) <= len(self.found.history.steps):
            self.found = broken
        raise broken

    def settle(self) -> LawBroken | None:
        """What was found; from now on its law is known to be broken."""
        found, self.found = self.found, None
        if found is not None:
            self.ignored.add(found.breach.law)
        return found
