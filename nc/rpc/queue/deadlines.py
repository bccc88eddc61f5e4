"""Calls that must get on within a fixed time."""

import math
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Round:
    """What began to be awaited between two looks at the clock: all of it is due at once."""

    __slots__ = ("due_ns",)

    def __init__(self) -> None:
        self.due_ns = math.inf


class Deadlines(Generic[T]):
    """What is awaited, each for the same time, so that the oldest is due first.

    That time is counted from the next look at the clock after `start`: so no call needs one.

    `start` and `stop` may be called from any thread, `overdue` from one.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_ns = int(limit_s * 1e9)
        self._looked_ns = 0
        self._round = _Round()
        self._awaited: dict[T, _Round] = {}  # in order of time

    def start(self, awaited: T) -> None:
        self._awaited[awaited] = self._round

    def stop(self, awaited: T) -> None:
        self._awaited.pop(awaited, None)

    def __len__(self) -> int:
        return len(self._awaited)

    def __iter__(self) -> Iterator[T]:
        """All that are awaited now, the oldest first."""
        return iter(list(self._awaited))  # a copy: others may be added meanwhile

    def overdue(self, now_ns: int) -> Iterator[T]:
        """Each that has waited too long, once.

        Args:
            now_ns: at the last look at the clock.
        """
        if now_ns > self._looked_ns:
            self._looked_ns = now_ns
            self._round.due_ns = now_ns + self._limit_ns
            self._round = _Round()
        return self._until(now_ns)

    def _until(self, now_ns: int) -> Iterator[T]:
        while (oldest := self._oldest()) is not None and oldest[1].due_ns <= now_ns:
            self.stop(oldest[0])
            yield oldest[0]

    def _oldest(self) -> tuple[T, _Round] | None:
        while True:
            try:
                return next(iter(self._awaited.items()), None)
            except RuntimeError:  # another thread added one just now
                continue
