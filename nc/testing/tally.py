"""A tally over many trials: how often each law was exercised, and which are known to be broken."""

from collections import Counter
from collections.abc import Callable

from nc.testing.judgement import LawBroken
from nc.testing.laws import LAWS, Law
from nc.testing.trial import Trial


class Tally:
    """Counts as trials end.

    Args:
        progress: called after each trial that broke nothing new.

    Attributes:
        exercised: how often each law had something to say.
        trials, steps: how many there were.
        first_breach: the trial, from 1, that broke a law for the first time; 0 while none has.
        ignored: laws that are known to be broken; a trial that breaks one is over, and says no more.
    """

    def __init__(self, progress: Callable[["Tally"], None] = lambda _: None) -> None:
        self._progress = progress
        self.exercised: Counter[Law] = Counter(dict.fromkeys(LAWS, 0))
        self.trials = 0
        self.steps = 0
        self.first_breach = 0
        self.ignored: set[Law] = set()

    def add(self, trial: Trial) -> None:
        """A trial has ended, and no law is broken."""
        self.trials += 1
        self.steps += len(trial.history.steps)
        if trial.judgement is not None:
            self.exercised.update(trial.judgement.exercised)
        self._progress(self)

    def broken(self, broken: LawBroken) -> None:
        """A law is broken: raise that, unless it is known."""
        self.trials += 1
        if broken.breach.law in self.ignored:
            self._progress(self)
            return
        if not self.first_breach:
            self.first_breach = self.trials
        raise broken
