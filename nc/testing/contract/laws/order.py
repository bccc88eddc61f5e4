"""Laws about every answer: the order of the commands explains it, and it is never stale."""

from collections.abc import Iterator

from nc.testing.contract import operations as ops
from nc.testing.contract.history import Step
from nc.testing.contract.knowledge import Observed
from nc.testing.contract.laws.law import Evidence, law, sighted


@law()
def answers_are_never_stale(observed: Observed) -> Iterator[Evidence]:
    """An answer is never older than what was acknowledged before the question was asked."""
    yield from sighted("answers are never stale", observed)
    is_known = False
    for number, steps in () if observed.history.is_cluster else observed.history.rounds():
        if all(isinstance(step.operation, ops.Query) for step in steps):
            if is_known:
                yield Evidence(number != observed.history.stale, _round(steps))
        else:
            is_known = is_known or any(step.is_ok for step in steps)


@law()
def some_order_of_the_commands_explains_every_answer(observed: Observed) -> Iterator[Evidence]:
    """What ran at the same time took effect in some order, each doing what the contract says."""
    for number, steps in observed.history.rounds():
        yield Evidence(number != observed.history.unexplained, _round(steps))


def _round(steps: list[Step]) -> str:
    return "; ".join(map(str, steps))
