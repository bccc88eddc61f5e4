"""What a reader that stops at damage cannot say: what `log repair` would find, and the way on.

A reader knows the place where it stopped. Whether the log serves all the same, from where on it can
be read, or that a file only has the wrong name, needs a look at all of it; here it is taken before
the error is told, so that every command says the same of the same damage.
"""

from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from eventlog import LogDamaged, LogError, LogMissing
from eventlog.disk import OS_DISK
from eventlog.repair import Diagnosis, RepairPlan, plan_repair
from eventlog.segments import SEGMENT_SUFFIX, segment_name
from nc.cli.log.repair_text import unreadable, verdict
from nc.cli.log.source import is_unpacked
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA
from nc.history.export.binary import ExportDamaged

__all__ = ["ReadingCommands", "damage_in"]


class ReadingCommands(TyperGroup):
    """Commands that read a log: damage that stops one is told with what can be done about it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named.

        Raises:
            LogDamaged: it met damage, or found no segment where there was one.
            ExportDamaged: it met damage in a file that was exported.
        """
        try:
            return super().invoke(ctx)
        except LogDamaged as error:
            raise _told(error) from error
        except LogMissing as error:
            raise (damage_in(error.folder) or error) from error


def _told(error: LogDamaged) -> Exception:
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
    """How every command reads what is behind the snapshot, if anything is."""
    number = (plan.snapshot or "").partition(".")[0]
    if not number or int(number) >= plan.last_seq:
        return ""
    export = f"log export --format binary --from {int(number) + 1} --out FILE"
    return f", and `{export}` makes a file of the rest that every command reads"


def _advice(plan: RepairPlan) -> str | None:
    """What to do; None: what the error says by itself."""
    if plan.diagnosis is Diagnosis.SERVES:
        behind = plan.unreadable.through + 1
        return (
            f"{unreadable(plan)} cannot be read, at least in part, and a server does not need "
            f"them; `log show --from {behind}` reads on behind{_rest(plan)}"
        )
    if plan.diagnosis in (Diagnosis.MISNAMED, Diagnosis.HOPELESS):
        return verdict(plan)
    return None
