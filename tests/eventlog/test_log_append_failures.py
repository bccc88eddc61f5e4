"""Appends that fail or come to nothing, at any operation of the disk."""

from pathlib import Path

import pytest

from eventlog import LogUnavailable
from eventlog.testing import FaultyDisk, InterceptedDisk, NoSyncDisk, abandon
from tests.support.small_log import open_small


def append_until_failure(folder: Path, disk: FaultyDisk) -> int:
    """Open a log and append six records, or until the disk fails; returns what was acknowledged."""
    acknowledged = 0
    try:
        log = open_small(folder, disk)
    except LogUnavailable:
        return acknowledged
    try:
        for seq in range(6):
            acknowledged = log.append(b"%d" % (seq + 1) * 150, 1, seq)
    except LogUnavailable:
        for _ in range(2):
            with pytest.raises(LogUnavailable, match="outcome unknown"):
                log.append(b"x", 1, acknowledged)
    assert len(list(log.read())) == log.last_seq == acknowledged
    log.close()
    return acknowledged


@pytest.mark.parametrize("once", [False, True], ids=["for ever", "once"])
@pytest.mark.parametrize("partial", [0, 0.5], ids=["before", "halfway"])
def test_a_failure_anywhere_loses_nothing_acknowledged(
    tmp_path: Path, partial: float, once: bool
) -> None:
    """From whichever operation on the disk fails, the log is closed for writing and loses nothing.

    The append under way and every later one raise LogUnavailable, reads go on, and the next open
    finds what was acknowledged, plus at most the append whose outcome was unknown.
    """
    failures: set[str] = set()
    for operations in range(100):
        folder = tmp_path / str(operations)
        disk = FaultyDisk(operations, partial=partial, once=once)
        acknowledged = append_until_failure(folder, disk)
        if disk.failed is None:
            assert failures >= {
                "create", "truncate", "fallocate", "pwrite", "fsync", "rename", "sync_folder",
                "fdatasync",
            }  # fmt: skip
            return
        failures.add(disk.failed)
        log = open_small(folder)
        assert log.last_seq in (acknowledged, acknowledged + 1)
        assert [r.payload for r in log.read()] == [
            b"%d" % seq * 150 for seq in range(1, log.last_seq + 1)
        ]
        log.append(b"next", 1, log.last_seq)
        log.close()
    pytest.fail("the disk never stopped failing")


@pytest.mark.parametrize("most", [1, 7, 95])
def test_a_short_write_is_continued(tmp_path: Path, most: int) -> None:
    """A disk that takes a record in several steps gets it in several steps."""

    class ShortDisk(NoSyncDisk):
        def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
            return super().pwrite(fd, data[:most], offset)

    log = open_small(tmp_path, ShortDisk())
    for seq in range(9):
        assert log.append(b"twelve bytes" * seq + b"!", 1, seq) == seq + 1
    abandon(log)
    log = open_small(tmp_path)
    assert log.recovery is None
    assert [r.payload for r in log.read()] == [b"twelve bytes" * seq + b"!" for seq in range(9)]
    log.close()


def test_a_write_that_gets_nowhere_is_a_failure(tmp_path: Path) -> None:
    """A disk that takes a part and then nothing fails; the next open cuts the part."""

    class StuckDisk(NoSyncDisk):
        left = 10_000

        def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
            written = super().pwrite(fd, data[: self.left], offset)
            self.left -= written
            return written

    disk = StuckDisk()
    log = open_small(tmp_path, disk)
    log.append(b"a", 1, 0)
    disk.left = 90
    with pytest.raises(LogUnavailable, match="90 of 96 bytes written at offset 192, then none"):
        log.append(b"twelve b", 1, 1)
    log.close()
    log = open_small(tmp_path)
    assert log.recovery is not None
    assert log.last_seq == 1
    log.close()


def test_an_interrupted_append_closes_the_log(tmp_path: Path) -> None:
    """An append that even an exception of no disk leaves half done is never written over."""

    def interrupt(operation: str, *_: object) -> None:
        if operation == "fdatasync":
            raise KeyboardInterrupt

    log = open_small(tmp_path, InterceptedDisk(interrupt))
    with pytest.raises(KeyboardInterrupt):
        log.append(b"a", 1, 0)
    with pytest.raises(LogUnavailable, match="interrupted"):
        log.append(b"b", 1, 0)
    log.close()
