"""A copy of a log in a folder: the same log, which nobody appends to, after any power failure."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventlog
from eventlog import LogDamaged, LogReader, LogUnavailable, MemoryLog, Record
from eventlog.copies import FolderCopy, unmark
from eventlog.disk import Disk
from eventlog.testing import CrashOutcome, NoSyncDisk, PowerLoss, SimulatedDisk

LOG_ID = bytes(range(16))
FOLDER = Path("/copy")


def open_copy(folder: Path, disk: Disk | None = None, log_id: bytes = LOG_ID) -> FolderCopy:
    return FolderCopy(
        folder,
        log_id,
        "the log",
        now_ns=lambda: 0,
        random_bytes=bytes,
        disk=disk or NoSyncDisk(),
        segment_size_bytes=2500,
    )


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Records and markers of a log, of several writers."""
    folder = tmp_path_factory.mktemp("source") / "log"
    for _ in range(3):
        with closing(eventlog.open(folder, now_ns=lambda: 5)) as log:
            for size_bytes in (1, 300, 50):
                log.append(bytes(size_bytes), 2, log.last_seq)
            log.write_sync_marker()
    return list(LogReader(folder).read(markers=True))


def with_markers(folder: Path) -> list[Record]:
    return list(LogReader(folder).read(markers=True))


def test_a_copy_is_the_same_log(tmp_path: Path, records: list[Record]) -> None:
    """Same id, records, markers and head; opened again, it goes on where it ended."""
    for start in range(0, len(records), 5):
        with closing(open_copy(tmp_path / "copy")) as copy:
            copy.add(records[start : start + 5])
            assert copy.head == records[: start + 5][-1].chain
    assert with_markers(tmp_path / "copy") == records
    assert LogReader(tmp_path / "copy").log_id == LOG_ID


def test_only_what_follows_is_added(tmp_path: Path, records: list[Record]) -> None:
    """A record that is left out, repeated or changed ends the copying; the copy is as it was."""
    wrong = (records[2], records[0], records[1]._replace(payload=b"other"))
    for number, record in enumerate(wrong):
        folder = tmp_path / f"copy{number}"
        with closing(open_copy(folder)) as copy:
            copy.add(records[:1])
            with pytest.raises(LogUnavailable, match="does not follow on event 2"):
                copy.add([record])
        assert with_markers(folder) == records[:1]


def test_a_copy_is_not_appended_to(tmp_path: Path, records: list[Record]) -> None:
    """Neither by itself nor opened as a log; when it is none any more, it is a log as others."""
    folder = tmp_path / "copy"
    with closing(open_copy(folder)) as copy:
        copy.add(records)
        with pytest.raises(LogUnavailable, match="it is a copy of a log that lives elsewhere"):
            copy.append(b"x", 1, copy.last_seq)
        with pytest.raises(LogUnavailable):
            copy.write_sync_marker()
        copy.add([])  # it goes on
    with pytest.raises(LogUnavailable, match="it is a copy of a log that lives elsewhere"):
        eventlog.open(folder)
    unmark(folder)
    with closing(eventlog.open(folder)) as log:
        log.append(b"x", 1, records[-1].last_seq)
    assert with_markers(folder)[: len(records)] == records


def test_a_log_and_another_logs_copy_are_left_alone(tmp_path: Path, records: list[Record]) -> None:
    """Neither becomes a copy by being opened as one."""
    own, other = tmp_path / "own", tmp_path / "other"
    eventlog.open(own).close()
    with pytest.raises(LogUnavailable, match="it is a log of its own"):
        open_copy(own)
    with closing(open_copy(other, log_id=bytes(16))) as copy:
        copy.add(records)
    with pytest.raises(LogUnavailable, match=f"the log has log {LOG_ID.hex()}"):
        open_copy(other)
    with closing(open_copy(other, log_id=bytes(16))) as copy:
        assert copy.head == records[-1].chain


def steps(records: list[Record], disk: SimulatedDisk) -> Iterator[int]:
    """Copy the records, with a sync now and then; how many are known to be durable."""
    copy = open_copy(FOLDER, disk)
    for number, record in enumerate(records, start=1):
        copy.add([record])
        if number % 5 == 0:
            copy.sync()
            yield number
    copy.close()
    yield len(records)


@given(at=st.integers(1, 130), seed=st.integers(0, 2**32), keep=st.sampled_from([0, 0.5, 1]))
def test_after_a_power_failure_a_copy_can_be_continued(
    records: list[Record], at: int, seed: int, keep: float
) -> None:
    """At any operation: what was synced is there, nothing else is, and copying goes on."""
    disk, durable = SimulatedDisk(), 0
    disk.power_fails_at = at
    try:
        for synced in steps(records, disk):
            durable = synced
    except PowerLoss:
        pass
    disk = disk.crash(CrashOutcome(keep, random.Random(seed)))  # noqa: S311 - no secret
    with closing(open_copy(FOLDER, disk)) as copy:
        found = [r for r in records if r.count and r.last_seq <= copy.last_seq]
        assert list(copy.read()) == found
        start = next((n for n, record in enumerate(records, 1) if record.chain == copy.head), 0)
        assert start >= durable
        copy.add(records[start:])
        assert copy.head == records[-1].chain
    assert list(LogReader(FOLDER, disk).read(markers=True)) == records


def test_a_damaged_copy_is_refused(tmp_path: Path, records: list[Record]) -> None:
    """A changed byte of what was synced, and followed by more, is noticed as in any log."""
    folder = tmp_path / "copy"
    with closing(open_copy(folder)) as copy:
        copy.add(records[:6])
        copy.sync()
        copy.add(records[6:])
    (first, *_) = sorted(folder.glob("*.seg"))
    data = bytearray(first.read_bytes())
    data[200] ^= 1
    first.write_bytes(data)
    with pytest.raises(LogDamaged):
        open_copy(folder)


def test_what_was_not_synced_may_be_lost_in_any_order(
    tmp_path: Path, records: list[Record]
) -> None:
    """A record that did not reach the disk before later ones did is an end, and no damage."""
    folder = tmp_path / "copy"
    with closing(open_copy(folder)) as copy:
        copy.add(records[:4])
        start = copy.sync().offset
        copy.add(records[4:6])
    (only,) = folder.glob("*.seg")
    data = bytearray(only.read_bytes())
    data[start : start + 88] = bytes(88)
    only.write_bytes(data)
    with closing(open_copy(folder)) as copy:
        assert copy.head == records[3].chain
        copy.add(records[4:])
    assert with_markers(folder) == records


def test_memory_and_copy_agree(tmp_path: Path) -> None:
    """A log in memory, copied, has the same chain."""
    log = MemoryLog()
    for seq in range(9):
        log.append(b"x", 1, seq)
    with closing(open_copy(tmp_path / "copy")) as copy:
        copy.add(log.read())
        assert copy.head == log.head
