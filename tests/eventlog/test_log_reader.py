"""Reading a log beside its writer: never wrong, never in the way, never alarmed by an append."""

import asyncio
import shutil
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

import eventlog
from eventlog import FileLog, LogDamaged, LogMissing, LogReader, LogRewound
from eventlog.testing import InterceptedDisk, NoSyncDisk

TIMEOUT_S = 60  # for what happens at once unless it is broken; the machine may be busy


def open_log(folder: Path) -> FileLog:
    """The log in a folder, with segments for four records of one byte."""
    return eventlog.open(folder, disk=NoSyncDisk(), segment_size_bytes=500)


def append(log: FileLog, records: int) -> None:
    """Append records of one event."""
    for _ in range(records):
        log.append(b"%d" % (log.last_seq + 1), 1, log.last_seq)


def seqs(log: LogReader, after: int = 0) -> list[int]:
    """The sequence numbers that a reader finds, which say what the records hold."""
    records = list(log.read(after))
    assert [record.payload for record in records] == [b"%d" % r.first_seq for r in records]
    return [record.first_seq for record in records]


@pytest.mark.parametrize("there", ["no folder", "an empty folder"])
def test_no_log_is_no_log(tmp_path: Path, there: str) -> None:
    """Pointed at no log, a reader says so, and makes nothing."""
    folder = tmp_path if there == "an empty folder" else tmp_path / "log"
    with pytest.raises(LogMissing, match="expected at least one"):
        LogReader(folder)
    assert not list(tmp_path.iterdir())


def test_a_reader_sees_what_its_writer_appends(tmp_path: Path) -> None:
    """Beside a writer, over segments, a reader finds every record, the end and its hash."""
    log = open_log(tmp_path)
    reader = LogReader(tmp_path)
    assert (seqs(reader), reader.last_seq, reader.head) == ([], 0, bytes(32))
    for size in (1, 3, 1, 9, 4):
        append(log, size)
        assert (reader.last_seq, reader.head) == (log.last_seq, log.head)
        assert seqs(reader) == list(range(1, log.last_seq + 1))
        assert seqs(reader, after=5) == list(range(6, log.last_seq + 1))
    assert reader.log_id == log.log_id
    log.close()
    assert list(LogReader(tmp_path).read()) == list(reader.read())
    reader.close()


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    """Reading a log with a torn tail, or that broke off, leaves every byte as it is."""
    log = open_log(tmp_path)
    append(log, 6)
    log.close()
    last = max(tmp_path.glob("*.seg"))
    whole = last.read_bytes()
    for broken in (whole[: 96 + 96 + 50].ljust(len(whole), b"\0"), whole[: 96 + 96 + 50]):
        last.write_bytes(broken)
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
        refused = nullcontext() if len(broken) == len(whole) else pytest.raises(LogDamaged)
        with refused:
            assert seqs(LogReader(tmp_path)) == [1, 2, 3, 4, 5]
        assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()}


def test_an_unfinished_record_is_not_there_yet(tmp_path: Path) -> None:
    """While an append is under way its record is not there; once it is whole it is."""
    log = open_log(tmp_path)
    append(log, 3)
    log.close()
    path = tmp_path / f"{1:020d}.seg"
    whole = path.read_bytes()
    start, end = 96 + 2 * 96, 96 + 3 * 96
    reader = LogReader(tmp_path)
    for size in range(start, end - 7):  # the padding is zeros
        path.write_bytes(whole[:size].ljust(len(whole), b"\0"))
        assert seqs(reader) == [1, 2]
        assert reader.last_seq == 2
    path.write_bytes(whole)
    assert seqs(reader) == [1, 2, 3]
    assert reader.last_seq == 3


@pytest.mark.parametrize("first_seq", [1, 5])
def test_damage_is_not_mistaken_for_an_append(tmp_path: Path, first_seq: int) -> None:
    """A bad record before a later one is damage, whether it has other bytes or none."""
    log = open_log(tmp_path)
    append(log, 7)
    log.close()
    path = tmp_path / f"{first_seq:020d}.seg"
    whole = path.read_bytes()
    start = 96 + 96
    for bad in (bytes(96), b"\xff" * 96, whole[start : start + 95] + b"\1"):
        path.write_bytes(whole[:start] + bad + whole[start + 96 :])
        found: list[int] = []
        with pytest.raises(LogDamaged) as caught:
            found.extend(record.first_seq for record in LogReader(tmp_path).read())
        assert (caught.value.file, caught.value.offset) == (path, start)
        assert found == list(range(1, first_seq + 1))


class MeanwhileDisk(InterceptedDisk):
    """A disk on which something happens just before the nth read."""

    def __init__(self, happens: Callable[[], None], reads: int) -> None:
        super().__init__()
        self._happens = happens
        self._reads_left = reads

    def before(self, operation: str, *_: object) -> None:
        if operation == "pread":
            self._reads_left -= 1
            if self._reads_left == -1:
                self._happens()

    @property
    def happened(self) -> bool:
        return self._reads_left < 0


@pytest.mark.parametrize("start", [0, 2, 4])
@pytest.mark.parametrize("more", [1, 2, 3, 9])
def test_appends_between_any_two_reads_never_look_like_damage(
    tmp_path: Path, start: int, more: int
) -> None:
    """Whenever the writer appends while a reader reads, the reader finds a prefix, not damage."""
    for before in range(3, 40):
        folder = tmp_path / str(before)
        log = open_log(folder)
        append(log, start)
        disk = MeanwhileDisk(lambda log=log: append(log, more), before)  # type: ignore[misc]
        found = seqs(LogReader(folder, disk))
        assert found in (list(range(1, start + 1)), list(range(1, start + more + 1)))
        log.close()
        if not disk.happened:
            assert before > 5
            return
    pytest.fail("the reader never came to an end")


def test_following_goes_on_as_the_log_grows(tmp_path: Path) -> None:
    """A follower in another place gets everything once, over segments, as it is written."""
    log = open_log(tmp_path)
    append(log, 5)
    writer = threading.Thread(target=append, args=(log, 60))

    async def main() -> list[int]:
        found: list[int] = []
        async with asyncio.timeout(TIMEOUT_S):
            async for record in LogReader(tmp_path).follow(after=2, poll_s=0.001):
                if not found:
                    writer.start()
                found.append(record.first_seq)
                if record.last_seq == 65:
                    break
        return found

    assert asyncio.run(main()) == list(range(3, 66))
    writer.join()
    log.close()


@pytest.mark.parametrize("more", [0, 2, 9])
def test_following_ends_where_the_log_is_put_back(tmp_path: Path, more: int) -> None:
    """From an older copy of it, which may have got other events since: that is no damage."""
    folder, older = tmp_path / "log", tmp_path / "older"
    log = open_log(folder)
    append(log, 5)
    shutil.copytree(folder, older)
    append(log, 4)
    log.close()

    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            async for record in LogReader(folder).follow(poll_s=0.001):
                if record.last_seq == 9:
                    shutil.rmtree(folder)
                    older.rename(folder)
                    again = open_log(folder)
                    append(again, more)
                    again.close()

    with pytest.raises(LogRewound, match="put back from an older copy"):
        asyncio.run(main())
