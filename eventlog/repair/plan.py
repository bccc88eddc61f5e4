"""A plan for a damaged log: what was found, what would be done about it, what that would lose."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from eventlog.api import LogPosition
from eventlog.errors import LogDamaged
from eventlog.repair.salvage import Part

__all__ = ["NONE", "TO_THE_END", "Build", "Finding", "Plan", "Remove", "Renew", "Span", "Step"]


class Finding(StrEnum):
    """What a look at a log comes to."""

    SOUND = "sound"
    TORN = "torn"  # an unfinished append, which opening the log clears away
    SERVES = "serves"  # damaged before its snapshot, and opens: nothing has to be done
    REPAIRABLE = "repairable"  # the steps of the plan mend it, or let it be opened again
    MISNAMED = "misnamed"  # files have to be renamed first
    NEWER = "newer"  # a later version of the program wrote it
    HOPELESS = "hopeless"  # neither events nor a snapshot can be read


class Span(NamedTuple):
    """Some events in a row."""

    first: int
    through: int  # < first: none that is known

    @property
    def count(self) -> int:  # type: ignore[override]  # hides tuple.count, of no use here
        """How many."""
        return max(0, self.through - self.first + 1)


NONE = Span(0, -1)

TO_THE_END: Final = 2**63 - 1  # an offset behind every file's


class Build(NamedTuple):
    """A segment is made anew, of a head and a part of another one, or of itself."""

    name: str
    head: bytes  # what it begins with
    source: str  # whose bytes follow; empty: none do
    start: int  # offsets in the source: from there
    end: int  # to there

    @property
    def is_cut(self) -> bool:
        """Whether it only becomes shorter."""
        return self.source == self.name and not self.head


class Remove(NamedTuple):
    """A file is taken away."""

    name: str


class Renew(NamedTuple):
    """A snapshot is told which segments there are now, and where it stands in them."""

    name: str
    place: LogPosition


Step = Build | Remove | Renew


@dataclass(frozen=True, slots=True)
class Plan:
    """What was found, and what would be done. Only the steps change anything."""

    folder: Path
    schema: int  # of the snapshots that can be used
    log_id: bytes
    finding: Finding
    damage: LogDamaged | None = None  # the first place that cannot be read
    last_seq: int = 0  # of the events that stay
    lost: Span = NONE  # of which nothing stays, as far as anything proves that they were there
    unreadable: Span = NONE  # what they led to stays, but not all of them can be read any more
    steps: tuple[Step, ...] = ()  # in the order in which they are safe
    renames: tuple[tuple[str, str], ...] = ()  # for people to do: from, to
    remains: tuple[Part, ...] = ()  # where to look for what is lost, before it is cut
    snapshot: str | None = None  # that the log goes on from
