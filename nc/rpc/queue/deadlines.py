"""Calls that must get on within a fixed time."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """What is awaited, each for the same time, so that the oldest is due first.

    `start` and `stop` may be called from any thread, `overdue` from one.
    """

    def __init__(self, limit_s: float, now_ns: Callable[[], int]) -> None:
        self._limit_ns = int(limit_s * 1e9)
        self._now_ns = now_ns
        self._due: dict[T, int] = {}  # in order of time, since every limit is the same

    def start(self, awaited: T) -> None:
        self._due[awaited] = self._now_ns() + self._limit_ns

    def stop(self, awaited: T) -> None:
        self._due.pop(awaited, None)

    def __len__(self) -> int:
        return len(self._due)

    def __iter__(self) -> Iterator[T]:
        """All that are awaited now, the oldest first."""
        return iter(list(self._due))  # a copy: others may be added meanwhile

    def overdue(self, now_ns: int) -> Iterator[T]:
        """Each that has waited too long, once."""
        while (oldest := self._oldest()) is not None and oldest[1] <= now_ns:
            self.stop(oldest[0])
            yield oldest[0]

    def _oldest(self) -> tuple[T, int] | None:
        while True:
            try:
                return next(iter(self._due.items()), None)
            except RuntimeError:  # another thread added one just now
                continue
