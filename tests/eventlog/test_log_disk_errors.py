"""What a writer makes of a disk that is full, does not sync, fails, or has another writer."""

import errno
import os
import resource
from contextlib import suppress
from pathlib import Path

import pytest

import eventlog
from eventlog import (
    Disk,
    FileLog,
    LogDamaged,
    LogFull,
    LogReader,
    LogUnavailable,
    SyncFailed,
)
from eventlog.testing import FaultyDisk, NoSyncDisk, abandon

SEGMENT = 500  # bytes: room for three or four small records
NO_ROOM = [errno.ENOSPC, errno.EDQUOT]


def open_log(folder: Path, disk: Disk | None = None) -> FileLog:
    return eventlog.open(folder, disk=disk or NoSyncDisk(), segment_size_bytes=SEGMENT)


def payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in LogReader(folder).read()]


@pytest.mark.parametrize("number", NO_ROOM)
@pytest.mark.parametrize("operation", ["pwrite", "fallocate", "create", "rename"])
@pytest.mark.parametrize("before", range(5))
def test_a_full_disk_is_waited_for(
    tmp_path: Path, before: int, operation: str, number: int
) -> None:
    """Without room nothing is appended and nothing is in doubt; with room, appending goes on.

    The record that had no room may be followed by one of another size, or by none at all.
    """
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    written = [b"%d" % seq * 20 for seq in range(before)]
    for seq, payload in enumerate(written):
        log.append(payload, 1, seq)
    disk.errors, disk.partial = {operation: number}, 0.5
    for _ in range(2):
        try:
            log.append(b"x" * 100, 1, len(written))
        except LogFull:
            with pytest.raises(LogFull, match="free some space"):
                log.probe_space()
        else:
            written.append(b"x" * 100)  # it needed no such operation
        assert log.last_seq == len(written)
        assert [record.payload for record in log.read()] == written == payloads(tmp_path)
    disk.errors = {}
    log.probe_space()
    for payload in (b"short", b"x" * 300, b"y" * 600):
        written.append(payload)
        assert log.append(payload, 1, len(written) - 1) == len(written)
    assert payloads(tmp_path) == written
    abandon(log)
    log = open_log(tmp_path)
    assert log.recovery is None
    assert [record.payload for record in log.read()] == written
    log.close()


@pytest.mark.parametrize("before", range(5))
def test_a_crash_on_a_full_disk_loses_nothing(tmp_path: Path, before: int) -> None:
    """What was cut back stays cut back: the next open finds what was acknowledged."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    written = [b"%d" % seq * 20 for seq in range(before)]
    for seq, payload in enumerate(written):
        log.append(payload, 1, seq)
    disk.errors, disk.partial = {"pwrite": errno.ENOSPC, "fallocate": errno.ENOSPC}, 0.5
    with pytest.raises(LogFull):
        log.append(b"x" * 600, 1, before)
    abandon(log)
    log = open_log(tmp_path)
    assert (log.recovery, log.last_seq) == (None, before)
    assert [record.payload for record in log.read()] == written
    assert not list(tmp_path.glob("*.tmp"))
    log.close()


def test_a_full_disk_that_cannot_be_cut_back_is_a_failure(tmp_path: Path) -> None:
    """When it is unknown what is behind the last record, nothing more is written."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    log.append(b"one", 1, 0)
    disk.errors = {"pwrite": errno.ENOSPC, "clear": errno.EIO}
    with pytest.raises(LogUnavailable):
        log.append(b"two", 1, 1)
    disk.errors = {}
    with pytest.raises(LogUnavailable):
        log.append(b"two", 1, 1)
    log.close()


@pytest.mark.parametrize("number", [errno.EIO, *NO_ROOM])
@pytest.mark.parametrize("operation", ["fdatasync", "fsync", "sync_folder"])
def test_an_fsync_is_never_asked_again(tmp_path: Path, operation: str, number: int) -> None:
    """A failed fsync, whatever the error, is the end of writing: its success would prove nothing.

    The error says so, now and at every later append; reading goes on; the next open writes again
    what may not have reached the disk.
    """
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    log.append(b"one", 1, 0)
    disk.errors = {operation: number}
    size = 1 if operation == "fdatasync" else SEGMENT
    with pytest.raises(SyncFailed, match="the kernel's log") as caught:
        log.append(b"x" * size, 1, 1)
    assert "outcome unknown: an fsync of 0000" in caught.value.reason
    disk.errors = {}
    for action in (lambda: log.append(b"y", 1, 1), log.write_sync_marker, log.probe_space):
        with pytest.raises(SyncFailed):
            action()
    assert [record.payload for record in log.read()] == [b"one"]
    log.close()
    assert payloads(tmp_path) in ([b"one"], [b"one", b"x" * size])
    log = open_log(tmp_path)
    assert log.append(b"next", 1, log.last_seq)
    log.close()


@pytest.mark.parametrize("operation", ["is_at", "create", "pread", "pwrite", "fallocate", "rename"])
def test_any_other_error_closes_the_log_for_writing(tmp_path: Path, operation: str) -> None:
    """EIO on whichever call of an append: nothing more is written, nothing acknowledged is lost."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    log.append(b"one", 1, 0)
    disk.errors = {operation: errno.EIO}
    with pytest.raises(LogUnavailable, match="outcome unknown"):
        log.append(b"x" * SEGMENT, 1, 1)
    disk.errors = {}
    with pytest.raises(LogUnavailable, match="outcome unknown"):
        log.append(b"two", 1, 1)
    assert [record.payload for record in log.read()] == [b"one"]
    log.close()
    assert payloads(tmp_path) == [b"one"]
    open_log(tmp_path).close()


@pytest.mark.parametrize("operation", ["open", "create", "pread", "pwrite", "fsync", "sync_folder"])
def test_a_log_that_cannot_be_opened_stays_as_it_is(tmp_path: Path, operation: str) -> None:
    """EIO on whichever call of an open is no reason to change anything, and is no crash."""
    log = open_log(tmp_path)
    for seq in range(6):
        log.append(b"%d" % seq * 40, 1, seq)
    log.close()
    disk = FaultyDisk()
    disk.errors = {operation: errno.EIO}
    with pytest.raises((LogUnavailable, LogDamaged)):
        open_log(tmp_path, disk)
    assert payloads(tmp_path) == [b"%d" % seq * 40 for seq in range(6)]
    log = open_log(tmp_path)
    assert (log.last_seq, log.recovery) == (6, None)
    log.close()


@pytest.mark.parametrize("number", NO_ROOM)
@pytest.mark.parametrize("operation", ["create", "fallocate", "pwrite"])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_log_is_not_opened_on_a_full_disk(
    tmp_path: Path, operation: str, number: int, is_new: bool
) -> None:
    """Opening does not wait for room: it fails, says what to do, and works once that is done."""
    folder = tmp_path / "log"
    if not is_new:
        log = open_log(folder)
        log.append(b"one", 1, 0)
        abandon(log)
        (segment,) = folder.glob("*.seg")
        segment.write_bytes(segment.read_bytes()[: SEGMENT - 9])  # so that there is to allocate
    disk = FaultyDisk()
    disk.errors = {operation: number}
    for _ in range(2):
        with pytest.raises(
            LogUnavailable, match=rf"no room to open it: .*; free some space: .* {SEGMENT:,} b"
        ):
            open_log(folder, disk)
    disk.errors = {}
    log = open_log(folder, disk)
    assert [record.payload for record in log.read()] == ([] if is_new else [b"one"])
    log.append(b"next", 1, log.last_seq)
    log.close()


def test_a_process_without_a_free_descriptor_appends(tmp_path: Path) -> None:
    """The same on the real disk: every descriptor that the process may have is taken."""
    log = eventlog.open(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        with suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        with pytest.raises(OSError, match="Too many open files"):
            os.open(tmp_path, os.O_RDONLY)
        for seq in range(3):
            assert log.append(b"%d" % seq, 1, seq) == seq + 1
            log.write_sync_marker()
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert payloads(tmp_path) == [b"0", b"1", b"2"]
    log.close()


def test_a_marker_says_that_the_last_record_is_durable(tmp_path: Path) -> None:
    """Once marked, damage to the last record is damage, and no torn tail; no marker is doubled."""
    log = open_log(tmp_path)
    log.append(b"payload", 1, 0)
    position = log.write_sync_marker()
    assert (position.last_seq, position.chain) == (1, log.head)
    assert log.write_sync_marker() == position
    abandon(log)
    path = tmp_path / f"{1:020d}.seg"
    whole = path.read_bytes()
    for offset in range(96, 96 + 96):
        damaged = bytearray(whole)
        damaged[offset] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(LogDamaged) as caught:
            open_log(tmp_path)
        assert (caught.value.offset, caught.value.seq) == (96, 1)


def test_closing_marks_what_was_written(tmp_path: Path) -> None:
    """A log that was closed notices damage to its last record; opening alone writes nothing."""
    log = open_log(tmp_path)
    log.append(b"payload", 1, 0)
    log.close()
    path = tmp_path / f"{1:020d}.seg"
    closed = path.read_bytes()
    open_log(tmp_path).close()
    assert path.read_bytes() == closed
    path.write_bytes(closed.replace(b"payload", b"pAyload"))
    with pytest.raises(LogDamaged, match="payload crc"):
        open_log(tmp_path)
