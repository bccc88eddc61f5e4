"""Repair of a damaged log: find the damage, then cut there, or continue from a snapshot.

`plan_repair` changes nothing and holds no lock; `repair` carries a plan out; `salvage` reads the
records behind a damage, to tell what was lost. The README of eventlog specifies the plans.

    inventory      which files there are, by their headers rather than by their names
    scan           how far the records can be read, and what stops the scan
    segment_fixes  damage that is repaired without losing an event
    snapshot_base  how the log continues from a snapshot behind the damage
    planner        the decision between these; plan_builder collects the steps of the plan
    apply          carrying a plan out
    salvage        records behind a damage
"""

from eventlog.repair.apply import repair
from eventlog.repair.plan import (
    Diagnosis,
    EventRange,
    RemoveFile,
    RepairPlan,
    RewriteSnapshot,
    Step,
    WriteSegment,
)
from eventlog.repair.planner import plan_repair
from eventlog.repair.salvage import Part, Remnant, salvage

__all__ = [
    "Diagnosis",
    "EventRange",
    "Part",
    "Remnant",
    "RemoveFile",
    "RepairPlan",
    "RewriteSnapshot",
    "Step",
    "WriteSegment",
    "plan_repair",
    "repair",
    "salvage",
]
