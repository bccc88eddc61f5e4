"""Every error number of every operation of a disk: what passes is over when it is over.

The law: an append is acknowledged and durable, or refused and absent, and then appends succeed
again once the error is gone; or the writer has stopped since the outcome is unknown.
"""

import errno
import os
import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import eventlog
from eventlog import Disk, FileLog, LogLacking, LogReader, LogUnavailable, SyncFailed
from eventlog.lacks import PASSING
from eventlog.testing import CrashOutcome, FaultyDisk, SimulatedDisk

FOLDER = Path("/log")
SEGMENT = 500  # bytes: room for three or four small records
OPERATIONS = [*sorted(set(PASSING) - {"lock", "make_folder", "size", "unlink"}), "create"]
SIZES = [20, 300, 700]  # within the segment, perhaps in the next, in one of its own


def open_log(disk: Disk) -> FileLog:
    return eventlog.open(
        FOLDER, disk=disk, segment_size_bytes=SEGMENT, random_bytes=bytes, now_ns=lambda: 0
    )


def payloads(disk: Disk) -> list[bytes]:
    return [record.payload for record in LogReader(FOLDER, disk=disk).read()]


def test_the_table_has_every_operation_of_a_disk() -> None:
    """An operation that is new in `Disk` needs a row."""
    operations = {name for name in vars(Disk) if not name.startswith("_")}
    assert set(PASSING) == operations


class Life:
    """A log with some records, on a simulated disk of which one operation fails for a while."""

    def __init__(self, partial: float) -> None:
        self.simulated = SimulatedDisk()
        self.disk = FaultyDisk(partial=partial, disk=self.simulated)
        self.log = open_log(self.disk)
        self.acknowledged: list[bytes] = []
        self.in_doubt: list[bytes] = []
        for _ in range(2):
            self.append(20)

    def append(self, size: int) -> None:
        payload = b"%d." % len(self.acknowledged) * size
        try:
            self.log.append(payload[:size], 1, len(self.acknowledged))
        except LogLacking:
            return
        except LogUnavailable:
            self.in_doubt = self.in_doubt or [payload[:size]]
            return
        self.acknowledged.append(payload[:size])

    def fail(self, operation: str, number: int, size: int) -> None:
        """Append, mark and probe with the error, then append twice without it."""
        self.disk.errors = {operation: number}
        self.append(size)
        with suppress(LogLacking, LogUnavailable):
            self.log.write_sync_marker()
        with suppress(LogLacking, LogUnavailable):
            self.log.probe_space()
        self.append(30)
        self.disk.errors = {}
        with suppress(LogUnavailable):
            self.log.probe_space()
        self.append(size)
        self.append(40)


@pytest.mark.parametrize(
    ("operation", "partial"), [("pwrite", 0.5), *((operation, 0) for operation in OPERATIONS)]
)
def test_every_error_number_of_every_operation(operation: str, partial: float) -> None:
    """The law above holds, also after a crash that keeps all or nothing of what is not synced."""
    for number in errno.errorcode:
        for size in SIZES:
            life = Life(partial)
            life.fail(operation, number, size)
            passes = number in PASSING["open" if operation == "create" else operation]
            what = f"{operation} {errno.errorcode[number]}, {size} bytes"
            assert not (passes and life.in_doubt), what
            if not life.in_doubt:  # service is back
                assert life.acknowledged[-1] == (b"%d." % (len(life.acknowledged) - 1) * 40)[:40]
            assert payloads(life.simulated)[: len(life.acknowledged)] == life.acknowledged, what
            for keep in (0, 1):
                crashed = life.simulated.crash(CrashOutcome(keep))
                log = open_log(crashed)
                found = [record.payload for record in log.read()]
                possible = [life.acknowledged, life.acknowledged + life.in_doubt]
                assert found in possible, f"{what}, kept {keep}"
                log.append(b"next", 1, log.last_seq)


@pytest.mark.parametrize("number", sorted(errno.errorcode))
@pytest.mark.parametrize("operation", ["fdatasync", "fsync"])
def test_no_failed_sync_passes(operation: str, number: int) -> None:
    """Whatever a sync fails with, it is not tried again."""
    life = Life(0)
    life.disk.errors = {operation: number}
    with pytest.raises(SyncFailed):
        life.log.append(b"x" * 700, 1, 2)


def test_a_cut_that_is_refused_is_made_before_the_next_record() -> None:
    """Where half a record was written and cannot be cut off now, no later record follows it."""
    life = Life(0.5)
    life.disk.errors = {"pwrite": errno.ENOMEM, "clear": errno.EROFS}
    life.append(60)
    life.disk.errors = {"clear": errno.EROFS}
    life.append(60)
    assert len(life.acknowledged) == 2
    life.disk.errors = {}
    life.append(60)
    assert len(life.acknowledged) == 3
    assert payloads(life.simulated.crash(CrashOutcome(0))) == life.acknowledged


def test_no_memory_left_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be encoded for want of memory is refused, and later ones are not."""

    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    life = Life(0)
    with monkeypatch.context() as patched:
        patched.setattr("eventlog.writer.encode_record", no_memory)
        with pytest.raises(LogLacking, match="no memory"):
            life.log.append(b"x", 1, 2)
    assert life.log.append(b"x", 1, 2) == 3


@contextmanager
def no_free_descriptor() -> Iterator[None]:
    """Take every descriptor that the process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_free_descriptor_a_new_segment_is_waited_for(tmp_path: Path) -> None:
    """On the real disk: refused while every descriptor is taken, and written afterwards."""
    log = eventlog.open(tmp_path, segment_size_bytes=SEGMENT)
    log.append(b"x" * 100, 1, 0)
    with no_free_descriptor():
        with pytest.raises(LogLacking, match="Too many open files"):
            log.append(b"x" * 300, 1, 1)
        assert log.append(b"y", 1, 1) == 2
    assert log.append(b"x" * 300, 1, 2) == 3
    log.close()


def test_spare_descriptors_make_new_segments(tmp_path: Path) -> None:
    """With spare descriptors, segments and snapshots are made although every other one is taken."""
    with eventlog.SparingDisk(4) as disk:
        log = eventlog.open(tmp_path, segment_size_bytes=SEGMENT, disk=disk)
        with no_free_descriptor():
            for seq in range(6):
                log.append(b"x" * 300, 1, seq)
            snapshot = log.snapshots.begin(log.write_sync_marker(), 1)
            snapshot.write(b"state")
            snapshot.finish()
            log.append(b"x" * 300, 1, 6)
        assert len(list(tmp_path.glob("*.seg"))) == 7
        assert [s.payload for s in log.snapshots.newest_first(1)] == [b"state"]
        log.close()


def test_spare_descriptors_are_for_several_threads(tmp_path: Path) -> None:
    """With one for each of them, none is refused a file, and none of them is lost."""

    def use(name: str) -> None:
        for _ in range(3000):
            disk.close(disk.open(tmp_path / name, write=True))

    for name in "abc":
        (tmp_path / name).touch()
    interval_s = sys.getswitchinterval()
    with eventlog.SparingDisk(3) as disk, ThreadPoolExecutor(3) as threads:
        sys.setswitchinterval(1e-6)
        try:
            with no_free_descriptor():
                for used in [threads.submit(use, name) for name in "abc"]:
                    used.result()
        finally:
            sys.setswitchinterval(interval_s)
        assert len(disk._spare) == 3
