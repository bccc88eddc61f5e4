"""A plan while it is made: the steps so far, and what they take away."""

from collections.abc import Iterable
from pathlib import Path

from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import SEGMENT_HEADER_BYTES
from eventlog.repair.inventory import Inventory
from eventlog.repair.plan import NONE, Build, Finding, Plan, Remove, Span, Step
from eventlog.repair.salvage import Part, proven_seq
from eventlog.repair.walk import SegmentFix, Walk
from eventlog.segments import segment_name

__all__ = ["PlanDraft"]


class PlanDraft:
    """A plan that is not finished.

    Args:
        disk: what the log is on.
        folder: the log's.
        schema: of the snapshots that can be used.
        found: what is in the folder.

    Attributes:
        steps: what is to be done, in order.
    """

    def __init__(self, disk: Disk, folder: Path, schema: int, found: Inventory) -> None:
        self.disk = disk
        self.folder = folder
        self.found = found
        self.steps: list[Step] = []
        self._schema = schema
        self._remains: list[Part] = []
        self._proven_seq = 0  # that what is taken away speaks of

    def remove(self, name: str, last_seq: int = 0) -> None:
        """Take away a file, which says that there were so many events."""
        self.steps.append(Remove(name))
        self._proven_seq = max(self._proven_seq, last_seq)

    def mend(self, mends: Iterable[SegmentFix]) -> None:
        """SegmentFix what can be, and from now on take the headers for those that they will be."""
        for mend in mends:
            self.steps.append(mend.step)
            if mend.header is not None:
                self.found.segments[mend.header.first_seq] = mend.header

    def keep_way(self, way: Walk, spared: tuple[int, ...] = ()) -> None:
        """Keep what was walked over, mended, and cut where the way ended before the log did.

        What is cut is the rest of that segment, and all segments after it but those spared.
        The oldest first: what is left until the end then says most about what was lost, and until
        the end there is a gap before it, so that the log does not open.
        """
        self.mend(way.mends)
        if way.damage is None:
            return
        name = segment_name(way.end.segment)
        self._remains.append(Part(name, way.end.offset))
        if way.rest_end and way.end.segment not in spared:
            self.steps.append(Build(name, b"", name, 0, way.end.offset))
        self.remove_segments(way.end.segment, spared)

    def remove_segments(self, after: int, spared: tuple[int, ...] = ()) -> None:
        """Take away the segments after one, but those spared."""
        for first_seq, header in self.found.segments.items():
            if first_seq <= after:
                continue
            name = segment_name(first_seq)
            self._remains.append(Part(name, SEGMENT_HEADER_BYTES))
            self._proven_seq = max(self._proven_seq, first_seq - 1 if header else 0)
            if first_seq not in spared:
                self.steps.append(Remove(name))

    def finish(
        self,
        finding: Finding,
        damage: LogDamaged | None = None,
        last_seq: int = 0,
        unreadable: Span = NONE,
        snapshot: str | None = None,
    ) -> Plan:
        """The plan."""
        remains = tuple(self._remains)
        log_id = self.found.log_id
        through = max(
            last_seq, self._proven_seq, proven_seq(self.disk, self.folder, log_id, remains)
        )
        return Plan(
            self.folder,
            self._schema,
            log_id,
            finding,
            damage,
            last_seq,
            Span(last_seq + 1, through),
            unreadable,
            tuple(self.steps),
            tuple(self.found.renamed.items()) if finding is Finding.MISNAMED else (),
            remains,
            snapshot,
        )
