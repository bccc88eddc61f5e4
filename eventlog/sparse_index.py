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
    """Some places of one segment, in order. One thread adds, any may ask."""

    __slots__ = ("_places",)

    def __init__(self, places: list[LogPosition]) -> None:
        self._places = list(places)

    def add(self, place: LogPosition) -> None:
        """Here is one, in the same segment or a new one."""
        last = self._places[-1] if self._places else None
        if last is None or last.segment != place.segment:
            self._places = [place]
        elif place.offset - last.offset >= _APART_BYTES:
            self._places.append(place)

    def before(self, seq: int) -> LogPosition | None:
        """The last one known that has the event `seq` behind it."""
        places = self._places
        index = bisect_right(places, seq - 1, key=attrgetter("last_seq"))
        return places[index - 1] if index else None
