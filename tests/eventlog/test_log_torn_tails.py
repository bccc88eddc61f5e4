"""What a crash leaves is cleared away: kept aside once, however often that is interrupted."""

import shutil
from pathlib import Path

import pytest

from eventlog import LogUnavailable
from eventlog.testing import FaultyDisk
from tests.support.damage import (
    END,
    all_of,
    contents,
    cut,
    flipped,
    left,
    open_log,
    overwrite,
    segment,
    write_log,
)


def test_torn_tails_are_never_overwritten(tmp_path: Path) -> None:
    """Two torn tails at one place are two files; the same bytes, cut again, are one."""
    folder = write_log(tmp_path / "log", 3)
    for junk in (b"first", b"second", b"first"):
        overwrite(segment(folder, 1), END, junk)
        log = open_log(folder)
        assert log.recovery is not None
        assert log.recovery.kept_in.read_bytes() == junk
        log.close()
    assert len(list(folder.glob("*.torn-*"))) == 2


def torn_log(folder: Path) -> Path:
    """A log with everything that recovery has to clear away."""
    write_log(folder)
    all_of(flipped(7, END - 1), cut(7, END), left(f"{10:020d}.seg.tmp"))(folder)
    return folder


def test_recovery_may_be_interrupted_anywhere(tmp_path: Path) -> None:
    """Recovery that fails at any operation, and runs again, ends as if it had run once."""
    once = torn_log(tmp_path / "log")
    untouched = tmp_path / "untouched"
    shutil.copytree(once, untouched)
    open_log(once).close()
    expected = contents(once)
    for operations in range(100):
        folder = tmp_path / str(operations)
        shutil.copytree(untouched, folder)
        try:
            open_log(folder, FaultyDisk(operations, partial=0.5)).close()
        except LogUnavailable:
            open_log(folder).close()
            assert contents(folder) == expected
        else:
            assert operations > 8
            return
    pytest.fail("recovery never came to an end")


def test_a_writer_that_wrote_nothing_leaves_no_epoch(tmp_path: Path) -> None:
    """An epoch is durable with its writer's first record; no two writers' records share one."""
    folder = tmp_path / "log"
    epochs = []
    for seq in range(4):
        open_log(folder).close()
        log = open_log(folder)
        epochs.append(log.epoch)
        log.append(b"x", 1, seq)
        log.close()
    log = open_log(folder)
    assert [record.epoch for record in log.read()] == epochs == [2, 3, 4, 5]
    log.close()
