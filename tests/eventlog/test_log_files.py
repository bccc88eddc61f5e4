"""The writer of the log on disk: its lock, its segments, its failures and its sudden death."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import eventlog
from eventlog import Disk, FileLog, LogLocked, LogUnavailable
from eventlog.testing import FaultyDisk, InterceptedDisk, NoSyncDisk, abandon

TIMEOUT_S = 60  # for what happens at once unless it is broken; the machine may be busy

APPENDER = """
import sys
import eventlog

log = eventlog.open(sys.argv[1], segment_size_bytes=2000)
print("open", log.last_seq, flush=True)
for seq in range(log.last_seq, int(sys.argv[2])):
    log.append(b"%d;" % (seq + 1) * (seq % 50 + 1), 1, seq)
    print(seq + 1, flush=True)
sys.stdin.read()
"""


def open_log(folder: Path, disk: Disk | None = None) -> FileLog:
    """The log in a folder, with segments for a few records."""
    return eventlog.open(folder, disk=disk or NoSyncDisk(), segment_size_bytes=500)


def appender(folder: Path, until: int) -> subprocess.Popen[str]:
    """Another process that opens the log, appends up to a sequence number, and keeps it open."""
    return subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(folder), str(until)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.seg*"))


def test_a_second_writer_is_told_who_holds_the_log(tmp_path: Path) -> None:
    """A log has one writer; another process, or another object here, learns its process id."""
    folder = tmp_path / "log"
    with appender(folder, 1) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open 0\n"
        with pytest.raises(LogLocked, match=f"process {other.pid} holds it") as caught:
            eventlog.open(folder)
        assert (caught.value.folder, caught.value.pid) == (folder, other.pid)
        other.kill()
    ours = open_log(folder)  # the lock went with the process
    with pytest.raises(LogLocked) as caught:
        open_log(folder)
    assert caught.value.pid == os.getpid()
    ours.close()
    open_log(folder).close()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Killed at any moment, a writer leaves every record whose append returned, in order."""
    folder = tmp_path / "log"
    acknowledged = 0
    for patience in (1, 30, 7, 80):
        with appender(folder, 1_000_000) as process:
            assert process.stdout is not None
            assert int(process.stdout.readline().split()[1]) >= acknowledged
            for _ in range(patience):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().splitlines(keepends=True)
            acknowledged = max([acknowledged, *(int(n) for n in lines if n.endswith("\n"))])
        with closing(open_log(folder)) as log:
            assert log.last_seq in (acknowledged, acknowledged + 1)  # in flight: may be there
            for seq, record in enumerate(log.read()):
                assert record.payload == b"%d;" % (seq + 1) * (seq % 50 + 1)
        acknowledged = log.last_seq


def append_until_failure(folder: Path, disk: FaultyDisk) -> int:
    """Open a log and append six records, or until the disk fails; returns what was acknowledged."""
    acknowledged = 0
    try:
        log = open_log(folder, disk)
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
        log = open_log(folder)
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

    log = open_log(tmp_path, ShortDisk())
    for seq in range(9):
        assert log.append(b"twelve bytes" * seq + b"!", 1, seq) == seq + 1
    abandon(log)
    log = open_log(tmp_path)
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
    log = open_log(tmp_path, disk)
    log.append(b"a", 1, 0)
    disk.left = 90
    with pytest.raises(LogUnavailable, match="90 of 96 bytes written at offset 192, then none"):
        log.append(b"twelve b", 1, 1)
    log.close()
    log = open_log(tmp_path)
    assert log.recovery is not None
    assert log.last_seq == 1
    log.close()


def test_an_interrupted_append_closes_the_log(tmp_path: Path) -> None:
    """An append that even an exception of no disk leaves half done is never written over."""

    def interrupt(operation: str, *_: object) -> None:
        if operation == "fdatasync":
            raise KeyboardInterrupt

    log = open_log(tmp_path, InterceptedDisk(interrupt))
    with pytest.raises(KeyboardInterrupt):
        log.append(b"a", 1, 0)
    with pytest.raises(LogUnavailable, match="interrupted"):
        log.append(b"b", 1, 0)
    log.close()


def test_nobody_sees_what_is_not_durable(tmp_path: Path) -> None:
    """Between write and fdatasync neither readers nor followers of the log get the record."""
    reached, let_go = threading.Event(), threading.Event()

    def wait_in_sync(operation: str, *_: object) -> None:
        if operation == "fdatasync":
            reached.set()
            assert let_go.wait(TIMEOUT_S)

    log = open_log(tmp_path, InterceptedDisk(wait_in_sync))

    async def main() -> None:
        follower = log.follow()
        first = asyncio.ensure_future(anext(follower))
        appending = asyncio.create_task(asyncio.to_thread(log.append, b"a", 1, 0))
        assert await asyncio.to_thread(reached.wait, TIMEOUT_S)
        for _ in range(10):
            await asyncio.sleep(0)
        assert (list(log.read()), log.last_seq, log.head) == ([], 0, bytes(32))
        assert not first.done()
        let_go.set()
        assert await appending == 1
        assert (await asyncio.wait_for(first, TIMEOUT_S)).payload == b"a"

    asyncio.run(main())
    log.close()


def test_segments_are_named_after_their_first_event(tmp_path: Path) -> None:
    """A record that does not fit starts a segment, whose name is its first event's number."""
    log = open_log(tmp_path)
    last_seq = 0
    for count in (1, 3, 2, 5):
        last_seq = log.append(bytes(100), count, last_seq)
    assert names(tmp_path) == [f"{n:020d}.seg" for n in (1, 5)]
    assert {path.stat().st_size for path in tmp_path.glob("*.seg")} == {500}
    log.close()


def test_a_record_may_be_larger_than_a_segment(tmp_path: Path) -> None:
    """A record that no segment has room for gets one of its own size; an empty one is enlarged."""
    log = open_log(tmp_path)
    large = bytes(range(256)) * 1024
    assert log.append(large, 1, 0) == 1
    assert log.append(b"small", 1, 1) == 2
    assert log.append(large, 1, 2) == 3
    assert names(tmp_path) == [f"{n:020d}.seg" for n in (1, 2, 3)]
    log.close()  # its marker does not fit, either
    assert names(tmp_path) == [f"{n:020d}.seg" for n in (1, 2, 3, 4)]
    log = open_log(tmp_path)
    assert [record.payload for record in log.read()] == [large, b"small", large]
    log.close()


def test_a_record_of_the_largest_size(tmp_path: Path) -> None:
    """A payload of MAX_PAYLOAD_BYTES comes back."""
    log = open_log(tmp_path)
    largest = os.urandom(1024) * (eventlog.MAX_PAYLOAD_BYTES // 1024)
    log.append(largest, 1, 0)
    assert next(log.read()).payload == largest
    log.close()


def test_reading_skips_whole_segments(tmp_path: Path) -> None:
    """Segments below the wanted event are not even opened."""
    opened: list[str] = []

    def note(operation: str, *arguments: Any) -> None:
        if operation == "open":
            opened.append(arguments[0].name)

    log = open_log(tmp_path, InterceptedDisk(note))
    for seq in range(10):
        log.append(bytes(250), 1, seq)
    opened.clear()
    assert [record.first_seq for record in log.read(8)] == [9, 10]
    assert set(opened) == {f"{n:020d}.seg" for n in (9, 10)}
    log.close()


def test_following_from_the_end_reads_no_history(tmp_path: Path) -> None:
    """Who wants only what comes next does not read what is there, nor what was just written."""
    read: list[int] = []
    is_appending = True

    def note(operation: str, *arguments: Any) -> None:
        if operation == "pread" and not is_appending:
            read.append(arguments[2])

    log = eventlog.open(tmp_path, disk=InterceptedDisk(note))
    for seq in range(9):
        log.append(bytes(8), 1, seq)

    async def main() -> None:
        nonlocal is_appending
        follower = log.follow(after=9)
        log.append(b"next", 1, 9)
        is_appending = False
        assert (await asyncio.wait_for(anext(follower), TIMEOUT_S)).payload == b"next"

    asyncio.run(main())
    assert read == []
    log.close()


def test_the_folder_above_has_to_exist(tmp_path: Path) -> None:
    """A wrong path is not made true: the log's own folder is made, not the ones above."""
    with pytest.raises(LogUnavailable, match="cannot be opened"):
        eventlog.open(tmp_path / "nowhere" / "log")


def test_the_lock_is_released_when_opening_fails(tmp_path: Path) -> None:
    """A log that could not be opened can be, once the reason is gone."""
    folder = tmp_path / "log"
    open_log(folder).close()
    (folder / "x.seg").touch()
    for _ in range(2):
        with pytest.raises(eventlog.LogDamaged):
            open_log(folder)
    (folder / "x.seg").unlink()
    open_log(folder).close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Other users cannot read the log."""
    folder = tmp_path / "log"
    open_log(folder).close()
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert (modes, folder.stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_a_segment_has_room_for_a_record(tmp_path: Path) -> None:
    """A segment size that leaves no room is a programmer's error."""
    with pytest.raises(ValueError, match="no room"):
        eventlog.open(tmp_path, segment_size_bytes=96)
