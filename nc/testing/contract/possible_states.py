"""Possible states: every model of the server that its answers so far allow.

What ran at the same time may have taken effect in any order, what was never answered at all or not,
and the contract leaves some things open. So there can be several models that explain what was
answered; each further answer rules some out. When none is left, no order of the commands explains
the answers: the server is not linearisable, or does not do what the contract says.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from nc.testing.contract.model import Model
from nc.testing.contract.operations import DENIED, Denied, Facts, IssueToken, Operation, Redeem
from nc.testing.contract.values import Moment, Refused

# More are hardly ever possible; beyond, those that were found first are kept.
MAX_WORLDS = 64


class Expected(NamedTuple):
    facts: Facts
    reason: str = ""  # of a refusal, in one word


class Asked(NamedTuple):
    """An operation, the interval in which it was under way, and its answer."""

    operation: Operation
    moment: Moment
    facts: Facts | None  # None: no answer came


class PossibleStates:
    """The models that explain all answers so far."""

    def __init__(self, model: Model) -> None:
        self._models = [model]

    @property
    def any(self) -> Model:
        """One of them, to choose the next operations by."""
        return self._models[0]

    def explain(self, asked: Sequence[Asked]) -> list[str] | None:
        """Keep the models that explain these answers of one round, whatever their order was.

        Returns:
            Why each was refused, in one word, "" where that differs between models; None if
            nothing explains the answers: then all is left as it was.
        """
        found: dict[tuple[object, ...], tuple[Model, list[str]]] = {}
        for model in self._models:
            arrival = model if len(asked) > 1 else None
            for after, reasons in _orders(model, [*enumerate(asked)], arrival):
                found.setdefault(
                    after.key(), (after, [reasons.get(n, "") for n in range(len(asked))])
                )
                if len(found) >= MAX_WORLDS:
                    break
        if not found:
            return None
        self._models = [model for model, _ in found.values()]
        everything = [reasons for _, reasons in found.values()]
        return [words[0] if len(set(words)) == 1 else "" for words in zip(*everything, strict=True)]

    def change(self, change: Callable[[Model], None]) -> None:
        for model in self._models:
            change(model)


def _orders(
    model: Model, left: list[tuple[int, Asked]], arrival: Model | None
) -> Iterator[tuple[Model, dict[int, str]]]:
    """The models that the remaining operations can lead to, in any order, with their refusals."""
    if all(asked.facts is None for _, asked in left):
        yield model, {}
    for index, (number, asked) in enumerate(left):
        if asked.facts is None and _makes_no_difference(model, asked.operation):
            continue
        others = left[:index] + left[index + 1 :]
        for after, expected in _possible(model, asked, arrival):
            for end, reasons in _orders(after, others, arrival):
                yield end, {number: expected.reason, **reasons}


def _makes_no_difference(model: Model, operation: Operation) -> bool:
    """Whether nobody can notice it: what it gave out was never told, and counts for nothing."""
    if isinstance(operation, Redeem):
        if operation.is_repeatable:  # and the answer may come another time
            return False
        is_counted = model.max_nodes or model.reclaim_after_ms or operation.token in model.terms
        return not is_counted
    return isinstance(operation, IssueToken)


def _possible(
    model: Model, asked: Asked, arrival: Model | None
) -> Iterator[tuple[Model, Expected]]:
    """The models that one operation can lead to, given its answer: one for each choice."""
    untried: list[tuple[int, ...]] = [()]
    while untried:
        path = _Path(untried.pop())
        candidate = model.copy(path.choose)
        expected = expect(candidate, asked.operation, asked.moment, arrival)
        untried += path.others()
        if asked.facts is None or asked.facts == expected.facts:
            yield candidate, expected


def expect(model: Model, operation: Operation, now: Moment, arrival: Model | None) -> Expected:
    """Carry the operation out on the model; the answer that a client should see.

    `arrival` is the model when the operation came, if others ran since: its caller may have been
    checked then.
    """
    model.act_alone(now)
    try:
        checked = model
        if arrival is not None and operation.is_checked_at_once:
            checked = model.choose([model, arrival.copy(model.choose)])
        operation.check_caller(checked, now)
        return Expected(operation.expect(model, now))
    except Denied as denied:
        return Expected(Facts(DENIED), str(denied))
    except Refused as refused:
        return Expected(operation.refusal(str(refused)), str(refused))


class _Path:
    """Choices: those of a path first, then the first of everything."""

    def __init__(self, path: tuple[int, ...]) -> None:
        self._given = path
        self._taken: list[int] = []
        self._sizes: list[int] = []

    def choose(self, options: list[Any]) -> Any:
        number = len(self._taken)
        index = self._given[number] if number < len(self._given) else 0
        self._taken.append(index)
        self._sizes.append(len(options))
        return options[index]

    def others(self) -> Iterable[tuple[int, ...]]:
        """The paths that branch off this one after its given choices."""
        for number in range(len(self._given), len(self._taken)):
            for index in range(1, self._sizes[number]):
                yield (*self._taken[:number], index)
