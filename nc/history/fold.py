"""Folds a history: the state after any of its events."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from nc.domain.codec.records import Recorded
from nc.domain.evolve import Fold
from nc.domain.state import State

EMPTY_STATE: Final = State()  # before the first event


def state_at(history: Iterable[Recorded], seq: int, base: State = EMPTY_STATE) -> State:
    """The state after event `seq`; `history` holds the events that follow `base`.

    Raises:
        UnknownEvent: a newer version wrote one of them.
    """
    fold = Fold(base)
    fold.add_recorded(islice(history, max(0, seq - base.seq)))
    return fold.finish()


class RunningState:
    """Folds a history while it is read for another purpose.

    Args:
        base: the state to begin with; events that it holds, and those after a gap, change nothing.
    """

    def __init__(self, base: State) -> None:
        self._fold = Fold(base)
        self._next_seq = base.seq + 1

    def through(self, history: Iterable[Recorded]) -> Iterator[Recorded]:
        """The same history; each event is folded in before it is yielded."""
        for recorded in history:
            self.add(recorded)
            yield recorded

    def add(self, recorded: Recorded) -> None:
        """Fold an event in if it is the next one.

        Raises:
            UnknownEvent: a newer version wrote it.
        """
        if recorded.seq == self._next_seq:
            self._fold.add_recorded((recorded,))
            self._next_seq += 1

    @property
    def state(self) -> State:
        return self._fold.finish()
