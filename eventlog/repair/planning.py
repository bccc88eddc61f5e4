"""What can be done about a damaged log: a look at all of it that changes nothing, and a plan.

Without a snapshot the log can be kept up to the first event that cannot be read: what is behind is
cut. A good snapshot from behind that place is worth more: it holds what the events before it led
to. So the log goes on from there, nothing of the present state is lost, and only what was damaged
cannot be read any more. A file that only has the wrong name is for people to rename.
"""

from pathlib import Path

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import NO_CHAIN
from eventlog.repair.draft import PlanDraft
from eventlog.repair.inventory import Inventory, take_inventory
from eventlog.repair.mending import rebuilt_header
from eventlog.repair.plan import Finding, Plan
from eventlog.repair.standing import continue_from
from eventlog.repair.walk import SegmentFix, Walk, mend_of_header, walk
from eventlog.segments import segment_name

__all__ = ["plan_repair"]


def plan_repair(folder: Path, disk: Disk, schema: int) -> Plan:
    """Look at a log, and say what can be done about it. Holds no lock, and changes nothing.

    Args:
        folder: the log's.
        disk: what it is on.
        schema: of the application's snapshots.

    Raises:
        LogMissing: there is no log.
        LogUnavailable: this process cannot read it.
        LogDamaged: the disk cannot read what every plan needs.
    """
    plan = _look(folder, disk, schema)
    if plan.damage is not None:  # or a writer was just there: look once more, as readers do
        plan = _look(folder, disk, schema)
    return plan


def _look(folder: Path, disk: Disk, schema: int) -> Plan:
    found = take_inventory(disk, folder, schema)
    draft = PlanDraft(disk, folder, schema, found)
    if found.newer is not None:
        return draft.finish(Finding.NEWER, found.newer)
    for name, own_name in found.renamed.items():
        was = f"this segment under the name {name}"
        damage = LogDamaged(folder / own_name, 0, 0, was, "it in its place")
        return draft.finish(Finding.MISNAMED, damage)
    for name in found.strays:
        draft.remove(name)
    mends: tuple[SegmentFix, ...] = ()
    try:
        start = Cursor(disk, folder, 1, found.log_id)
    except LogDamaged as damage:
        header = rebuilt_header(disk, folder, 1, found.log_id, NO_CHAIN)
        if header is None:
            base = _base(found, 1)
            if base is None:
                return draft.finish(Finding.HOPELESS, damage)
            return continue_from(draft, base, damage, 0)
        mends = (mend_of_header(damage, header),)
        start = Cursor(disk, folder, 1, found.log_id, header)
    chains = [place.chain for place in found.places.values()]
    way = walk(disk, start, found.segments, chains)
    return _planned(draft, way._replace(mends=mends + way.mends))


def _planned(draft: PlanDraft, way: Walk) -> Plan:
    """The plan for a log that can be read from the start, as far as that goes."""
    if way.is_newer:
        return draft.finish(Finding.NEWER, way.damage, way.last_seq)
    # Of a log that is whole, only a snapshot of more than that is worth anything.
    least_seq = way.last_seq + (way.damage is None)
    damage = way.first_damage or _misfit(draft, way)
    base = _base(draft.found, least_seq, way.passed)
    if damage is None:
        finding = Finding.TORN if way.rest_end else Finding.SOUND
        return draft.finish(finding, None, way.last_seq)
    if base is not None:
        draft.mend(mend for mend in way.mends if mend.header is not None)
        return continue_from(draft, base, damage, way.end.segment)
    draft.keep_way(way)
    for name in draft.found.snapshots:
        place = draft.found.places.get(name)
        if place is not None and place.chain not in way.passed:
            draft.remove(name, place.last_seq)
    return draft.finish(Finding.REPAIRABLE, damage, way.last_seq)


def _base(found: Inventory, least_seq: int, passed: frozenset[bytes] = frozenset()) -> str | None:
    """The newest snapshot that can be used; None if it holds less than that, or was passed."""
    for name, place in found.places.items():  # the newest first
        if name in found.good:
            return name if place.last_seq >= least_seq and place.chain not in passed else None
    return None


def _misfit(draft: PlanDraft, way: Walk) -> LogDamaged | None:
    """What keeps a log from being opened whose records are in order; None: nothing does."""
    for name, first_seq in draft.found.strays.items():
        what = f"a copy of {segment_name(first_seq)}" if first_seq else "no segment of this log"
        return LogDamaged(draft.folder / name, 0, first_seq, what, "no such file")
    end = way.end
    for name, place in draft.found.places.items():
        if place.chain in way.passed:
            return None  # the newest decides
        found, expected = "another past", f"the one that {name} remembers"
        if place.last_seq > way.last_seq:
            found = f"the log ends with event {way.last_seq}"
            expected = f"event {place.last_seq} as {name} says it was durable"
        return LogDamaged(end.path, end.offset, end.next_seq, found, expected)
    return None
