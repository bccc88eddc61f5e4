"""Adds the diagnosis and advice of `log repair` to a reader's error about damage.

A reader knows only the position where it stopped. Whether a server can start all the same, from
which event on the log can be read, and whether a file only has a wrong name, takes an examination
of the whole log. It is done before the error is reported, so that all commands report the same.
"""

from pathlib import Path

from eventlog import LogDamaged, LogError, LogMissing
from eventlog.disk import OS_DISK
from eventlog.repair import Diagnosis, RepairPlan, plan_repair
from eventlog.segments import SEGMENT_SUFFIX, segment_name
from nc.cli.log.repair_text import unreadable, verdict
from nc.cli.log.source import is_unpacked
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA
from nc.history.export.binary import ExportDamaged


def explained(error: LogDamaged | LogMissing) -> Exception:
    """The error to report instead, with what can be done about the damage."""
    if isinstance(error, LogMissing):
        return damage_in(error.folder) or error
    if not is_unpacked(error.file.parent):
        return damage_in(error.file.parent) or error
    place = f"{error.file.name} in it, offset {error.offset}"
    return ExportDamaged(
        f"the file was made of a log that was damaged, or damaged since: {place}: {error.found}, "
        f"expected {error.expected}; copy or export it again"
    )


def damage_in(folder: Path) -> LogDamaged | None:
    """What a repair would find in a log, with what to do about it.

    Returns:
        None: nothing, or nothing can be said: the folder is a slice, or cannot be read.
    """
    is_slice = any(folder.glob(f"*{SEGMENT_SUFFIX}")) and not (folder / segment_name(1)).exists()
    if is_slice:
        return None
    try:
        plan = plan_repair(folder, OS_DISK, SNAPSHOT_SCHEMA)
    except LogError:
        return None
    damage = plan.damage
    if damage is None:
        return None
    place = (damage.file, damage.offset, damage.seq, damage.found, damage.expected)
    return LogDamaged(*place, advice=_advice(plan) or damage.advice)


def _rest(plan: RepairPlan) -> str:
    """Advice for reading the events behind the snapshot; empty if there are none."""
    number = (plan.snapshot or "").partition(".")[0]
    if not number or int(number) >= plan.last_seq:
        return ""
    export = f"log export --format binary --from {int(number) + 1} --out FILE"
    return f", and `{export}` makes a file of the rest that every command reads"


def _advice(plan: RepairPlan) -> str | None:
    """The advice for a diagnosis; None: the error's own advice holds."""
    if plan.diagnosis is Diagnosis.SERVES:
        behind = plan.unreadable.through + 1
        return (
            f"{unreadable(plan)} cannot be read, at least in part, and a server does not need "
            f"them; `log show --from {behind}` reads on behind{_rest(plan)}"
        )
    if plan.diagnosis in (Diagnosis.MISNAMED, Diagnosis.HOPELESS):
        return verdict(plan)
    return None
