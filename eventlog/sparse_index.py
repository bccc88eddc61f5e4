"""Milestones: places in the newest segment, so that who wants its end need not read all of it.

Followers and replicas that come back want what is near the end; whoever wants old events reads
their segment from its start.
"""

from bisect import bisect_right
from operator import attrgetter
from typing import Final

from eventlog.api import LogPosition

__all__ = ["SparseIndex"]

_APART_BYTES: Final = 256 * 1024  # as much as one read brings


class SparseIndex:
    """Some positions of one segment, in order. One thread adds, any may ask."""

    __slots__ = ("_positions",)

    def __init__(self, positions: list[LogPosition]) -> None:
        self._positions = list(positions)

    def add(self, position: LogPosition) -> None:
        """Here is one, in the same segment or a new one."""
        last = self._positions[-1] if self._positions else None
        if last is None or last.segment != position.segment:
            self._positions = [position]
        elif position.offset - last.offset >= _APART_BYTES:
            self._positions.append(position)

    def before(self, seq: int) -> LogPosition | None:
        """The last one known that has the event `seq` behind it."""
        positions = self._positions
        index = bisect_right(positions, seq - 1, key=attrgetter("last_seq"))
        return positions[index - 1] if index else None
