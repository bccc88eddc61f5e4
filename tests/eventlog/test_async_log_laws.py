"""The laws of every log that a server can use: in memory, in a folder, in a stream.

Each test runs on each kind. What is special about one kind is tested elsewhere.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import eventlog
from eventlog import (
    AsyncLog,
    FollowerBehind,
    LogRewound,
    LogUnavailable,
    Record,
    RecordTooLarge,
    SequenceConflict,
)
from tests.support.logs import KINDS, LogHome, home_of
from tests.support.nats_servers import NatsServer

TIMEOUT_S = 60  # for what happens at once unless it is broken; the machine may be busy


@pytest.fixture(params=KINDS)
def home(request: pytest.FixtureRequest, tmp_path: Path, nats: NatsServer) -> LogHome:
    """A log of each kind."""
    return home_of(request.param, tmp_path / "log", nats, lambda: 0)


@pytest.fixture
async def log(home: LogHome) -> AsyncIterator[AsyncLog]:
    """The log of each kind, open and empty."""
    log = await home.open()
    yield log
    await log.close()


async def append_many(log: AsyncLog, count: int, size_bytes: int = 1) -> None:
    for _ in range(count):
        await log.append(bytes(size_bytes), 1, log.last_seq)


async def followed(log: AsyncLog, after: int, last_seq: int) -> list[Record]:
    """What a follower gets up to a sequence number."""
    found = []
    async with asyncio.timeout(TIMEOUT_S):
        async for record in log.follow(after):
            found.append(record)
            if record.last_seq >= last_seq:
                break
    return found


async def test_a_new_log_is_empty(log: AsyncLog) -> None:
    """Nothing appended: the end is 0, the head is zeros, nothing is read."""
    assert (log.last_seq, log.head, list(log.read())) == (0, bytes(32), [])


async def test_what_is_appended_is_read(log: AsyncLog) -> None:
    """An append returns its last event's number; the records are read, from anywhere."""
    last_seq = 0
    for count, size_bytes in [(1, 1), (3, 700), (2, 1), (1, 2000), (5, 8)]:
        last_seq += count
        assert await log.append(bytes(size_bytes), count, last_seq - count) == last_seq
    records = list(log.read())
    assert [(r.first_seq, r.count) for r in records] == [(1, 1), (2, 3), (5, 2), (7, 1), (8, 5)]
    assert [len(r.payload) for r in records] == [1, 700, 1, 2000, 8]
    assert (log.last_seq, log.head) == (12, records[-1].chain)
    for after in range(-1, 13):
        assert list(log.read(after)) == [r for r in records if r.last_seq > after]


async def test_who_is_out_of_date_is_refused(log: AsyncLog) -> None:
    """An append after another event than the last changes nothing, and says what the end is."""
    await append_many(log, 2)
    head = log.head
    for expected in (0, 1, 3):
        with pytest.raises(SequenceConflict) as caught:
            await log.append(b"late", 1, expected)
        assert (caught.value.expected, caught.value.actual) == (expected, 2)
    assert (log.last_seq, log.head) == (2, head)


async def test_what_is_no_record_is_refused(log: AsyncLog) -> None:
    """An empty or too large payload, or an impossible count, changes nothing and closes nothing."""
    limit = log.limits.payload_bytes
    refused: list[tuple[bytes, int, type[Exception]]] = [
        (b"", 1, ValueError),
        (b"x", 0, ValueError),
        (b"x", 2**32, ValueError),
        (bytes(limit + 1), 1, RecordTooLarge),
    ]
    for payload, count, error in refused:
        with pytest.raises(error):
            await log.append(payload, count, 0)
    assert await log.append(bytes(limit), 1, 0) == 1
    assert [len(record.payload) for record in log.read()] == [limit]


async def test_one_of_those_who_race_wins(home: LogHome) -> None:
    """Of appends with the same expectation one succeeds, and nothing is lost or doubled.

    By one handle, and by several where a log has several.
    """
    logs = [await home.open() for _ in range(2 if home.shares else 1)]
    done: list[bytes] = []

    async def append_ten(log: AsyncLog, name: int) -> None:
        for number in range(10):
            payload = b"%d:%d" % (name, number)
            while True:
                try:
                    await log.append(payload, 1, log.last_seq)
                except SequenceConflict:
                    await asyncio.sleep(0)
                else:
                    done.append(payload)
                    break

    async with asyncio.timeout(TIMEOUT_S):
        await asyncio.gather(*(append_ten(logs[n % len(logs)], n) for n in range(4)))
    for log in logs:
        assert await log.barrier() == 40
        records = list(log.read())
        assert [record.first_seq for record in records] == list(range(1, 41))
        assert sorted(record.payload for record in records) == sorted(done)
        for name in range(4):
            own = [r.payload for r in records if r.payload.startswith(b"%d:" % name)]
            assert own == [b"%d:%d" % (name, number) for number in range(10)]
        await log.close()


async def test_a_barrier_knows_what_others_appended(home: LogHome) -> None:
    """Whatever was appended before it was asked for, by whomever, is read after it."""
    if not home.shares:
        pytest.skip("it has one writer")
    ours, theirs = await home.open(), await home.open()
    for seq in range(20):
        await theirs.append(b"x", 1, theirs.last_seq)
        assert await ours.barrier() == seq + 1
        assert len(list(ours.read())) == seq + 1
        assert await theirs.barrier() == seq + 1
    assert list(ours.read()) == list(theirs.read())
    await ours.close()
    await theirs.close()


async def test_reading_ends_where_the_log_ended_when_it_began(log: AsyncLog) -> None:
    """What is appended during a read is for the next read."""
    await log.append(b"a", 1, 0)
    records = log.read()
    await log.append(b"b", 1, 1)
    assert [record.payload for record in records] == [b"a"]


@pytest.mark.parametrize("after", [0, 7, 20])
async def test_following_gives_everything_once(log: AsyncLog, after: int) -> None:
    """A follower gets what is there, then what is appended, in order, each once."""
    await append_many(log, 20, 300)
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(append_many(log, 40, 100))
        following = tasks.create_task(followed(log, after, 60))
    assert following.result() == list(log.read(after))
    assert [record.first_seq for record in following.result()] == list(range(after + 1, 61))


async def test_a_slow_or_a_lost_follower_gets_an_error(log: AsyncLog) -> None:
    """It says where to resume, or that the log does not have what was read of it."""
    await append_many(log, 1)
    follower = log.follow(1, max_behind=2)
    waiting = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0)  # it has been at the end now
    await append_many(log, 1)
    async with asyncio.timeout(TIMEOUT_S):
        assert (await waiting).last_seq == 2
        await append_many(log, 3)
        with pytest.raises(FollowerBehind) as caught:
            await anext(follower)
        assert (caught.value.after, caught.value.last_seq) == (2, 5)
        with pytest.raises(LogRewound):
            await anext(log.follow(6))


async def test_a_closed_log_takes_nothing(log: AsyncLog) -> None:
    """After close an append raises LogUnavailable, followers have ended, and reading goes on."""
    await log.append(b"a", 1, 0)
    following = asyncio.ensure_future(anext(log.follow(1)))
    await asyncio.sleep(0)
    await log.close()
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.append(b"b", 1, 1)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(following, TIMEOUT_S)
    assert [record.payload for record in log.read()] == [b"a"]


async def test_opening_again_changes_nothing(home: LogHome) -> None:
    """Same records, same end; a writer's epoch is greater than all before."""
    records: list[Record] = []
    for size_bytes in (1, 500, 1000):
        log = await home.open()
        assert list(log.read()) == records
        await append_many(log, 5, size_bytes)
        new = list(log.read())[len(records) :]
        assert len({record.epoch for record in new}) == 1
        assert not records or new[0].epoch > records[-1].epoch
        records += new
        await log.close()


async def test_a_marker_is_no_event_and_a_snapshots_place(home: LogHome) -> None:
    """It is in the chain, a second one says nothing new, and what was saved there is found."""
    log = await home.open()
    await append_many(log, 7, 300)
    position = await log.write_sync_marker()
    assert (position.last_seq, position.chain) == (7, log.head)
    assert (await log.write_sync_marker()).chain == position.chain
    assert len(list(log.read())) == 7
    writer = log.snapshots.begin(position, 5)
    writer.write(b"state")
    writer.finish()
    await append_many(log, 7, 300)
    records = list(log.read())
    await log.close()
    log = await home.open()
    (snapshot,) = log.snapshots.newest_first(5)
    assert (snapshot.position.last_seq, snapshot.payload) == (7, b"state")
    assert list(log.read()) == records
    assert list(log.read(7)) == records[7:]
    await log.close()


@pytest.mark.parametrize("seed", range(3))
async def test_all_kinds_hold_the_same(seed: int, tmp_path: Path, nats: NatsServer) -> None:
    """Whatever is done to them, they have the same records, ends and heads: they are one log."""
    now_ns, pick = 0, random.Random(seed)  # noqa: S311 - no secret
    clock: Callable[[], int] = lambda: now_ns  # noqa: E731 - it has to see the variable
    homes = [home_of(kind, tmp_path / kind, nats, clock) for kind in KINDS]
    logs = [await home.open() for home in homes]
    has_written = False
    for _ in range(60):
        now_ns += 1
        match pick.choice(("append", "append", "append", "late", "mark", "reopen")):
            case "append":
                payload = bytes([pick.randrange(256)] * pick.randint(1, 900))
                count = pick.randint(1, 4)
                has_written = True
                assert len({await log.append(payload, count, log.last_seq) for log in logs}) == 1
            case "late":
                for log in logs:
                    with pytest.raises(SequenceConflict):
                        await log.append(b"late", 1, log.last_seq + 1)
            case "mark":
                assert len({(await log.write_sync_marker()).chain for log in logs}) == 1
            case "reopen" if has_written:  # in memory, a writer that writes nothing is counted
                for log in logs:
                    await log.write_sync_marker()
                    await log.close()
                logs, has_written = [await home.open() for home in homes], False
        assert len({(log.last_seq, log.head) for log in logs}) == 1
    assert list(logs[0].read()) == list(logs[1].read()) == list(logs[2].read())
    head = logs[0].head
    for log in logs:
        await log.close()
    assert eventlog.LogReader(tmp_path / "stream-0").head == head
