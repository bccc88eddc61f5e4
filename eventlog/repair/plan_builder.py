"""Collects the steps of a plan, and what they remove."""

from collections.abc import Iterable
from pathlib import Path

from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import SEGMENT_HEADER_BYTES
from eventlog.repair.inventory import Inventory
from eventlog.repair.plan import (
    NO_EVENTS,
    Diagnosis,
    EventRange,
    RemoveFile,
    RepairPlan,
    Step,
    WriteSegment,
)
from eventlog.repair.salvage import Part, proven_seq
from eventlog.repair.scan import LogScan
from eventlog.repair.segment_fixes import SegmentFix
from eventlog.segments import segment_name


class PlanBuilder:
    """A plan that is not finished; `steps` are in the order in which they will be done."""

    def __init__(self, disk: Disk, folder: Path, schema: int, found: Inventory) -> None:
        self.disk = disk
        self.folder = folder
        self.found = found
        self.steps: list[Step] = []
        self._schema = schema
        self._remains: list[Part] = []
        self._proven_seq = 0  # the highest event that a removed file proves to have existed

    def write(self, name: str, head: bytes) -> None:
        """Write a segment that holds nothing but its header."""
        self.steps.append(WriteSegment(name, head, "", 0, 0))

    def remove(self, name: str, proven_seq: int = 0) -> None:
        """Remove a file, which proves that event `proven_seq` existed."""
        self.steps.append(RemoveFile(name))
        self._proven_seq = max(self._proven_seq, proven_seq)

    def fix(self, fixes: Iterable[SegmentFix]) -> None:
        """Repair segments; `found` has their new headers from now on."""
        for fix in fixes:
            self.steps.append(fix.step)
            if fix.header is not None:
                self.found.segments[fix.header.first_seq] = fix.header

    def keep(self, scan: LogScan, spared: tuple[int, ...] = ()) -> None:
        """Keep what was scanned, with its fixes, and cut where damage stopped the scan.

        That cuts the rest of the segment, and removes the segments after it but those spared. The
        oldest is removed first: until the last one is, a gap keeps the log from opening, and what
        is left says most about what was lost.
        """
        self.fix(scan.fixes)
        if scan.damage is None:
            return
        name = segment_name(scan.end.segment)
        self._remains.append(Part(name, scan.end.offset))
        if scan.rest_end and scan.end.segment not in spared:
            self.steps.append(WriteSegment(name, b"", name, 0, scan.end.offset))
        self.remove_segments(scan.end.segment, spared)

    def remove_segments(self, after: int, spared: tuple[int, ...] = ()) -> None:
        """Remove the segments after one, but those spared."""
        for first_seq, header in self.found.segments.items():
            if first_seq <= after:
                continue
            name = segment_name(first_seq)
            self._remains.append(Part(name, SEGMENT_HEADER_BYTES))
            self._proven_seq = max(self._proven_seq, first_seq - 1 if header else 0)
            if first_seq not in spared:
                self.steps.append(RemoveFile(name))

    def finish(
        self,
        diagnosis: Diagnosis,
        damage: LogDamaged | None = None,
        last_seq: int = 0,
        unreadable: EventRange = NO_EVENTS,
        snapshot: str | None = None,
    ) -> RepairPlan:
        remains = tuple(self._remains)
        log_id = self.found.log_id
        proven = proven_seq(self.disk, self.folder, log_id, remains)
        through = max(last_seq, self._proven_seq, proven)
        is_misnamed = diagnosis is Diagnosis.MISNAMED
        return RepairPlan(
            self.folder,
            self._schema,
            log_id,
            diagnosis,
            damage,
            last_seq,
            EventRange(last_seq + 1, through),
            unreadable,
            tuple(self.steps),
            tuple(self.found.renamed.items()) if is_misnamed else (),
            remains,
            snapshot,
        )
