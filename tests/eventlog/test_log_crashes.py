"""A log on a disk that forgets, tears, misplaces and flips: nothing is lost, and nothing is wrong.

`crash_search` has the laws. The last tests in here take something out that dependability rests on,
and see that the search notices.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventlog import FileLog, LogError, LogFull, LogReader, SnapshotFailed
from eventlog.testing import CrashOutcome, PowerLoss, SimulatedDisk
from tests.support.crash_search import FOLDER, KEPT, Ledger, chance, open_log, search


def test_every_crash_of_a_life() -> None:
    """Crashed at every operation, and at every operation of every recovery, the laws hold."""
    assert search() > 1000


@pytest.mark.long
@pytest.mark.parametrize("seed", range(0, 20_000, 1000))
def test_every_crash_of_a_life_in_many_ways(seed: int) -> None:
    """As above, with other choices of what is kept and torn."""
    assert search(kept=KEPT, seed=seed) > 5000


class CrashingLog(RuleBasedStateMachine):
    """Appends, marks, snapshots, full disks and crashes, in any order and number.

    Invariants: those of `crash_search`, after every crash and every reopening.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk()
        self.ledger = Ledger()
        self.log: FileLog | None = open_log(self.disk)

    @precondition(lambda self: self.log is not None)
    @rule(size=st.integers(1, 700))
    def append(self, size: int) -> None:
        """One event, of which there may be no room."""
        assert self.log is not None
        payload = b"%d." % len(self.ledger.acknowledged) * size
        try:
            self.ledger.append(self.log, payload[:size])
        except LogFull:
            assert self.disk.is_full
            self.ledger.under_way = None
        except PowerLoss:
            self.log = None

    @precondition(lambda self: self.log is not None)
    @rule()
    def mark(self) -> None:
        assert self.log is not None
        try:
            self.log.write_sync_marker()
        except LogFull:
            assert self.disk.is_full
        except PowerLoss:
            self.log = None

    @precondition(lambda self: self.log is not None)
    @rule()
    def snapshot(self) -> None:
        """A snapshot of everything so far."""
        assert self.log is not None
        try:
            self.ledger.snapshot(self.log)
        except (LogFull, SnapshotFailed):
            assert self.disk.is_full
        except PowerLoss:
            self.log = None

    @rule()
    def fill_or_free(self) -> None:
        """The disk is full from now on, or is not any more."""
        self.disk.is_full = not self.disk.is_full

    @precondition(lambda self: self.disk.power_fails_at is None)
    @rule(steps=st.integers(1, 12))
    def power_will_fail(self, steps: int) -> None:
        """Some operations from now."""
        self.disk.power_fails_at = self.disk.steps + steps

    @rule(keep=st.sampled_from(KEPT), seed=st.integers(0, 1000))
    def crash(self, keep: float, seed: int) -> None:
        """The power fails now, and comes back."""
        self.disk = self.disk.crash(CrashOutcome(keep, chance(seed)))
        self.log = open_log(self.disk)
        self.ledger.settle(self.log)

    @precondition(lambda self: self.log is not None)
    @rule()
    def reopen(self) -> None:
        assert self.log is not None
        try:
            self.log.close()
            if not self.disk.is_full:
                self.log = open_log(self.disk)
                self.ledger.settle(self.log)
            else:
                self.log = None
        except PowerLoss:
            self.log = None

    @invariant()
    def nothing_wrong_is_read(self) -> None:
        """Beside the writer a reader finds what was acknowledged, whatever is going on."""
        if self.log is not None and self.ledger.acknowledged:
            found = [r.payload for r in LogReader(FOLDER, self.disk).read()]
            assert found == self.ledger.acknowledged


TestCrashingLog = CrashingLog.TestCase
TestCrashingLog.settings = settings(stateful_step_count=25)


@pytest.mark.parametrize("keep", KEPT[1:-1])
def test_what_a_full_disk_cut_does_not_come_back_in_a_sealed_segment(keep: float) -> None:
    """A record has no room, the next one opens a new segment, and then the power fails.

    The cut was not synced, so half of the record could be found at the end of the older segment,
    where no crash explains it: the log was refused.
    """
    for seed in range(30):
        disk, ledger = SimulatedDisk(), Ledger()
        log = open_log(disk)
        ledger.append(log, b"first" * 20)
        disk.is_full = True
        with pytest.raises(LogFull):
            ledger.append(log, b"small")
        disk.is_full = False
        log.probe_space()
        ledger.append(log, b"too large for what is left" * 5)
        assert len([path for path, _ in disk.files() if path.suffix == ".seg"]) == 2
        ledger.settle(open_log(disk.crash(CrashOutcome(keep, chance(seed)))))


def no_fsync_of(suffix: str) -> Callable[[str, Path], bool]:
    """No fsync of files whose names end so."""
    return lambda operation, path: operation == "fsync" and path.name.endswith(suffix)


LIES: dict[str, Callable[[str, Path], bool]] = {
    "no fdatasync": lambda operation, _: operation == "fdatasync",
    "no fsync of folders": lambda operation, _: operation == "sync_folder",
    "no fsync of the log's folder": lambda *sync: sync == ("sync_folder", FOLDER),
    "no fsync of new segments": no_fsync_of(".seg.tmp"),
    "no fsync of snapshots": no_fsync_of(".snapshot.tmp"),
    "no fsync of what was recovered": no_fsync_of(".seg"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_the_search_notices_a_missing_sync(lie: Callable[[str, Path], bool]) -> None:
    """With a sync taken out, a law breaks somewhere: the search would find the same in our code."""
    with pytest.raises((AssertionError, LogError)):
        search(lambda: SimulatedDisk(ignores_sync=lie), kept=(0,))


def test_the_search_notices_a_missing_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the checksums not looked at, what a crash has torn is taken for damage."""
    monkeypatch.setattr("eventlog.format._check_crc", lambda *_: None)
    with pytest.raises((AssertionError, LogError)):
        search()
