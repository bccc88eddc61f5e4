"""Repairing a damaged log: the only thing that ever changes one.

`plan_repair` looks, changes nothing and holds no lock; `repair` carries a plan out; `salvage` reads
what no chain leads to any more, to tell people what was lost.
"""

from eventlog.repair.plan import Build, Finding, Plan, Remove, Renew, Span, Step
from eventlog.repair.planning import plan_repair
from eventlog.repair.salvage import Part, Remnant, salvage
from eventlog.repair.steps import repair

__all__ = [
    "Build",
    "Finding",
    "Part",
    "Plan",
    "Remnant",
    "Remove",
    "Renew",
    "Span",
    "Step",
    "plan_repair",
    "repair",
    "salvage",
]
