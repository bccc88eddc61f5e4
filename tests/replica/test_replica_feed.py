"""The laws of the feed: what watchers get, when, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eventlog import FollowerBehind, LogRewound, MemoryLog
from nc.domain.codec.records import Recorded, events_of
from nc.domain.tokens import IssueToken
from nc.replica.feed import Feed
from nc.replica.replica import Replica
from tests.support.histories import NOW_MS
from tests.support.replica_bench import ORIGIN, Gate, on_a_loop, running, settle, submit


def issue(number: int) -> IssueToken:
    return IssueToken(f"t{number}", -1, NOW_MS)


async def issued(replica: Replica, start: int, end: int) -> None:
    """Issue tokens, one after the other."""
    for number in range(start, end):
        await replica.submit(issue(number), ORIGIN)


async def taken(watcher: AsyncIterator[list[Recorded]], last_seq: int) -> list[Recorded]:
    """What a watcher gets up to a sequence number."""
    found: list[Recorded] = []
    while not found or found[-1].seq < last_seq:
        found += await anext(watcher)
    return found


def in_log(log: MemoryLog) -> list[Recorded]:
    return [recorded for record in log.read() for recorded in events_of(record)]


@on_a_loop
async def test_a_watcher_gets_every_event_once_from_anywhere() -> None:
    """From each sequence number: history, then what is committed, in order, without a gap.

    Also from inside of a record that holds the events of several commands.
    """
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        feed = Feed(log, replica)
        first = submit(replica, *map(issue, range(3)))
        await settle()
        await gate.let_one_through()
        await gate.open()
        await asyncio.gather(*first)
        await issued(replica, 3, 10)
        watchers = [feed.follow(after) for after in range(11)]
        history = [await taken(watchers[after], 10) for after in range(10)]
        await issued(replica, 10, 20)
        for after, watcher in enumerate(watchers):
            got = (history[after] if after < 10 else []) + await taken(watcher, 20)
            assert got == in_log(log)[after:]
            assert [recorded.seq for recorded in got] == list(range(after + 1, 21))


@on_a_loop
async def test_what_a_watcher_has_seen_is_in_the_state() -> None:
    """An event that is durable, and not applied yet, is shown to nobody."""
    log = MemoryLog()
    async with running(log) as replica:
        feed = Feed(log, replica)
        watcher = feed.follow()
        waiting = asyncio.ensure_future(anext(watcher))
        rival = log.peer()
        await issued(replica, 0, 1)
        assert (await waiting)[-1].seq == replica.state.seq == 1
        record = next(log.read())
        rival.append(record.payload.replace(b"t0", b"t9"), 1, 1)
        waiting = asyncio.ensure_future(anext(watcher))
        await settle()
        assert not waiting.done()  # this replica has not read it
        await issued(replica, 1, 2)
        assert [recorded.seq for recorded in await waiting] == [2]
        assert set(replica.state.tokens) == {"t0", "t1", "t9"}
        assert (await anext(watcher))[0].seq == 3


@on_a_loop
async def test_a_slow_watcher_and_one_from_elsewhere_get_an_error() -> None:
    """It says where to resume, or that this is not the log that was read before."""
    log = MemoryLog()
    async with running(log) as replica:
        feed = Feed(log, replica)
        watcher = feed.follow(max_behind=2)
        waiting = asyncio.ensure_future(anext(watcher))
        await settle()
        await issued(replica, 0, 4)
        assert (await waiting)[0].seq == 1
        with pytest.raises(FollowerBehind) as caught:
            await anext(watcher)
        assert caught.value.after == 1
        assert [r.seq for r in await taken(feed.follow(caught.value.after), 4)] == [2, 3, 4]
        with pytest.raises(LogRewound):
            await anext(feed.follow(5))


@on_a_loop
async def test_closing_ends_every_watcher() -> None:
    """One that sleeps, and one that has not read everything."""
    log = MemoryLog()
    async with running(log) as replica:
        feed = Feed(log, replica)
        await issued(replica, 0, 3)
        asleep: Any = asyncio.ensure_future(anext(feed.follow(3)))
        reading = feed.follow()
        assert (await anext(reading))[0].seq == 1
        await settle()
        feed.close()
        with pytest.raises(StopAsyncIteration):
            await asleep
        with pytest.raises(StopAsyncIteration):
            await anext(reading)
