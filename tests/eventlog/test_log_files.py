"""The writer of the log on disk: its lock, its segments, its failures and its sudden death."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import eventlog
from eventlog import LogUnavailable
from eventlog.testing import InterceptedDisk
from tests.support.small_log import open_small

TIMEOUT_S = 60  # for what happens at once unless it is broken; the machine may be busy


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.seg*"))


def test_nobody_sees_what_is_not_durable(tmp_path: Path) -> None:
    """Between write and fdatasync neither readers nor followers of the log get the record."""
    reached, let_go = threading.Event(), threading.Event()

    def wait_in_sync(operation: str, *_: object) -> None:
        if operation == "fdatasync":
            reached.set()
            assert let_go.wait(TIMEOUT_S)

    log = open_small(tmp_path, InterceptedDisk(wait_in_sync))

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
    log = open_small(tmp_path)
    last_seq = 0
    for count in (1, 3, 2, 5):
        last_seq = log.append(bytes(100), count, last_seq)
    assert names(tmp_path) == [f"{n:020d}.seg" for n in (1, 5)]
    assert {path.stat().st_size for path in tmp_path.glob("*.seg")} == {500}
    log.close()


def test_a_record_may_be_larger_than_a_segment(tmp_path: Path) -> None:
    """A record that no segment has room for gets one of its own size; an empty one is enlarged."""
    log = open_small(tmp_path)
    large = bytes(range(256)) * 1024
    assert log.append(large, 1, 0) == 1
    assert log.append(b"small", 1, 1) == 2
    assert log.append(large, 1, 2) == 3
    assert names(tmp_path) == [f"{n:020d}.seg" for n in (1, 2, 3)]
    log.close()  # its marker does not fit, either
    assert names(tmp_path) == [f"{n:020d}.seg" for n in (1, 2, 3, 4)]
    log = open_small(tmp_path)
    assert [record.payload for record in log.read()] == [large, b"small", large]
    log.close()


def test_a_record_of_the_largest_size(tmp_path: Path) -> None:
    """A payload of MAX_PAYLOAD_BYTES comes back."""
    log = open_small(tmp_path)
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

    log = open_small(tmp_path, InterceptedDisk(note))
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
    open_small(folder).close()
    (folder / "x.seg").touch()
    for _ in range(2):
        with pytest.raises(eventlog.LogDamaged):
            open_small(folder)
    (folder / "x.seg").unlink()
    open_small(folder).close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Other users cannot read the log."""
    folder = tmp_path / "log"
    open_small(folder).close()
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert (modes, folder.stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_a_segment_has_room_for_a_record(tmp_path: Path) -> None:
    """A segment size that leaves no room is a programmer's error."""
    with pytest.raises(ValueError, match="no room"):
        eventlog.open(tmp_path, segment_size_bytes=96)
