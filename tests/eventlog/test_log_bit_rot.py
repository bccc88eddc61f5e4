"""A closed log whose bytes flip, land elsewhere or are lost: none is believed."""

from collections.abc import Callable
from functools import cache

import pytest

from eventlog import LogDamaged, LogError
from eventlog.testing import CrashOutcome, PowerLoss, SimulatedDisk
from tests.support.crash_search import FOLDER, SCHEMA, Ledger, chance, life, open_log


@cache
def whole_life() -> tuple[SimulatedDisk, Ledger]:
    """A log with several segments and snapshots, closed."""
    disk, ledger = SimulatedDisk(), Ledger()
    life(disk, ledger)
    return disk.crash(CrashOutcome(0)), ledger


@cache
def small_life() -> tuple[SimulatedDisk, Ledger]:
    """A log with two segments and a snapshot, closed."""
    disk, ledger = SimulatedDisk(), Ledger()
    log = open_log(disk)
    for number in range(4):
        ledger.append(log, b"%d" % number * 9)
        if number == 1:
            ledger.snapshot(log)
    log.close()
    return disk.crash(CrashOutcome(0)), ledger


def look(disk: SimulatedDisk) -> list[bytes] | None:
    """What a writer finds; None if it refuses, at opening or at reading."""
    try:
        log = open_log(disk)
        for snapshot in log.snapshots.newest_first(SCHEMA):
            found = [record.payload for record in log.read(snapshot.position.last_seq)]
            expected = small_life()[1].acknowledged
            assert snapshot.payload == b"".join(expected[: snapshot.position.last_seq])
            assert found == expected[snapshot.position.last_seq :]
        return [record.payload for record in log.read()]
    except LogError:
        return None


def test_a_copy_that_broke_off_anywhere_is_refused_or_whole() -> None:
    """Of the last segment any number of bytes may be there: no acknowledged event is cut.

    Nor is one when the power had failed before, and the copy is of what that left.
    """
    lived, ledger = whole_life()
    opened = 0
    for power_fails in (False, True):
        disk = lived.crash(CrashOutcome(1))
        if power_fails:
            ledger = ledger.copy()
            log = open_log(disk)
            disk.power_fails_at = disk.steps + 1
            with pytest.raises(PowerLoss):
                ledger.append(log, b"under way")
            disk = disk.crash(CrashOutcome(1))
        path, data = [file for file in disk.files() if file[0].suffix == ".seg"][-1]
        for size in range(len(data)):
            copy = disk.crash(CrashOutcome(1))
            copy.shorten(path, size)
            try:
                log = open_log(copy)
            except LogDamaged:
                continue
            ledger.copy().settle(log)
            opened += 1
    assert opened


def test_no_flipped_byte_of_a_closed_log_is_believed_or_loses_anything() -> None:
    """Whatever byte of any file is changed: everything is still read, or it is refused.

    Of the log's own bytes each one matters but for the room behind the records; of a snapshot's
    none does, since the events are there.
    """
    disk, ledger = small_life()
    refused = 0
    for path, data in list(disk.files()):
        for offset in range(len(data)):
            damaged = disk.crash(CrashOutcome(1))
            dict(damaged.files())[path][offset] ^= 0xFF
            found = look(damaged)
            if found is None:
                refused += 1
                assert path.suffix == ".seg", (path, offset)
            else:
                assert found == ledger.acknowledged, (path, offset)
    assert refused > 500


@pytest.mark.parametrize("seed", range(3))
def test_a_write_that_lands_elsewhere_is_noticed(seed: int) -> None:
    """A misdirected write leaves a log that gives what was written, or refuses."""
    rng = chance(seed)
    whole, _ = whole_life()
    places = [(path, rng.randrange(len(data) or 1)) for path, data in whole.files()]
    noticed = 0
    for step in range(1, 90):
        disk, ledger = SimulatedDisk(), Ledger()
        disk.misdirect_at, disk.misdirect_to = step, rng.choice(places)
        try:
            life(disk, ledger)
        except (LogError, AssertionError):
            noticed += 1
            continue
        except FileNotFoundError:
            continue  # there is no such place yet
        found = look_at(disk)
        if found is None:
            noticed += 1
        else:
            assert found == ledger.acknowledged[: len(found)]
            assert len(found) >= len(ledger.acknowledged) - 1
    assert noticed > 5


def look_at(disk: SimulatedDisk) -> list[bytes] | None:
    """What a reader finds in whatever is left; None if it refuses."""
    try:
        log = open_log(disk.crash(CrashOutcome(1)))
        return [record.payload for record in log.read()]
    except LogDamaged:
        return None


def lost(names: list[str]) -> Callable[[SimulatedDisk], SimulatedDisk]:
    """Files that are not there any more."""

    def lose(disk: SimulatedDisk) -> SimulatedDisk:
        for name in names:
            disk.unlink(FOLDER / name)
        return disk

    return lose


def test_losing_the_newest_segments_is_noticed() -> None:
    """A log that ends before its newest snapshot has lost something, and says what to put back."""
    disk, _ = whole_life()
    segments = sorted(path.name for path, _ in disk.files() if path.suffix == ".seg")
    snapshot = max(path.name for path, _ in disk.files() if path.suffix == ".snapshot")
    newest = [name for name in segments if name[:20] <= snapshot[:20]][-1]
    for count in range(1, len(segments)):
        names = segments[-count:]
        if newest not in names:
            continue
        with pytest.raises(LogDamaged, match="put back the segments") as caught:
            open_log(lost(names)(disk.crash(CrashOutcome(1))))
        assert snapshot in str(caught.value)
        moved = lost([*names, *(p.name for p, _ in disk.files() if p.suffix == ".snapshot")])
        open_log(moved(disk.crash(CrashOutcome(1)))).close()  # as the advice says
