"""Trials of one target: drawn from a seed, or rounds of one played again."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from nc.testing.contract.history import History, Observation, Step
from nc.testing.contract.judgement import Judgement, LawBroken
from nc.testing.contract.laws import LAWS
from nc.testing.contract.operations import ADMIN, Happening, Operation, Redeem, Restart, Wait
from nc.testing.search.choices import Pick
from nc.testing.search.trial import Trial
from nc.testing.search.workload import NETWORKS, Workload
from nc.testing.seeded_random import SeededRandom
from nc.testing.targets.target import Target

DEFAULT_RULES: Final = 40  # in a trial; most of them are more than one step

SHRINKS: Final = 500  # in process, some seconds


@dataclass(frozen=True)
class Round:
    """One round: operations and perhaps a crash during them, or one other action."""

    operations: tuple[Operation, ...] = ()
    turns: tuple[int, ...] = ()
    happening: Happening | None = None


class Trials:
    """Trials of a target, which stays the caller's; `rules` is how much happens in a trial."""

    laws = LAWS
    most_shrinks = SHRINKS

    def __init__(self, target: Target, *, rules: int = DEFAULT_RULES) -> None:
        self._target = target
        self._rules = rules

    def draw(self, seed: int) -> Judgement:
        return draw_trial(self._target, SeededRandom(("trial", seed)).pick, self._rules)

    def parts(self, history: History) -> list[Round]:
        return rounds_of(history)

    def without(self, part: Round) -> Iterator[Round]:
        """A round without one of its operations."""
        for number in range(len(part.operations) if len(part.operations) > 1 else 0):
            yield replace(
                part,
                operations=part.operations[:number] + part.operations[number + 1 :],
                turns=part.turns[:number] + part.turns[number + 1 :],
            )

    def replay(self, history: History, parts: Sequence[Round]) -> Judgement:
        return play(self._target, history.network, parts)


def draw_trial(target: Target, pick: Pick, rules: int = DEFAULT_RULES) -> Judgement:
    """Draw a trial, and play it; the laws' judgement."""
    trial = Trial(target, pick(NETWORKS))
    try:
        with suppress(LawBroken):
            Workload(trial, target, pick).run(rules)
            trial.finish()
        return trial.judge()
    finally:
        target.end()


def rounds_of(history: History) -> list[Round]:
    """What has to be played to get this history again."""
    rounds = []
    for _, group in groupby(history.items, key=lambda item: item.round):
        together = list(group)
        steps = [item for item in together if isinstance(item, Step)]
        happened = [item.happening for item in together if isinstance(item, Observation)]
        operations = tuple(step.operation for step in steps)
        turns = tuple(step.turns for step in steps)
        rounds.append(Round(operations, turns, happened[0] if happened else None))
    return rounds


def play(target: Target, network: str, rounds: Sequence[Round]) -> Judgement:
    """Play rounds; the laws' judgement."""
    trial = Trial(target, network)
    try:
        with suppress(LawBroken):
            for round_ in rounds:
                _play_round(trial, round_)
            trial.finish()
        return trial.judge()
    finally:
        target.end()


def _play_round(trial: Trial, round_: Round) -> None:
    match round_.happening:
        case Wait(ms):
            trial.wait(ms)
        case Restart(network):
            trial.restart(network)
        case crash:
            enrolments: list[Any] = [s.operation for s in trial.history.of(Redeem) if s.is_ok]
            joined = {enrolment.node for enrolment in enrolments}  # they have a certificate
            played = [
                (operation, turns)
                for operation, turns in zip(round_.operations, round_.turns, strict=True)
                if getattr(operation, "caller", ADMIN) in {ADMIN, *joined}
            ]
            operations, turns = [o for o, _ in played], [t for _, t in played]
            if operations or crash is not None:
                trial.perform(*operations, turns=turns, crash=crash)
