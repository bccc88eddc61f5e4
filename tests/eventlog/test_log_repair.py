"""What is left of a damaged log when its repair is carried out."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import LogLocked, LogUnavailable
from eventlog.repair import (
    Diagnosis,
    plan_repair,
    repair,
    salvage,
)
from eventlog.testing import FaultyDisk, NoSyncDisk, SimulatedDisk
from tests.support import damage as small
from tests.support.broken_life import (
    EIGHTH,
    FIFTH,
    FIRST,
    HEAD,
    NEWEST,
    NO_REPAIR,
    RECORD,
    SEGMENTS,
    SEVENTH,
    SNAPSHOTS,
    THIRD,
    all_of,
    carry_out,
    files,
    flip,
    flipped,
    lived,
    look,
    lose,
    lost,
    open_and_see,
    overwrite,
    shorten,
    without_snapshots,
)
from tests.support.crash_search import FOLDER, SCHEMA
from tests.support.damage import contents, open_log, write_log


def check_repair(disk: SimulatedDisk, events: list[bytes], good: list[int]) -> None:
    """The laws of this file, for a log to which anything has happened.

    Args:
        disk: what the log is on.
        events: what was appended to it.
        good: the last events of the snapshots that nothing has happened to.
    """
    before = files(disk)
    plan = look(disk)
    assert files(disk) == before
    if plan.diagnosis is Diagnosis.HOPELESS:
        assert not good
        return
    if plan.diagnosis is Diagnosis.NEWER:  # two damages that look like a version
        assert any(data[9:12] == bytes(3) and data[8] > 1 for data in before.values())
        return
    if plan.diagnosis is Diagnosis.REPAIRABLE:
        kept = files(disk, carry_out(disk, plan))
        after = files(disk)
        for name, data in before.items():
            assert data in (after.get(name), kept.get(name))
        assert look(disk).diagnosis in NO_REPAIR
    else:
        assert plan.diagnosis in NO_REPAIR
    last_seq, found = open_and_see(disk)
    assert last_seq == plan.last_seq >= max(good, default=0)
    assert found == b"".join(events[:last_seq])
    assert plan.lost.through <= len(events)
    if plan.lost.through <= last_seq and plan.diagnosis is Diagnosis.REPAIRABLE and not good:
        assert plan.unreadable.through < plan.unreadable.first


DAMAGE = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 1345), st.just(1)),
    st.tuples(st.just("zero"), st.integers(0, 1345), st.integers(1, 400)),
    st.tuples(st.just("junk"), st.integers(0, 1345), st.integers(1, 90)),
    st.tuples(st.just("shorten"), st.integers(0, 1345), st.just(0)),
    st.tuples(st.just("lose"), st.just(0), st.just(0)),
)


@given(
    damages=st.lists(st.tuples(st.sampled_from([*SEGMENTS, *SNAPSHOTS]), DAMAGE), max_size=3),
    has_snapshots=st.booleans(),
)
def test_whatever_happens_a_repair_leaves_a_log_that_opens(
    damages: list[tuple[str, tuple[str, int, int]]], has_snapshots: bool
) -> None:
    """Bytes flipped, zeroed or overwritten, files cut or lost: what is repaired opens.

    It then holds exactly the events that the plan said would stay, and never fewer than a snapshot
    that is whole holds; the originals are all there, byte by byte; and nothing is left to repair.
    """
    disk, events = lived()
    if not has_snapshots:
        for name in SNAPSHOTS:
            lose(disk, name)
    whole = files(disk)
    for name, (kind, offset, size) in damages:
        if name not in files(disk):
            continue
        place = offset % (len(files(disk)[name]) or 1)
        if kind == "lose":
            lose(disk, name)
        elif kind == "shorten":
            shorten(disk, name, place)
        elif kind == "flip" and files(disk)[name]:
            flip(disk, name, place)
        elif files(disk)[name]:
            overwrite(disk, name, place, bytes(size) if kind == "zero" else b"j" * size)
    left = files(disk)
    if any(name.endswith((".seg", ".snapshot")) for name in left):
        good = [n for n in SNAPSHOTS if n in whole and left.get(n) == whole[n]]
        check_repair(disk, events, [int(name[:20]) for name in good])


def test_a_segment_cut_short_can_become_the_last_one() -> None:
    """A sealed segment that lacks records and its end is repaired once, not twice."""
    for size_bytes in range(HEAD, len(files(lived()[0])[THIRD])):
        disk, events = lived()
        lost(*SNAPSHOTS)(disk)
        shorten(disk, THIRD, size_bytes)
        check_repair(disk, events, [])


@pytest.mark.parametrize("name", [FIRST, EIGHTH, NEWEST])
def test_any_byte_may_be_flipped(name: str) -> None:
    """As above, for a byte here and there of three files: nothing is lost that a snapshot holds."""
    for offset in range(0, len(files(lived()[0])[name]), 29):
        disk, events = lived()
        flip(disk, name, offset)
        check_repair(disk, events, [9] if name == NEWEST else [9, 14])


@pytest.mark.long
def test_every_byte_may_be_flipped() -> None:
    """As above, for every byte of every file, and with every snapshot lost."""
    for has_snapshots in (True, False):
        for name in SEGMENTS:
            for offset in range(len(files(lived()[0])[name])):
                disk, events = lived()
                if not has_snapshots:
                    lost(*SNAPSHOTS)(disk)
                flip(disk, name, offset)
                check_repair(disk, events, [9, 14] if has_snapshots else [])


def test_what_is_lost_can_be_told_as_far_as_it_can_be_read() -> None:
    """Records behind a cut are found again, in order, with their payloads where these are whole."""
    disk, events = lived()
    all_of(without_snapshots(flipped(FIFTH, RECORD)), flipped(SEVENTH, RECORD))(disk)
    plan = look(disk)
    found = [r for part in plan.remains for r in salvage(disk, FOLDER, plan.log_id, part)]
    assert plan.lost == (8, 16)
    payloads = {r.first_seq: r.payload for r in found if r.count}
    assert payloads == {n: events[n - 1] for n in range(9, 17)} | {10: None}  # 8 has no header


def test_a_log_that_is_in_use_is_not_repaired(tmp_path: Path) -> None:
    """While a writer has the log, the plan can be made and not carried out; nothing changes."""
    folder = write_log(tmp_path / "log")
    log = open_log(folder)
    small.flipped(4, RECORD)(folder)
    before = contents(folder)
    plan = plan_repair(folder, NoSyncDisk(), SCHEMA)
    with pytest.raises(LogLocked):
        repair(plan, NoSyncDisk(), now_ns=lambda: 0, random_bytes=bytes)
    assert contents(folder) == before
    log.close()


def test_a_log_that_changed_since_the_plan_is_not_repaired(tmp_path: Path) -> None:
    """What is carried out is what was shown."""
    folder = write_log(tmp_path / "log")
    small.flipped(4, RECORD)(folder)
    plan = plan_repair(folder, NoSyncDisk(), SCHEMA)
    small.flipped(1, RECORD)(folder)
    before = contents(folder)
    with pytest.raises(LogUnavailable, match="not as it was when the plan was made"):
        repair(plan, NoSyncDisk(), now_ns=lambda: 0, random_bytes=bytes)
    assert contents(folder) == before


def test_a_disk_that_fails_loses_no_original(tmp_path: Path) -> None:
    """Whichever operation fails, the error says so, and the originals are there or kept."""
    for operations in range(100):
        folder = write_log(tmp_path / f"log-{operations}")
        small.flipped(4, RECORD)(folder)
        before = contents(folder)
        plan = plan_repair(folder, NoSyncDisk(), SCHEMA)
        disk = FaultyDisk(operations)
        with suppress(LogUnavailable):
            repair(plan, disk, now_ns=lambda: 0, random_bytes=bytes)
            assert operations > 15
            assert disk.failed is None
            return
        for name, data in before.items():
            copies = [path.read_bytes() for path in folder.glob(f"**/{name}")]
            assert data in copies
    pytest.fail("the disk never stopped failing")
