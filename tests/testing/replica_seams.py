"""Bugs planted in every replica through the arguments that it takes."""

from collections.abc import Callable, Iterable
from functools import partialmethod
from typing import Any

import pytest

from nc.domain.decide import Command
from nc.domain.evolve import evolve_entries
from nc.domain.state import State
from nc.replica.batch import Decided, Origin, decide_batch
from nc.replica.replica import Replica


def plant(patch: pytest.MonkeyPatch, **seams: Any) -> None:
    """Give each replica that is made from now on these arguments, such as `decide` or `replay`."""
    patch.setattr(Replica, "__init__", partialmethod(Replica.__init__, **seams))


def same_entries(state: State, known: Decided) -> Decided:
    """What was decided on an older state, as if it followed this one."""
    return known._replace(state=evolve_entries(state, known.entries))


class AtRetry:
    """A `decide` for whole batches, but for those that are decided again after a conflict.

    Args:
        again: decides those, from the state and what was decided the time before.
    """

    def __init__(self, again: Callable[[State, Decided], Decided]) -> None:
        self._again = again
        self._known: dict[int, tuple[Command, Decided]] = {}  # by the identity of the first command

    def __call__(
        self,
        state: State,
        queued: Iterable[tuple[Command, Origin]],
        recorded_at_ns: int,
        payload_bytes: int,
    ) -> Decided:
        batch = list(queued)
        first, _ = batch[0]
        if id(first) in self._known:
            decided = self._again(state, self._known[id(first)][1])
        else:
            decided = decide_batch(state, batch, recorded_at_ns, payload_bytes)
        self._known[id(first)] = first, decided
        return decided
