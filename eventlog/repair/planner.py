"""The plan for a damaged log, from an examination that changes nothing.

Without a snapshot the log is kept up to the first event that cannot be read, and cut there. A good
snapshot from behind the damage is better: it has the effect of all events before it. The log then
continues from it, the present state loses nothing, and only the damaged events cannot be read any
more. Files that only have a wrong name have to be renamed by hand.
"""

from pathlib import Path

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import NO_CHAIN
from eventlog.repair.inventory import Inventory, take_inventory
from eventlog.repair.plan import Diagnosis, RepairPlan
from eventlog.repair.plan_builder import PlanBuilder
from eventlog.repair.scan import LogScan, scan_log
from eventlog.repair.segment_fixes import SegmentFix, fix_header, rebuild_header
from eventlog.repair.snapshot_base import continue_from
from eventlog.segments import segment_name


def plan_repair(folder: Path, disk: Disk, schema: int) -> RepairPlan:
    """Examine a log and plan its repair. Holds no lock, and changes nothing.

    Args:
        folder: the log's.
        disk: has the folder.
        schema: of the application's snapshots.

    Raises:
        LogMissing: there is no log.
        LogUnavailable: this process cannot read it.
        LogDamaged: the disk cannot read what every plan needs.
    """
    plan = _examine(folder, disk, schema)
    if plan.damage is not None:  # an append under way may look like damage
        plan = _examine(folder, disk, schema)
    return plan


def _examine(folder: Path, disk: Disk, schema: int) -> RepairPlan:
    found = take_inventory(disk, folder, schema)
    builder = PlanBuilder(disk, folder, schema, found)
    if found.newer is not None:
        return builder.finish(Diagnosis.NEWER, found.newer)
    for name, own_name in found.renamed.items():
        what = f"this segment under the name {name}"
        damage = LogDamaged(folder / own_name, 0, 0, what, "it in its place")
        return builder.finish(Diagnosis.MISNAMED, damage)
    for name in found.surplus:
        builder.remove(name)
    fixes: tuple[SegmentFix, ...] = ()
    try:
        start = Cursor(disk, folder, 1, found.log_id)
    except LogDamaged as damage:
        header = rebuild_header(disk, folder, 1, found.log_id, NO_CHAIN)
        if header is None:
            base = _base(found, 1)
            if base is None:
                return builder.finish(Diagnosis.HOPELESS, damage)
            return continue_from(builder, base, damage, 0)
        fixes = (fix_header(damage, header),)
        start = Cursor(disk, folder, 1, found.log_id, header)
    chains = [position.chain for position in found.positions.values()]
    scan = scan_log(disk, start, found.segments, chains)
    return _plan_for(builder, scan._replace(fixes=fixes + scan.fixes))


def _plan_for(builder: PlanBuilder, scan: LogScan) -> RepairPlan:
    """The plan for a log that can be read from its start to the end of the scan."""
    if scan.is_newer:
        return builder.finish(Diagnosis.NEWER, scan.damage, scan.last_seq)
    damage = scan.first_damage or _misfit(builder, scan)
    if damage is None:
        diagnosis = Diagnosis.TORN if scan.rest_end else Diagnosis.SOUND
        return builder.finish(diagnosis, None, scan.last_seq)
    # If all records can be read, only a snapshot that holds more than they do is of use.
    least_seq = scan.last_seq + (scan.damage is None)
    base = _base(builder.found, least_seq, scan.passed)
    if base is not None:
        builder.fix(fix for fix in scan.fixes if fix.header is not None)
        return continue_from(builder, base, damage, scan.end.segment)
    builder.keep(scan)
    for name, position in builder.found.positions.items():
        if position.chain not in scan.passed:
            builder.remove(name, position.last_seq)
    return builder.finish(Diagnosis.REPAIRABLE, damage, scan.last_seq)


def _base(found: Inventory, least_seq: int, passed: frozenset[bytes] = frozenset()) -> str | None:
    """The newest usable snapshot; None if it holds fewer events, or the scan passed it."""
    for name, position in found.positions.items():  # the newest first
        if name in found.usable:
            is_base = position.last_seq >= least_seq and position.chain not in passed
            return name if is_base else None
    return None


def _misfit(builder: PlanBuilder, scan: LogScan) -> LogDamaged | None:
    """The reason why a log with intact records does not open; None: it opens."""
    for name, first_seq in builder.found.surplus.items():
        what = f"a copy of {segment_name(first_seq)}" if first_seq else "no segment of this log"
        return LogDamaged(builder.folder / name, 0, first_seq, what, "no such file")
    end = scan.end
    for name, position in builder.found.positions.items():
        if position.chain in scan.passed:
            return None  # the newest snapshot decides
        found, expected = "another past", f"the one that {name} remembers"
        if position.last_seq > scan.last_seq:
            found = f"the log ends with event {scan.last_seq}"
            expected = f"event {position.last_seq} as {name} says it was durable"
        return LogDamaged(end.path, end.offset, end.next_seq, found, expected)
    return None
