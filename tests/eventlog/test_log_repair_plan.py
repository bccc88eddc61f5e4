"""The plan for a damaged log: what it finds, what stays, and its steps."""

from pathlib import Path

import pytest

from eventlog import LogDamaged, LogMissing, LogReader, LogUnavailable
from eventlog.repair import Diagnosis, RemoveFile, RepairPlan, WriteSegment, plan_repair, repair
from eventlog.testing import NoSyncDisk
from tests.support import damage as small
from tests.support.broken_life import BREAKS, FIRST, HEAD, RECORD, flip, lived, look, open_and_see
from tests.support.crash_search import FOLDER, SCHEMA
from tests.support.damage import Damage, contents, open_log, payload, write_log

SOUND, TORN, SERVES, REPAIRABLE, MISNAMED, NEWER, HOPELESS = Diagnosis


Said = tuple[Diagnosis, int, int, list[str]]


def said(plan: RepairPlan) -> Said:
    """A plan in short: what it found, the events that stay and those lost, and its steps.

    A segment's first sequence number stands for it: `cut 4 at 96`, `remove 7`, `make 4`.
    """
    steps = []
    for step in plan.steps:
        name = step.name.removesuffix(".seg").lstrip("0")
        if isinstance(step, WriteSegment):
            steps.append(f"cut {name} at {step.end}" if step.is_cut else f"make {name}")
        else:
            steps.append(f"{'remove' if isinstance(step, RemoveFile) else 'renew'} {name}")
    return plan.diagnosis, plan.last_seq, max(plan.lost.through - plan.last_seq, 0), steps


# A log of nine events, three to a segment, without snapshots: see `test_log_recovery`.
END, LAST, SIZE = small.END, small.LAST, small.RECORD
PLANS: list[tuple[str, Damage, Said]] = [
    ("nothing happened", small.NOTHING, (SOUND, 9, 0, [])),
    ("a torn tail", small.flipped(7, END - 1), (TORN, 8, 0, [])),
    ("a tail never written", small.zeroed(7, LAST, SIZE), (SOUND, 8, 0, [])),
    ("a segment not finished", small.left(f"{10:020d}.seg.tmp"), (SOUND, 9, 0, [])),
    # A copy that broke off.
    ("cut in the last record", small.cut(7, END - 9), (REPAIRABLE, 8, 1, ["cut 7 at 480"])),
    ("cut between records", small.cut(7, LAST), (REPAIRABLE, 8, 0, ["cut 7 at 480"])),
    ("cut behind its header", small.cut(7, HEAD), (REPAIRABLE, 6, 0, ["cut 7 at 96"])),
    # Damage with events behind it.
    ("a payload", small.flipped(7, LAST - 1), (REPAIRABLE, 7, 2, ["cut 7 at 288"])),
    ("zeros in the middle", small.zeroed(7, HEAD, 2 * SIZE), (REPAIRABLE, 6, 3, ["cut 7 at 96"])),
    ("sealed: payload", small.flipped(4, 196), (REPAIRABLE, 3, 6, ["cut 4 at 96", "remove 7"])),
    ("sealed: zeros at the end", small.zeroed(4, LAST, SIZE), (REPAIRABLE, 5, 4, ["remove 7"])),
    (
        "sealed: cut in a record",
        small.cut(4, END - 1),
        (REPAIRABLE, 5, 4, ["cut 4 at 480", "remove 7"]),
    ),
    ("sealed: cut in its header", small.cut(4, 95), (REPAIRABLE, 3, 6, ["remove 4", "remove 7"])),
    ("a middle segment lost", small.lost(4), (REPAIRABLE, 3, 6, ["remove 7"])),
    (
        "two damaged",
        small.all_of(small.flipped(4, LAST), small.flipped(7, 5)),
        (REPAIRABLE, 5, 4, ["cut 4 at 480", "remove 7"]),
    ),
    # Damage that takes nothing away.
    ("a header", small.flipped(4, 50), (REPAIRABLE, 9, 0, ["make 4"])),
    ("the first header", small.flipped(1, 33), (REPAIRABLE, 9, 0, ["make 1"])),
    (
        "a header in zeros but for its id",
        small.all_of(small.zeroed(7, 0, 12), small.zeroed(7, 16, 80)),
        (REPAIRABLE, 9, 0, ["make 7"]),
    ),
    ("a version that never was", small.written(7, 8, b"\2"), (REPAIRABLE, 9, 0, ["make 7"])),
    (
        "junk behind sealed records",
        small.written(4, END, b"j"),
        (REPAIRABLE, 9, 0, ["cut 4 at 672"]),
    ),
    (
        "the last record twice",
        small.repeated((7, LAST), SIZE, (7, END)),
        (REPAIRABLE, 9, 0, ["cut 7 at 672"]),
    ),
    ("doubled under the next number", small.copied(7, 10), (REPAIRABLE, 9, 0, ["remove 10"])),
    ("doubled in between", small.copied(4, 5), (REPAIRABLE, 9, 0, ["remove 5"])),
    # What people have to do.
    ("renamed", small.renamed(7, 8), (MISNAMED, 0, 0, [])),
    ("swapped", small.swapped(1, 4), (MISNAMED, 0, 0, [])),
    ("a later record type", small.with_tenth_record(type=3), (NEWER, 9, 0, [])),
    ("a later version", small.with_version(7, 2), (NEWER, 0, 0, [])),
    ("the first segment lost", small.lost(1), (HOPELESS, 0, 0, [])),
    ("the first header lost", small.zeroed(1, 0, HEAD), (HOPELESS, 0, 0, [])),
]


@pytest.mark.parametrize(("damage", "expected"), [pytest.param(*p[1:], id=p[0]) for p in PLANS])
def test_the_plan(tmp_path: Path, damage: Damage, expected: Said) -> None:
    """What is found, what stays, what is lost and what would be done; and that is what is done."""
    folder = write_log(tmp_path / "log")
    damage(folder)
    before = contents(folder)
    plan = plan_repair(folder, NoSyncDisk(), SCHEMA)
    assert said(plan) == expected
    assert contents(folder) == before
    if plan.diagnosis is not REPAIRABLE:
        with pytest.raises(LogUnavailable, match="not as it was"):
            repair(plan, NoSyncDisk(), now_ns=lambda: 0, random_bytes=bytes)
        assert contents(folder) == before
        return
    kept = repair(plan, NoSyncDisk(), now_ns=lambda: 0, random_bytes=bytes)
    touched = {step.name for step in plan.steps}
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == {n: before[n] for n in touched}
    assert kept.name == "damaged-19700101T000000Z"
    log = open_log(folder)
    assert [r.payload for r in log.read()] == [payload(n) for n in range(1, plan.last_seq + 1)]
    log.close()
    assert said(plan_repair(folder, NoSyncDisk(), SCHEMA)) == (SOUND, plan.last_seq, 0, [])


# A log of sixteen events with snapshots after 9 and 14: what stays, what is lost, the steps, and
# which events cannot all be read any more although the snapshot holds what they led to.
STEPS_OF: dict[str, tuple[int, int, list[str], tuple[int, int]]] = {
    "cut behind a segment": (5, 11, [f"remove {n}" for n in (8, 9, 10, 11, 17)], (0, -1)),
    "cut behind the snapshot": (14, 2, ["cut 11 at 880", "remove 17"], (0, -1)),
    "junk cut off": (16, 0, ["cut 3 at 352"], (0, -1)),
    "on from a snapshot: its segment damaged": (16, 0, ["make 15", "renew 14"], (11, 14)),
    "on from a snapshot: its segment damaged, and cut": (
        14,
        2,
        ["make 15", "remove 17", "renew 14"],
        (11, 14),
    ),
    "on from a snapshot: its segment lost": (14, 2, ["make 15", "remove 17", "renew 14"], (11, 14)),
    "on from a snapshot: an early segment lost": (16, 0, ["renew 14"], (3, 4)),
    "on from a snapshot: the first segment lost": (16, 0, ["make 1", "renew 14"], (1, 2)),
    "on from a snapshot: it and what follows lost": (14, 0, ["make 15", "renew 14"], (11, 14)),
    "on from a snapshot: nothing but it": (14, 0, ["make 15", "make 1", "renew 14"], (1, 14)),
    "on from the older one": (16, 0, ["renew 9"], (9, 9)),
    "on from the older one: the newer damaged": (16, 0, ["remove 14", "renew 9"], (9, 9)),
}


@pytest.mark.parametrize("name", STEPS_OF)
def test_the_plan_for_a_log_with_snapshots(name: str) -> None:
    """A good snapshot behind the damage is what the log goes on from; what it holds is not cut."""
    disk, _ = lived()
    BREAKS[name](disk)
    plan = look(disk)
    diagnosis, last_seq, lost_events, steps = said(plan)
    steps = [step.removesuffix(".snapshot") for step in steps]
    assert diagnosis is REPAIRABLE
    assert (last_seq, lost_events, steps, tuple(plan.unreadable)) == STEPS_OF[name]


def test_damage_before_the_snapshots_segment_needs_no_repair() -> None:
    """The log opens and nothing of the state is lost; readers stop there, and read on behind."""
    disk, events = lived()
    flip(disk, FIRST, RECORD)
    plan = look(disk)
    assert said(plan) == (SERVES, 16, 0, [])
    assert plan.unreadable == (1, 2)
    assert open_and_see(disk) == (16, b"".join(events))
    reader = LogReader(FOLDER, disk)
    with pytest.raises(LogDamaged, match="plan_repair"):
        list(reader.read())
    assert [r.payload for r in reader.read(plan.unreadable.through)] == events[2:]


def test_no_log_is_no_plan(tmp_path: Path) -> None:
    """A folder without a segment and without a snapshot is no damaged log."""
    with pytest.raises(LogMissing):
        plan_repair(tmp_path, NoSyncDisk(), SCHEMA)
    with pytest.raises(LogMissing):
        plan_repair(tmp_path / "nowhere", NoSyncDisk(), SCHEMA)
    (tmp_path / "file").touch()
    with pytest.raises(LogUnavailable, match="cannot be read"):
        plan_repair(tmp_path / "file", NoSyncDisk(), SCHEMA)
