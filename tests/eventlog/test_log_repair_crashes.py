"""A repair that the power interrupts: no original is lost, and a second one ends what it began."""

import itertools

import pytest

from eventlog import LogError
from eventlog.errors import RepairFailed
from eventlog.repair import Diagnosis, RepairPlan, plan_repair, repair
from eventlog.testing import CrashOutcome, InterceptedDisk, PowerLoss, SimulatedDisk
from tests.support.broken_life import (
    BREAKS,
    Break,
    Files,
    amounts_to,
    carry_out,
    files,
    lived,
    look,
    open_and_see,
)
from tests.support.crash_search import FOLDER, KEPT, SCHEMA, chance, open_log


def kept(disk: SimulatedDisk) -> list[tuple[str, bytes]]:
    """Every file that any repair has kept, by its own name."""
    return [(p.name, bytes(d)) for p, d in disk.files() if p.parent.parent == FOLDER]


def check_originals(disk: SimulatedDisk, originals: Files) -> None:
    """Every file is as it was, or is kept."""
    there, aside = files(disk), kept(disk)
    for name, data in originals.items():
        assert there.get(name) == data or (name, data) in aside, name


def check_unchanged_or_refused(disk: SimulatedDisk, plan: RepairPlan, expected: bytes) -> None:
    """In between the log opens only with what the plan promised."""
    try:
        found = amounts_to(open_log(disk))
    except LogError:
        return
    assert found == (plan.last_seq, expected)


def crash_everywhere(damage: Break, kept_shares: tuple[float, ...], seed: int) -> int:
    """Crash the repair of a damage at each of its operations; returns how many there are."""
    damaged, events = lived()
    damage(damaged)
    plan, originals = look(damaged), files(damaged)
    assert plan.diagnosis is Diagnosis.REPAIRABLE
    expected = b"".join(events[: plan.last_seq])
    for step in itertools.count(1):
        disk = damaged.crash(CrashOutcome(1))
        disk.power_fails_at = step
        try:
            carry_out(disk, look(disk))
        except PowerLoss:
            share = kept_shares[step % len(kept_shares)]
            left = disk.crash(CrashOutcome(share, chance(seed + step)))
        else:
            assert open_and_see(disk.crash(CrashOutcome(0))) == (plan.last_seq, expected)
            return step - 1
        check_originals(left, originals)
        check_unchanged_or_refused(left.crash(CrashOutcome(1)), plan, expected)
        again = look(left)
        if again.diagnosis is Diagnosis.REPAIRABLE:
            carry_out(left, again)
        check_originals(left, originals)
        assert open_and_see(left.crash(CrashOutcome(0))) == (plan.last_seq, expected)
    raise AssertionError


@pytest.mark.parametrize("name", BREAKS)
def test_a_repair_may_be_interrupted_anywhere(name: str) -> None:
    """Crashed at any operation: the log is refused or repaired, and repairing again repairs it."""
    assert crash_everywhere(BREAKS[name], (0, 0.5), 1) > 8


@pytest.mark.parametrize("name", ["cut in the middle", "doubled, and cut"])
def test_a_repair_without_room_takes_none(name: str) -> None:
    """A disk may fill up at any step: unfinished files go, and copies of what is unchanged."""
    damaged, _ = lived()
    BREAKS[name](damaged)
    originals = files(damaged)
    for steps in itertools.count():
        disk = damaged.crash(CrashOutcome(1))

        def fill(*_: object, disk: SimulatedDisk = disk, steps: int = steps) -> None:
            disk.is_full = disk.steps >= steps

        filling = InterceptedDisk(fill, disk)
        try:
            plan = plan_repair(FOLDER, filling, SCHEMA)
            repair(plan, filling, now_ns=lambda: 0, random_bytes=bytes)
        except RepairFailed:
            assert not any(path.suffix == ".tmp" for path, _ in disk.files())
            check_originals(disk, originals)
            there = files(disk)
            assert not [each for each, data in kept(disk) if there.get(each) == data]
            folders = [FOLDER / name for name in disk.list(FOLDER) if name.startswith("damaged-")]
            assert all(map(disk.list, folders))
        else:
            assert steps > 8
            return


@pytest.mark.long
@pytest.mark.parametrize("name", BREAKS)
def test_a_repair_may_be_interrupted_anywhere_in_many_ways(name: str) -> None:
    """As above, with other choices of what is kept and torn."""
    for share, seed in itertools.product(KEPT, range(0, 5000, 500)):
        crash_everywhere(BREAKS[name], (share,), seed)
