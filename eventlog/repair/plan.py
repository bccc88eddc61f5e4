"""The plan of a repair: the diagnosis, the steps, and the events that are lost."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from eventlog.api import LogPosition
from eventlog.errors import LogDamaged
from eventlog.repair.salvage import Part


class Diagnosis(StrEnum):
    SOUND = "sound"
    TORN = "torn"  # ends with an unfinished append, which the next open cuts off
    SERVES = "serves"  # damaged before its newest snapshot, and opens as it is
    REPAIRABLE = "repairable"  # opens after the steps of the plan
    MISNAMED = "misnamed"  # files have to be renamed by hand first
    NEWER = "newer"  # written by a later version of the format
    HOPELESS = "hopeless"  # neither events nor a snapshot can be read


class EventRange(NamedTuple):
    """Consecutive events, by sequence number."""

    first: int
    through: int  # < first: no event that is known

    @property
    def count(self) -> int:  # type: ignore[override]  # hides tuple.count, of no use here
        return max(0, self.through - self.first + 1)


NO_EVENTS: Final = EventRange(0, -1)

TO_THE_END: Final = 2**63 - 1  # an offset behind every file's


class WriteSegment(NamedTuple):
    """Write a segment: `head`, then a part of the source, which may be the segment itself."""

    name: str
    head: bytes
    source: str  # a file in the log's folder; empty: only `head` is written
    start: int  # the part's first offset in the source
    end: int  # the offset behind the part

    @property
    def is_cut(self) -> bool:
        """Whether the segment only becomes shorter."""
        return self.source == self.name and not self.head


class RemoveFile(NamedTuple):
    name: str


class RewriteSnapshot(NamedTuple):
    """Give a snapshot a position, and the hash of the segments up to there."""

    name: str
    position: LogPosition


Step = WriteSegment | RemoveFile | RewriteSnapshot


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """The diagnosis of a log, and the steps of its repair."""

    folder: Path
    schema: int  # of the snapshots that can be used
    log_id: bytes
    diagnosis: Diagnosis
    damage: LogDamaged | None = None  # the first one
    last_seq: int = 0  # of the events that are kept
    lost: EventRange = NO_EVENTS  # as far as anything left proves that they existed
    unreadable: EventRange = NO_EVENTS  # some cannot be read, but a snapshot has their effect
    steps: tuple[Step, ...] = ()  # the log does not open before the last one is done
    renames: tuple[tuple[str, str], ...] = ()  # to be done by hand: from, to
    remains: tuple[Part, ...] = ()  # what `salvage` can search for lost events, before it is cut
    snapshot: str | None = None  # from which the log continues
