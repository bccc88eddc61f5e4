"""Making a history smaller that breaks a law: play it again with parts left out.

What a history asks for has names and no results in it, so any part of it can be left out and the
rest still means something: what depended on it is refused. Halves are left out first, then ever
smaller parts, then single operations of a round.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeVar

from nc.testing.history import History, Observation, Step
from nc.testing.judgement import LawBroken
from nc.testing.operations import ADMIN, Happening, Operation, Redeem, Restart, Wait
from nc.testing.targets.target import Target
from nc.testing.trial import Trial

P = TypeVar("P")


@dataclass(frozen=True)
class Round:
    """What is played in one round: operations, perhaps a crash meanwhile, or something else."""

    operations: tuple[Operation, ...] = ()
    turns: tuple[int, ...] = ()
    happening: Happening | None = None


def rounds_of(history: History) -> list[Round]:
    """What has to be played to get this history again."""
    return [
        _round([item for item in together if isinstance(item, Step)], happened)
        for _, group in groupby(history.items, key=lambda item: item.round)
        for together in [list(group)]
        for happened in [[item for item in together if isinstance(item, Observation)]]
    ]


def _round(steps: Sequence[Step], happened: Sequence[Observation]) -> Round:
    return Round(
        tuple(step.operation for step in steps),
        tuple(step.turns for step in steps),
        happened[0].happening if happened else None,
    )


def play(target: Target, network: str, rounds: Sequence[Round]) -> LawBroken | None:
    """Play a history; what breaks in it, if something does."""
    trial = Trial(target, network)
    try:
        for round_ in rounds:
            _play_round(trial, round_)
        trial.finish()
    except LawBroken as broken:
        return broken
    finally:
        target.end()
    return None


def _play_round(trial: Trial, round_: Round) -> None:
    match round_.happening:
        case Wait(ms):
            trial.wait(ms)
        case Restart(network):
            trial.restart(network)
        case crash:
            enrolments: list[Any] = [s.operation for s in trial.history.of(Redeem) if s.is_ok]
            joined = {enrolment.node for enrolment in enrolments}  # who has a certificate
            played = [
                (operation, turns)
                for operation, turns in zip(round_.operations, round_.turns, strict=True)
                if getattr(operation, "caller", ADMIN) in {ADMIN, *joined}
            ]
            operations, turns = [o for o, _ in played], [t for _, t in played]
            if operations or crash is not None:
                trial.perform(*operations, turns=turns, crash=crash)


def shrink(target: Target, broken: LawBroken, most_plays: int) -> LawBroken:
    """The smallest history found that breaks the same law.

    Args:
        target: plays the histories.
        broken: what was found.
        most_plays: how often to play at most.
    """

    def play_again(rounds: list[Round]) -> LawBroken | None:
        found = play(target, broken.history.network, rounds)
        return found if found is not None and found.breach.law == broken.breach.law else None

    return smallest(rounds_of(broken.history), play_again, most_plays) or broken


def smallest(
    parts: list[P], play_again: Callable[[list[P]], LawBroken | None], most_plays: int
) -> LawBroken | None:
    """What the fewest parts still show; None if nothing can be left out.

    Args:
        parts: of what was played.
        play_again: plays some of them; what that breaks, if it is the same law.
        most_plays: how often to play at most.
    """
    found: LawBroken | None = None
    plays = 0
    size = max(len(parts) // 2, 1)
    while plays < most_plays:
        for candidate in _without_parts(parts, size):
            plays += 1
            smaller = play_again(candidate)
            if smaller is not None:
                found, parts = smaller, candidate
                break
            if plays >= most_plays:
                break
        else:
            if size == 0:
                break
            size //= 2
    return found


def _without_parts(parts: Sequence[P], size: int) -> Iterator[list[P]]:
    """All that is a little smaller: so many parts left out, or one operation of a round (0).

    From the end on, since what comes last depends on what comes first.
    """
    for end in range(len(parts), 0, -max(size, 1)):
        before, after = list(parts[: max(end - size, 0)]), list(parts[end:])
        if size:
            yield [*before, *after]
            continue
        round_ = parts[end - 1]
        if isinstance(round_, Round):
            for number in range(len(round_.operations) if len(round_.operations) > 1 else 0):
                rest: Any = _without(round_, number)
                yield [*parts[: end - 1], rest, *after]


def _without(round_: Round, number: int) -> Round:
    return replace(
        round_,
        operations=round_.operations[:number] + round_.operations[number + 1 :],
        turns=round_.turns[:number] + round_.turns[number + 1 :],
    )
