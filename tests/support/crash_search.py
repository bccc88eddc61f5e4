"""The small life of a log on a simulated disk, crashed wherever it can be, and what must be left.

The laws:

    1. what was acknowledged is there, in order
    2. beyond that there is at most the append under way, whole
    3. a snapshot that was finished, or a newer one, is there, and holds what the log holds up to
       its place
    4. after a crash the log opens; opening it again, or after a crash while it was being opened,
       finds the same
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import eventlog
from eventlog import FileLog, LogError
from eventlog.testing import CrashOutcome, PowerLoss, SimulatedDisk

FOLDER = Path("/log")
SEGMENT_BYTES = 420  # room for three or four records
SCHEMA = 1

KEPT = (0, 0.2, 0.5, 0.9, 1)  # shares of what was not synced


def chance(seed: int) -> random.Random:
    """Choices that can be made again."""
    return random.Random(seed)  # noqa: S311 - a test's


def open_log(disk: SimulatedDisk, segment_size_bytes: int = SEGMENT_BYTES) -> FileLog:
    counter = itertools.count(disk.steps + 1)
    return eventlog.open(
        FOLDER,
        now_ns=lambda: 7,
        random_bytes=lambda size: next(counter).to_bytes(size, "big"),
        disk=disk,
        segment_size_bytes=segment_size_bytes,
    )


@dataclass
class Ledger:
    """What a log's user knows: what was acknowledged, and what is under way."""

    acknowledged: list[bytes] = field(default_factory=list)
    under_way: bytes | None = None
    snapshot_seq: int = 0  # of the newest snapshot

    def copy(self) -> "Ledger":
        """Another one that knows the same."""
        return Ledger([*self.acknowledged], self.under_way, self.snapshot_seq)

    def append(self, log: FileLog, payload: bytes) -> None:
        self.under_way = payload
        log.append(payload, 1, len(self.acknowledged))
        self.acknowledged.append(payload)
        self.under_way = None

    def snapshot(self, log: FileLog) -> None:
        """Take a snapshot of everything so far."""
        position = log.write_sync_marker()
        assert position.last_seq == len(self.acknowledged)
        writer = log.snapshots.begin(position, SCHEMA)
        for payload in self.acknowledged:
            writer.write(payload)
        writer.finish()
        self.snapshot_seq = position.last_seq

    def settle(self, log: FileLog) -> None:
        """Check the laws on an opened log; what turned out to be there is known from now on."""
        found = [record.payload for record in log.read()]
        if self.under_way is not None and len(found) > len(self.acknowledged):
            self.acknowledged.append(self.under_way)
        self.under_way = None
        assert found == self.acknowledged
        assert log.last_seq == len(found)
        assert log.snapshots.warnings == []
        snapshots = list(log.snapshots.newest_first(SCHEMA))
        assert max((s.position.last_seq for s in snapshots), default=0) >= self.snapshot_seq
        for snapshot in snapshots:
            assert snapshot.payload == b"".join(found[: snapshot.position.last_seq])
        assert log.snapshots.warnings == []


def life(disk: SimulatedDisk, ledger: Ledger) -> None:
    """Two openings, appends over several segments, markers, snapshots, a disk that was full."""
    log = open_log(disk)
    for number in range(4):
        ledger.append(log, b"%d," % number * 20)
    ledger.snapshot(log)
    ledger.append(log, b"a" * 30)
    log.close()
    log = open_log(disk)
    disk.is_full = True
    try:
        ledger.append(log, b"b" * 200)
    except eventlog.LogFull:
        ledger.under_way = None
    disk.is_full = False
    for number in range(4):
        ledger.append(log, b"%d;" % number * 30)
        if number % 2:
            ledger.snapshot(log)
    ledger.append(log, b"z" * 500)
    log.close()


def crashes(
    new_disk: Callable[[], SimulatedDisk], kept: tuple[float, ...], seed: int
) -> Iterator[tuple[str, SimulatedDisk, Ledger]]:
    """Every crash of a life: at each operation, with each share kept of what was not synced."""
    for step in itertools.count(1):
        disk, ledger = new_disk(), Ledger()
        disk.power_fails_at = step
        try:
            life(disk, ledger)
        except PowerLoss:
            for share in kept:
                left = disk.crash(CrashOutcome(share, chance(seed + step)))
                name = f"step {step}, kept {share}, seed {seed}"
                yield name, left, ledger.copy()
        else:
            assert step > 50
            return


def search(
    new_disk: Callable[[], SimulatedDisk] = SimulatedDisk,
    kept: tuple[float, ...] = (0, 0.5),
    seed: int = 0,
) -> int:
    """Crash a life everywhere, and each opening after it; returns how many crashes there were.

    Raises:
        AssertionError, LogError: a law does not hold.
    """
    count = 0
    for name, disk, ledger in crashes(new_disk, kept, seed):
        try:
            count += 1 + recover_everywhere(disk, ledger)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    for name, disk, ledger in itertools.chain(kills(new_disk), failed_syncs(new_disk)):
        disk.is_full = False
        try:
            known = ledger.copy()
            log = open_log(disk)
            known.settle(log)  # what is found now has to be durable
            known.settle(open_log(disk.crash(CrashOutcome(0))))
            known.append(log, b"after the end")
            known.settle(open_log(disk.crash(CrashOutcome(0))))
            count += 1
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    return count


def kills(new_disk: Callable[[], SimulatedDisk]) -> Iterator[tuple[str, SimulatedDisk, Ledger]]:
    """Every end of the process alone, which leaves the kernel what it has not yet written."""
    for step in itertools.count(1):
        disk, ledger = new_disk(), Ledger()
        disk.power_fails_at = step
        try:
            life(disk, ledger)
        except PowerLoss:
            yield f"killed at step {step}", disk.kill(), ledger
        else:
            return


def failed_syncs(
    new_disk: Callable[[], SimulatedDisk],
) -> Iterator[tuple[str, SimulatedDisk, Ledger]]:
    """Every failed sync, after which the process ends and another one starts."""
    for step in itertools.count(1):
        disk, ledger = new_disk(), Ledger()
        disk.sync_fails_at = step
        try:
            life(disk, ledger)
        except LogError:
            yield f"the sync of step {step} fails", disk.kill(), ledger
        if disk.steps < step:
            return


def recover_everywhere(disk: SimulatedDisk, ledger: Ledger) -> int:
    """Open what a crash left; again and again, crashed at each operation of opening and closing."""
    for step in itertools.count(1):
        again = disk.crash(CrashOutcome(1))
        known = ledger.copy()
        again.power_fails_at = step
        try:
            log = open_log(again)
            known.settle(log)
            known.append(log, b"after the crash")
            log.close()
        except PowerLoss:
            outcome = CrashOutcome((0, 1, 0.5)[step % 3], chance(step))
            third = again.crash(outcome)
            log = open_log(third)
            known.settle(log)
            log.close()
            known.settle(open_log(third.crash(CrashOutcome(0))))
        else:
            known.settle(open_log(again.crash(CrashOutcome(0))))
            return step
    raise AssertionError
