"""Judging a history by all laws: how often each was exercised, and which is broken."""

from collections.abc import Sequence
from typing import NamedTuple

from nc.testing.contract.history import History
from nc.testing.contract.knowledge import Observed
from nc.testing.contract.laws import LAWS, Law


class Breach(NamedTuple):
    law: Law
    place: str  # where it was noticed


class LawBroken(AssertionError):
    """A network controller broke a law; the text has the steps that show it."""

    def __init__(self, breach: Breach, history: History) -> None:
        self.breach = breach
        self.history = history
        super().__init__(
            f"{breach.law.name}, at {breach.place}\n"
            f"  the law: {breach.law.sentence}\n"
            f"  the steps:\n{history}"
        )


class Judgement(NamedTuple):
    history: History
    exercised: dict[Law, int]
    breaches: list[Breach]  # in the order of the laws; the first is to blame

    def require(self) -> None:
        """Raise LawBroken if a law is broken."""
        for breach in self.breaches:
            raise LawBroken(breach, self.history)


def judge(history: History, laws: Sequence[Law] = LAWS) -> Judgement:
    observed = Observed(history)
    exercised = dict.fromkeys(laws, 0)
    breaches = []
    for law in laws:
        is_broken = False
        for holds, place in law.check(observed):
            exercised[law] += 1
            if not holds and not is_broken:
                is_broken = True
                breaches.append(Breach(law, str(place)))
    return Judgement(history, exercised, breaches)
