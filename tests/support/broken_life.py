"""A whole log on a simulated disk, what can happen to its files, and what is left of it then."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from eventlog import FileLog
from eventlog.repair import Diagnosis, RepairPlan, plan_repair, repair
from eventlog.testing import CrashOutcome, SimulatedDisk
from tests.support.crash_search import FOLDER, SCHEMA, Ledger, life, open_log

NO_REPAIR = (Diagnosis.SOUND, Diagnosis.TORN, Diagnosis.SERVES)  # it opens as it is

Files = dict[str, bytes]
Break = Callable[[SimulatedDisk], object]  # done to a disk with a log


@cache
def _life() -> tuple[SimulatedDisk, Ledger]:
    disk, ledger = SimulatedDisk(), Ledger()
    life(disk, ledger)
    log = open_log(disk, segment_size_bytes=1200)
    for number in range(6):
        ledger.append(log, b"%d:" % number * 30)
        if number == 3:
            ledger.snapshot(log)
    log.close()
    return disk.crash(CrashOutcome(0)), ledger


def lived() -> tuple[SimulatedDisk, list[bytes]]:
    """A log with several segments and two snapshots, closed, and what was appended to it."""
    disk, ledger = _life()
    return disk.crash(CrashOutcome(1)), ledger.acknowledged


def files(disk: SimulatedDisk, folder: Path = FOLDER) -> Files:
    """Everything in a folder but the lock."""
    return {p.name: bytes(d) for p, d in disk.files() if p.parent == folder and p.name != "lock"}


def overwrite(disk: SimulatedDisk, name: str, offset: int, data: bytes) -> None:
    """Other bytes, durably, in a file that does not grow."""
    fd = disk.open(FOLDER / name, write=True)
    disk.pwrite(fd, data[: disk.size(fd) - offset], offset)
    disk.fsync(fd)
    disk.close(fd)


def flip(disk: SimulatedDisk, name: str, offset: int) -> None:
    overwrite(disk, name, offset, bytes([files(disk)[name][offset] ^ 0xFF]))


def shorten(disk: SimulatedDisk, name: str, size_bytes: int) -> None:
    fd = disk.open(FOLDER / name, write=True)
    disk.truncate(fd, size_bytes)
    disk.fsync(fd)
    disk.close(fd)


def lose(disk: SimulatedDisk, name: str) -> None:
    disk.unlink(FOLDER / name)
    disk.sync_folder(FOLDER)


def double(disk: SimulatedDisk, name: str, other_name: str) -> None:
    """A file under a second name, too."""
    fd = disk.open(FOLDER / other_name, create=True)
    disk.pwrite(fd, files(disk)[name], 0)
    disk.fsync(fd)
    disk.close(fd)
    disk.sync_folder(FOLDER)


def look(disk: SimulatedDisk) -> RepairPlan:
    return plan_repair(FOLDER, disk, SCHEMA)


def carry_out(disk: SimulatedDisk, plan: RepairPlan) -> Path:
    """Repair; returns where the originals are."""
    return repair(plan, disk, now_ns=lambda: 1_800_000_000_000_000_000, random_bytes=bytes)


def amounts_to(log: FileLog) -> tuple[int, bytes]:
    """What a server starts with: how many events, and all of them, from a snapshot if it can."""
    before, start = b"", 0
    for snapshot in log.snapshots.newest_first(SCHEMA):
        before, start = snapshot.payload, snapshot.position.last_seq
        break
    return log.last_seq, before + b"".join(record.payload for record in log.read(start))


def open_and_see(disk: SimulatedDisk) -> tuple[int, bytes]:
    """Open the log as a server does."""
    log = open_log(disk)
    found = amounts_to(log)
    log.close()
    return found


SEGMENTS = sorted(name for name in files(_life()[0]) if name.endswith(".seg"))
SNAPSHOTS = sorted(name for name in files(_life()[0]) if name.endswith(".snapshot"))
HEAD = 96  # bytes of a segment's header


def without_snapshots(damage: Break) -> Break:
    """The same in a log without snapshots."""

    def both(disk: SimulatedDisk) -> None:
        for name in SNAPSHOTS:
            lose(disk, name)
        damage(disk)

    return both


def all_of(*damages: Break) -> Break:
    return lambda disk: [damage(disk) for damage in damages]


def flipped(name: str, offset: int) -> Break:
    return lambda disk: flip(disk, name, offset)


def lost(*names: str) -> Break:
    def damage(disk: SimulatedDisk) -> None:
        for name in names:
            lose(disk, name)

    return damage


RECORD = HEAD + 100  # in the first record of a segment
FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH, EIGHTH, NINTH = SEGMENTS
OLDER, NEWEST = SNAPSHOTS  # of events 9 and 14; they stand in the sixth and the eighth segment
BEHIND = 880 + 100  # where in the eighth the first record behind the newest snapshot is

# What a repair has something to do about, each in another way.
BREAKS: dict[str, Break] = {
    "cut in the middle": without_snapshots(flipped(THIRD, RECORD)),
    "cut at the start": without_snapshots(flipped(FIRST, RECORD)),
    "cut behind a segment": without_snapshots(lost(FOURTH)),
    "cut behind the snapshot": flipped(EIGHTH, BEHIND),
    "a header given back": flipped(THIRD, 30),
    "the first header given back": without_snapshots(flipped(FIRST, 30)),
    "doubled": lambda disk: double(disk, SECOND, f"{4:020d}.seg"),
    "doubled, and cut": without_snapshots(
        all_of(lambda disk: double(disk, SECOND, f"{4:020d}.seg"), flipped(THIRD, RECORD))
    ),
    "junk cut off": lambda disk: overwrite(disk, SECOND, 412, b"junk"),
    "on from a snapshot: its segment damaged": flipped(EIGHTH, RECORD),
    "on from a snapshot: its segment damaged, and cut": all_of(
        flipped(EIGHTH, RECORD), flipped(EIGHTH, BEHIND)
    ),
    "on from a snapshot: its segment lost": lost(EIGHTH),
    "on from a snapshot: an early segment lost": lost(SECOND),
    "on from a snapshot: the first segment lost": lost(FIRST),
    "on from a snapshot: it and what follows lost": lost(EIGHTH, NINTH),
    "on from a snapshot: nothing but it": lost(*SEGMENTS, OLDER),
    "on from the older one": all_of(lost(NEWEST), flipped(SIXTH, RECORD)),
    "on from the older one: the newer damaged": all_of(
        flipped(NEWEST, 300), flipped(SIXTH, RECORD)
    ),
}
