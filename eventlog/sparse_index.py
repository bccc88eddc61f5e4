"""A sparse index of the newest segment: some positions, so that its end is found without a scan.

Followers read near the end of the log; a read of older events begins at the start of their segment.
"""

from bisect import bisect_right
from operator import attrgetter
from typing import Final

from eventlog.api import LogPosition

_APART_BYTES: Final = 256 * 1024  # the size of one read


class SparseIndex:
    """Some positions of one segment, in order. One thread adds, any may search."""

    __slots__ = ("_positions",)

    def __init__(self, positions: list[LogPosition]) -> None:
        self._positions = list(positions)

    def add(self, position: LogPosition) -> None:
        """Add a position, in the same segment or a new one."""
        last = self._positions[-1] if self._positions else None
        if last is None or last.segment != position.segment:
            self._positions = [position]
        elif position.offset - last.offset >= _APART_BYTES:
            self._positions.append(position)

    def before(self, seq: int) -> LogPosition | None:
        """The last position before event `seq`."""
        positions = self._positions
        index = bisect_right(positions, seq - 1, key=attrgetter("last_seq"))
        return positions[index - 1] if index else None
