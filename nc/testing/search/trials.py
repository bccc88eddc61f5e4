"""Trials of one target: drawn from a seed, or what happened in one played again."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import groupby
from typing import Final

from nc.testing.contract.happenings import Restart, Wait
from nc.testing.contract.history import History, Item, Observation, Step
from nc.testing.contract.judgement import Judgement, LawBroken
from nc.testing.contract.laws import LAWS
from nc.testing.contract.values import NO_LIMITS, Limits, owner
from nc.testing.search.choices import Pick
from nc.testing.search.membership import MembershipWorkload
from nc.testing.search.settings import IMPORTED, LIMITS, NETWORKS
from nc.testing.search.trial import Trial
from nc.testing.seeded_random import SeededRandom
from nc.testing.targets.target import Ability, Target

DEFAULT_RULES: Final = 40  # in a trial; most of them are more than one step

SHRINKS: Final = 500  # in process, some seconds


class Trials:
    """Trials of a target, which stays the caller's; `rules` is how much happens in a trial."""

    laws = LAWS
    most_shrinks = SHRINKS

    def __init__(self, target: Target, *, rules: int = DEFAULT_RULES) -> None:
        self._target = target
        self._rules = rules

    def draw(self, seed: int) -> Judgement:
        return draw_trial(self._target, SeededRandom(("trial", seed)).pick, self._rules)

    def parts(self, history: History) -> list[Item]:
        return history.items

    def replay(self, history: History, parts: Iterable[Item]) -> Judgement:
        return play(self._target, history.network, parts, history.limits)


def draw_trial(target: Target, pick: Pick, rules: int = DEFAULT_RULES) -> Judgement:
    """Draw a trial, and play it; the laws' judgement."""
    network = pick(NETWORKS)
    limits = NO_LIMITS
    if Ability.CLOCK in target.abilities:
        limits = pick(LIMITS)
    elif Ability.ENROLMENT in target.abilities:
        limits = pick((NO_LIMITS, NO_LIMITS, IMPORTED))
    return _judged(
        target, network, limits, lambda trial: MembershipWorkload(trial, target, pick).run(rules)
    )


def play(
    target: Target, network: str, items: Iterable[Item], limits: Limits = NO_LIMITS
) -> Judgement:
    """Play what happened in a history, or a part of it, again; the laws' judgement."""

    def run(trial: Trial) -> None:
        for _, together in groupby(items, key=lambda item: item.round):
            _play_round(trial, list(together))

    return _judged(target, network, limits, run)


def _judged(
    target: Target, network: str, limits: Limits, run: Callable[[Trial], None]
) -> Judgement:
    trial = Trial(target, network, limits)
    try:
        with suppress(LawBroken):
            run(trial)
            trial.finish()
        return trial.judge()
    finally:
        target.end()


def _play_round(trial: Trial, items: list[Item]) -> None:
    happening = next((item.happening for item in items if isinstance(item, Observation)), None)
    match happening:
        case Wait(ms):
            trial.wait(ms)
        case Restart(network):
            trial.restart(network)
        case crash:
            callers = trial.certified
            steps = [each for each in items if isinstance(each, Step)]
            steps = [each for each in steps if owner(each.operation.shown) in callers]
            if steps or crash is not None:
                turns = [step.turns for step in steps]
                trial.perform(*(step.operation for step in steps), turns=turns, crash=crash)
