"""The laws of an event log, on every implementation, and the proof that they agree."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import eventlog
from eventlog import (
    EventLog,
    FileLog,
    LogUnavailable,
    MemoryLog,
    Record,
    RecordTooLarge,
    SequenceConflict,
)
from eventlog.followers import Followers
from tests.support.small_log import open_small

IMPLEMENTATIONS: tuple[type[EventLog], ...] = (MemoryLog, FileLog)  # which mypy checks

TIMEOUT_S = 60  # for what happens at once unless it is broken; the machine may be busy


@pytest.fixture(params=["memory", "file"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryLog | FileLog]:
    """An empty log of each kind."""
    log = MemoryLog() if request.param == "memory" else open_small(tmp_path / "log")
    yield log
    log.close()


def test_a_new_log_is_empty(log: MemoryLog | FileLog) -> None:
    """Nothing appended: the end is 0, the head is zeros, nothing is read."""
    assert (log.last_seq, log.head, list(log.read())) == (0, bytes(32), [])


@pytest.mark.parametrize(
    ("payload", "count", "error"),
    [
        (b"", 1, ValueError),
        (b"x", 0, ValueError),
        (b"x", 2**32, ValueError),
        (bytes(eventlog.MAX_PAYLOAD_BYTES + 1), 1, RecordTooLarge),
    ],
)
def test_what_is_no_record_is_refused(
    log: MemoryLog | FileLog, payload: bytes, count: int, error: type[Exception]
) -> None:
    """An empty or too large payload, or an impossible count, changes nothing and closes nothing."""
    with pytest.raises(error):
        log.append(payload, count, 0)
    assert log.append(b"x", 1, 0) == 1


def test_reading_ends_where_the_log_ended_when_it_began(log: MemoryLog | FileLog) -> None:
    """What is appended during a read is for the next read."""
    log.append(b"a", 1, 0)
    records = log.read()
    log.append(b"b", 1, 1)
    assert [record.payload for record in records] == [b"a"]


def test_appends_from_many_threads_are_one_sequence(log: MemoryLog | FileLog) -> None:
    """Of appends with the same expectation one wins; nothing is lost, doubled or overwritten."""

    def append_ten(name: int) -> None:
        done = 0
        while done < 10:
            try:
                log.append(b"%d:%d" % (name, done), 1, log.last_seq)
            except SequenceConflict:
                continue
            done += 1

    threads = [threading.Thread(target=append_ten, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    records = list(log.read())
    assert [record.first_seq for record in records] == list(range(1, 41))
    for name in range(4):
        own = [r.payload for r in records if r.payload.startswith(b"%d:" % name)]
        assert own == [b"%d:%d" % (name, n) for n in range(10)]


def test_a_closed_log_takes_nothing(log: MemoryLog | FileLog) -> None:
    """After close an append raises LogUnavailable; reading goes on; closing again is fine."""
    log.append(b"a", 1, 0)
    log.close()
    log.close()
    with pytest.raises(LogUnavailable):
        log.append(b"b", 1, 1)
    assert [record.payload for record in log.read()] == [b"a"]


async def collect(log: MemoryLog | FileLog, after: int, last_seq: int) -> list[Record]:
    """What a follower gets up to a sequence number."""
    records = []
    async with asyncio.timeout(TIMEOUT_S):
        async for record in log.follow(after):
            records.append(record)
            if record.last_seq >= last_seq:
                break
    return records


@pytest.mark.parametrize("after", [0, 7, 20])
def test_following_gives_everything_once(log: MemoryLog | FileLog, after: int) -> None:
    """A follower gets what is there, then what another thread appends, in order, each once."""
    for seq in range(20):
        log.append(b"%d" % (seq + 1), 1, seq)

    def append_more() -> None:
        for seq in range(20, 300):
            log.append(b"%d" % (seq + 1), 1, seq)

    writer = threading.Thread(target=append_more)

    async def main() -> list[Record]:
        writer.start()
        return await collect(log, after, 300)

    followed = asyncio.run(main())
    writer.join()
    assert followed == list(log.read(after))
    assert [record.first_seq for record in followed] == list(range(after + 1, 301))


def test_followers_live_on_any_event_loop(log: MemoryLog | FileLog) -> None:
    """Followers on several event loops, in several threads, get the same records."""
    results: list[list[Record]] = []
    threads = [
        threading.Thread(target=lambda: results.append(asyncio.run(collect(log, 0, 50))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for seq in range(50):
        log.append(b"x", 1, seq)
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert results == [list(log.read())] * 3


async def asleep(log: MemoryLog | FileLog) -> None:
    """Let the followers of this loop run until one sleeps."""
    async with asyncio.timeout(TIMEOUT_S):
        while not len(log.followers):  # noqa: ASYNC110 - nothing tells when a follower sleeps
            await asyncio.sleep(0)


def test_a_consumer_that_goes_away_leaves_nothing(log: MemoryLog | FileLog) -> None:
    """Cancelled, or gone with its event loop, a follower is forgotten and appending goes on."""

    async def cancelled() -> None:
        task = asyncio.create_task(collect(log, 0, 1))
        await asleep(log)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(log.followers) == 0

    asyncio.run(cancelled())

    loop = asyncio.new_event_loop()
    abandoned = collect(log, 0, 1)
    task = loop.create_task(abandoned)
    loop.run_until_complete(asleep(log))
    loop.close()
    assert log.append(b"x", 1, 0) == 1
    assert len(log.followers) == 0
    abandoned.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # its end is what is tested


def test_followers_end_with_the_log(log: MemoryLog | FileLog) -> None:
    """Closing the log ends its followers, after they got everything."""

    async def main() -> list[bytes]:
        async def payloads() -> list[bytes]:
            return [record.payload async for record in log.follow()]

        async with asyncio.timeout(TIMEOUT_S):
            task = asyncio.create_task(payloads())
            await asleep(log)
            log.append(b"a", 1, 0)
            log.append(b"b", 1, 1)
            log.close()
            return await task

    assert asyncio.run(main()) == [b"a", b"b"]


@pytest.mark.parametrize("closed", [False, True])
def test_nobody_sleeps_through_what_has_happened(closed: bool) -> None:
    """A follower looks again before it sleeps: what came after its last look keeps it awake."""
    followers = Followers()
    if closed:
        followers.close()
    awake = followers.sleep_unless(lambda: not closed)
    asyncio.run(asyncio.wait_for(awake, TIMEOUT_S))
    assert len(followers) == 0


def test_a_long_history_leaves_the_loop_to_others(log: MemoryLog | FileLog) -> None:
    """While a follower reads what is there, other tasks of its loop get their turn."""
    for seq in range(600):
        log.append(bytes(100), 1, seq)

    async def main() -> int:
        turns = 0
        task = asyncio.create_task(collect(log, 0, 600))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        assert len(await task) == 600
        return turns

    assert asyncio.run(main()) > 2


def test_peers_share_records_not_fate() -> None:
    """Handles on one log in memory see each other's appends; faults and end are each one's own."""
    ours = MemoryLog()
    theirs = ours.peer()
    assert ours.append(b"a", 1, 0) == theirs.last_seq == 1
    with pytest.raises(SequenceConflict):
        theirs.append(b"b", 1, 0)
    ours.fail_appends()
    ours.close()
    assert theirs.append(b"b", 1, 1) == ours.last_seq == 2
    assert (ours.epoch, theirs.epoch) == (1, 2)


@pytest.mark.parametrize("written", [False, True])
def test_a_failing_append_has_either_outcome(written: bool) -> None:
    """Made to fail, a log in memory raises LogUnavailable that often, with the chosen outcome."""
    log = MemoryLog()
    log.fail_appends(2, written=written)
    for attempt in range(2):
        with pytest.raises(LogUnavailable):
            log.append(b"x", 1, attempt if written else 0)
    assert log.last_seq == (2 if written else 0)
    assert log.append(b"y", 1, log.last_seq) == log.last_seq
