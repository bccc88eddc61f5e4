"""The laws of following a log, on every implementation: resumable, in order, without a gap."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventlog
from eventlog import (
    EventLog,
    FileLog,
    FollowerBehind,
    LogReader,
    LogRewound,
    MemoryLog,
    Record,
)
from eventlog.recent import RecentRecords
from eventlog.testing import NoSyncDisk

TIMEOUT_S = 60  # for what happens at once unless it is broken; the machine may be busy

APPENDS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 600)), min_size=1, max_size=12)


def open_small(folder: Path) -> FileLog:
    """A log on disk whose segments hold a few records."""
    return eventlog.open(folder, now_ns=lambda: 0, disk=NoSyncDisk(), segment_size_bytes=1500)


@pytest.fixture(params=["memory", "file"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    """An empty log of each kind."""
    log = MemoryLog() if request.param == "memory" else open_small(tmp_path / "log")
    yield log
    log.close()


def append(log: EventLog, count: int, size_bytes: int = 1) -> None:
    last_seq = log.last_seq
    log.append(bytes([last_seq % 256]) * size_bytes, count, last_seq)


async def take(log: EventLog, after: int, limit: int) -> list[Record]:
    """What a follower gets, up to so many records or the end of the log as it is now."""
    end, records = log.last_seq, list[Record]()
    if after == end:
        return records
    async with asyncio.timeout(TIMEOUT_S), aclosing(opened(log, after)) as follower:
        async for record in follower:
            records.append(record)
            if record.last_seq >= end or len(records) == limit:
                break
    return records


def opened(log: EventLog, after: int, max_behind: int | None = None) -> Any:
    """A follower, which can be closed."""
    return cast("Any", log.follow(after, max_behind=max_behind))


@settings(max_examples=40, deadline=None)
@given(first=APPENDS, second=APPENDS, stops=st.lists(st.integers(1, 5), max_size=30))
def test_a_follower_that_resumes_gets_everything_once(
    first: list[tuple[int, int]], second: list[tuple[int, int]], stops: list[int]
) -> None:
    """Stopped anywhere, resumed after its last event: all records, in order, each once.

    Over segments, a start from a snapshot, and what is appended after it.
    """

    async def main(log: EventLog, found: list[Record], stops: list[int]) -> None:
        after = found[-1].last_seq if found else 0
        for limit in [*stops, 1000]:
            found += await take(log, after, limit)
            after = found[-1].last_seq

    with tempfile.TemporaryDirectory() as home:
        found: list[Record] = []
        log = open_small(Path(home, "log"))
        for count, size_bytes in first:
            append(log, count, size_bytes)
        asyncio.run(main(log, found, stops[::2]))
        snapshot = log.snapshots.begin(log.write_sync_marker(), 1)
        snapshot.write(b"state")
        snapshot.finish()
        log.close()
        with closing(open_small(Path(home, "log"))) as log:
            for count, size_bytes in second:
                append(log, count, size_bytes)
            asyncio.run(main(log, found, stops[1::2]))
            assert found == list(log.read())
            for after in range(log.last_seq):
                assert asyncio.run(take(log, after, 1000)) == list(log.read(after))


def test_followers_at_many_places_get_the_same(log: EventLog) -> None:
    """Followers that began at every event, beside appends, each get all that is behind it."""

    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as tasks:
            followers = []
            for seq in range(30):
                followers.append(tasks.create_task(through(log, seq, 60)))
                append(log, 1, 300)
                await asyncio.sleep(0)
            while log.last_seq < 60:
                append(log, 3, 100)
                await asyncio.sleep(0)
        for after, follower in enumerate(followers):
            assert follower.result() == list(log.read(after))

    asyncio.run(main())


async def through(log: EventLog, after: int, last_seq: int) -> list[Record]:
    """What a follower gets up to a sequence number."""
    records = []
    async for record in log.follow(after):
        records.append(record)
        if record.last_seq >= last_seq:
            break
    return records


def test_a_slow_consumer_is_told_where_to_resume(log: EventLog) -> None:
    """Further behind than it wanted to be, it gets an error after its last event, and no gap."""

    async def main() -> list[Record]:
        follower = opened(log, 0, max_behind=5)
        append(log, 2)
        found = [await anext(follower)]
        waiting = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0)  # it has been at the end now
        append(log, 1)
        found.append(await waiting)
        for _ in range(6):
            append(log, 1)
        with pytest.raises(FollowerBehind) as caught:
            await anext(follower)
        assert (caught.value.after, caught.value.last_seq) == (3, 9)
        assert "after 3" in str(caught.value)
        return found + await take(log, caught.value.after, 100)

    assert asyncio.run(asyncio.wait_for(main(), TIMEOUT_S)) == list(log.read())


def test_history_is_not_slowness(log: EventLog) -> None:
    """A follower that has never been at the end may be as far behind as the log is long."""
    for _ in range(300):
        append(log, 1)

    async def main() -> list[Record]:
        follower: AsyncIterator[Record] = opened(log, 0, max_behind=5)
        return [await anext(follower) for _ in range(300)]

    assert asyncio.run(asyncio.wait_for(main(), TIMEOUT_S)) == list(log.read())


def test_nobody_waits_for_events_that_were_lost(log: EventLog) -> None:
    """Following after an event that the log does not have is an error, and not a silent gap."""
    append(log, 2)

    async def main(follower: AsyncIterator[Record]) -> None:
        with pytest.raises(LogRewound, match="ends at sequence number 2, and event 3"):
            await asyncio.wait_for(anext(follower), TIMEOUT_S)

    asyncio.run(main(log.follow(3)))
    if isinstance(log, FileLog):
        asyncio.run(main(LogReader(log.folder).follow(3)))


@given(
    sizes=st.lists(st.integers(1, 400_000), min_size=1, max_size=40),
    after=st.integers(0, 42),
    limit=st.integers(1, 10),
)
def test_recent_records_are_the_end_of_the_log(sizes: list[int], after: int, limit: int) -> None:
    """They are the records that come next, or say that they are not; and take bounded memory."""
    recent, records = RecentRecords(), []
    for seq, size_bytes in enumerate(sizes, start=1):
        records.append(Record(seq, 1, 0, 1, bytes(32), bytes(size_bytes)))
        recent.add(records[-1])
    found = recent.after(after, limit)
    kept = [recent.after(seq, len(sizes)) for seq in range(len(sizes))]
    longest = max((records for records in kept if records is not None), key=len, default=[])
    assert sum(len(record.payload) for record in longest) <= 1024 * 1024
    if found is None:
        assert sum(sizes[after:]) > 1024 * 1024 - 256 * len(sizes)
    else:
        assert found == records[after : after + limit]
