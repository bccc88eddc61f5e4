"""The plan of a repair, as text and as JSON."""

from collections import Counter
from typing import Any, Final

from eventlog.repair import Diagnosis, EventRange, RemoveFile, RepairPlan, Step, WriteSegment
from nc.domain.codec.records import Recorded
from nc.history.fields import kind_of
from nc.history.salvage import LostEvents

_UNDONE: Final = (
    "so          nodes that were registered in them must join again, and nodes that were "
    "unregistered in them are let in again"
)

_VERDICTS: Final = {
    Diagnosis.SOUND: "the log is whole: there is nothing to repair",
    Diagnosis.TORN: "the log ends with an unfinished append, which was not confirmed; the next "
    "start clears it away: there is nothing to repair",
    Diagnosis.REPAIRABLE: "it can be repaired; the originals of what is changed are kept",
    Diagnosis.NEWER: "a newer version of this program wrote it: use that, or put a copy back",
    Diagnosis.HOPELESS: "nothing can be saved from these files: put the first segment back from a "
    "copy",
}


def place(plan: RepairPlan) -> str:
    damage = plan.damage
    if damage is None:
        return "none"
    return f"{damage.file.name}, offset {damage.offset}: {damage.found}, expected {damage.expected}"


def verdict(plan: RepairPlan) -> str:
    if plan.diagnosis is Diagnosis.MISNAMED:
        moves = ", ".join(f"{old} to {new}" for old, new in plan.renames)
        is_taken = any((plan.folder / new).exists() for _, new in plan.renames)
        how = ", moving what has these names now elsewhere first" if is_taken else ""
        return f"rename {moves}{how}; then look again: by what they say these files are those"
    if plan.diagnosis is Diagnosis.SERVES:
        return (
            f"no repair is needed to serve: a server starts from {plan.snapshot}, which holds what "
            "the events before it led to; what cannot be read can only be put back from a copy"
        )
    return _VERDICTS[plan.diagnosis]


def unreadable(plan: RepairPlan) -> str:
    return _events(plan.unreadable)


def described(plan: RepairPlan, lost: LostEvents) -> list[str]:
    lines = [f"log         {plan.folder}"]
    if plan.damage is not None:
        lines += [f"damage      {place(plan)}"]
    lines += [f"verdict     {verdict(plan)}"]
    if plan.last_seq:
        lines += [f"stays       events up to {plan.last_seq}"]
    if plan.snapshot is not None:
        lines += [f"snapshot    {plan.snapshot} holds what the events before it led to"]
    if plan.unreadable.count:
        behind = plan.unreadable.through + 1
        on = f"`log show --from {behind}` reads on behind"
        lines += [f"unreadable  {_events(plan.unreadable)}, at least in part; {on}"]
    if plan.diagnosis is Diagnosis.REPAIRABLE:
        lines += [f"lost        {_events(plan.lost)}"]
        lines += [f"{'would' if n == 0 else '':<12}{_step(s)}" for n, s in enumerate(plan.steps)]
    if plan.lost.count:
        lines += [_UNDONE]
    if lost.events:
        lines += [f"of these {len(lost.events)} can be read, unverified; they are about"]
        for what, things in (("node", lost.nodes), ("bootstrap token", lost.tokens)):
            lines += [f"  {what} {thing}: {_counted(about)}" for thing, about in things.items()]
    return lines


def _events(span: EventRange) -> str:
    if not span.count:
        return "no event that is known of"
    return f"event {span.first}" if span.count == 1 else f"events {span.first} to {span.through}"


def _kinds(events: list[Recorded]) -> dict[str, int]:
    return dict(Counter(kind_of(recorded.event) for recorded in events))


def _counted(events: list[Recorded]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in _kinds(events).items())


def _step(step: Step) -> str:
    if isinstance(step, RemoveFile):
        return f"remove {step.name}"
    if not isinstance(step, WriteSegment):
        return f"let {step.name} stand in the segments that there are"
    if step.is_cut:
        return f"cut {step.name} at offset {step.end}"
    if step.source == step.name:
        return f"give {step.name} its header back"
    if step.source:
        return f"begin {step.name} with what follows the snapshot in {step.source}"
    return f"begin {step.name}, empty"


def fields(plan: RepairPlan, lost: LostEvents) -> dict[str, Any]:
    damage = plan.damage
    return {
        "log": str(plan.folder),
        "finding": plan.diagnosis.value,
        "verdict": verdict(plan),
        "damage": None
        if damage is None
        else {
            "file": damage.file.name,
            "offset": damage.offset,
            "seq": damage.seq,
            "found": damage.found,
            "expected": damage.expected,
        },
        "last_seq": plan.last_seq,
        "lost": [*plan.lost] if plan.lost.count else None,
        "unreadable": [*plan.unreadable] if plan.unreadable.count else None,
        "snapshot": plan.snapshot,
        "steps": [_step(step) for step in plan.steps],
        "files": [*dict.fromkeys(step.name for step in plan.steps)],
        "renames": [{"from": old, "to": new} for old, new in plan.renames],
        "unverified": {
            "events": len(lost.events),
            "nodes": {each: _kinds(about) for each, about in lost.nodes.items()},
            "tokens": {each: _kinds(about) for each, about in lost.tokens.items()},
        },
        "kept_in": None,
        "seq": None,
    }
