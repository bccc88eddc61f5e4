"""Durations counted in buckets of plain numbers, cheap enough for every call.

One thread writes at a time, any may read: a reader may see a duration that is only counted in part.
"""

from bisect import bisect_left
from collections.abc import Iterator

_NS_PER_S = 1e9


class Histogram:
    """How many durations were not longer than each bound.

    Args:
        bounds_s: ascending, seconds; one bucket more is for what is longer.

    Attributes:
        total_ns: the sum of all durations.
    """

    __slots__ = ("_bounds_ns", "_bounds_s", "_counts", "total_ns")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self._bounds_s = bounds_s
        self._bounds_ns = [int(bound * _NS_PER_S) for bound in bounds_s]
        self._counts = [0] * (len(bounds_s) + 1)
        self.total_ns = 0

    def observe(self, duration_ns: int) -> None:
        self._counts[bisect_left(self._bounds_ns, duration_ns)] += 1
        self.total_ns += duration_ns

    @property
    def count(self) -> int:
        return sum(self._counts)

    @property
    def sum_s(self) -> float:
        return self.total_ns / _NS_PER_S

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound, the last one infinite, and how many were not longer than it."""
        so_far = 0
        for bound_s, count in zip((*self._bounds_s, float("inf")), self._counts, strict=True):
            so_far += count
            yield bound_s, so_far
