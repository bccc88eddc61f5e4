"""Repairing a damaged log: the only thing that ever changes one.

`plan_repair` looks, changes nothing and holds no lock; `repair` carries a plan out; `salvage` reads
what no chain leads to any more, to tell people what was lost. The README beside this folder is the
specification.

    inventory   what is in the folder, by what each file says it is
    walk        how far the records can be read
    mending     damage that takes no event away
    standing    where a snapshot can stand, so that the log goes on from it
    planning    what of these is to be done, gathered in a draft, which becomes a plan
    steps       carrying a plan out
    salvage     what can be read behind a damage
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
