"""A log has one writer: who was replaced, or cannot look at its lock, writes nothing."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import eventlog
from eventlog import (
    Disk,
    FileLog,
    LogLacking,
    LogReader,
    WriterReplaced,
)
from eventlog.testing import FaultyDisk, NoSyncDisk, abandon

SEGMENT = 500  # bytes: room for three or four small records


def open_log(folder: Path, disk: Disk | None = None) -> FileLog:
    return eventlog.open(folder, disk=disk or NoSyncDisk(), segment_size_bytes=SEGMENT)


def payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in LogReader(folder).read()]


def take_lock_file(folder: Path) -> None:
    """The lock file is removed, and another writer opens the log."""
    (folder / "lock").unlink()
    other = open_log(folder)
    other.append(b"theirs", 1, other.last_seq)
    abandon(other)


def lose_lock_file(folder: Path) -> None:
    (folder / "lock").unlink()


@contextmanager
def lock_file_kept(folder: Path) -> Iterator[None]:
    """Around what another writer does where the lock file stays as it is, and holds nobody off."""
    kept = (folder / "lock").rename(folder / "lock.kept")
    (folder / "lock").write_bytes(b"")
    yield
    kept.rename(folder / "lock")


def write_without_lock(folder: Path) -> None:
    """On a file system whose locks do not hold, another writer came and kept our signature."""
    with lock_file_kept(folder):
        take_lock_file(folder)


def start_segment_without_lock(folder: Path) -> None:
    """The same, with as much to write that it has started the next segment."""
    with lock_file_kept(folder):
        other = open_log(folder)
        for seq in range(other.last_seq, 9):
            other.append(b"theirs" * 20, 1, seq)
        abandon(other)


def sign_without_lock(folder: Path) -> None:
    """The same, with a signature and no record yet."""
    (folder / "lock").write_bytes(b"4711\n0123456789abcdef\n")


def copy_lock_file(folder: Path) -> None:
    """Somebody puts a copy in the lock file's place, of which the lock is free."""
    signed = (folder / "lock").read_bytes()
    (folder / "lock").rename(folder / "lock.old")
    (folder / "lock").write_bytes(signed)


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (lose_lock_file, "the lock file is gone"),
        (take_lock_file, "process {pid} has signed the lock file"),
        (sign_without_lock, "process 4711 has signed the lock file"),
        (copy_lock_file, "process {pid} has signed the lock file"),
        (write_without_lock, "a record that we did not write"),
        (start_segment_without_lock, "a record that we did not write"),
    ],
)
@pytest.mark.parametrize("size", [1, SEGMENT])
def test_a_writer_that_was_replaced_writes_nothing(
    tmp_path: Path, happens: Callable[[Path], None], says: str, size: int
) -> None:
    """A writer with a stale epoch notices before it writes, and the newer one's log is whole."""
    stale = open_log(tmp_path)
    stale.append(b"ours", 1, 0)
    happens(tmp_path)
    before = payloads(tmp_path)
    for _ in range(2):
        with pytest.raises(WriterReplaced, match="stop one of the two") as caught:
            stale.append(b"late" * size, 1, 1)
    said = says.format(pid=os.getpid())
    assert said in str(caught.value) or "we did not make it" in str(caught.value)
    stale.close()
    assert payloads(tmp_path) == before


def test_a_log_that_was_moved_away_is_not_written(tmp_path: Path) -> None:
    """Without its folder there is no lock file at the path, and so no lock."""
    log = open_log(tmp_path / "log")
    (tmp_path / "log").rename(tmp_path / "moved")
    (tmp_path / "log").write_bytes(b"")
    with pytest.raises(WriterReplaced, match="the lock file is gone"):
        log.append(b"late", 1, 0)
    log.close()
    assert payloads(tmp_path / "moved") == []


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EINTR])
def test_a_lock_that_cannot_be_looked_at_for_now_is_waited_for(tmp_path: Path, number: int) -> None:
    """A lack of memory is no lost lock: nothing is appended or in doubt, and then it goes on."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    log.append(b"one", 1, 0)
    disk.errors = {"is_at": number}
    for action in (lambda: log.append(b"two", 1, 1), log.write_sync_marker, log.probe_space):
        with pytest.raises(LogLacking, match="nothing was written"):
            action()
    assert payloads(tmp_path) == [b"one"]
    disk.errors = {}
    log.probe_space()
    assert log.append(b"two", 1, 1) == 2
    assert payloads(tmp_path) == [b"one", b"two"]
    log.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_an_append_opens_no_file(tmp_path: Path, number: int) -> None:
    """Where no file can be opened, appends and markers go on within the segment."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    disk.errors = {"open": number, "create": number}
    assert log.append(b"one", 1, 0) == 1
    log.write_sync_marker()
    assert log.append(b"two", 1, 1) == 2
    disk.errors = {}
    assert payloads(tmp_path) == [b"one", b"two"]
    log.close()
