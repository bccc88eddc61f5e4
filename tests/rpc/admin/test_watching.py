"""The tail and watches without sockets: what they keep, and when a watch is ended."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import MemoryLog
from nc.domain.events import Batch, Entry, Event, TokenIssued
from nc.domain.state import State
from nc.pb.admin.v1.events_pb2 import WatchEventsResponse
from nc.replica.errors import Stopping
from nc.rpc.admin.errors import WatchTooSlow
from nc.rpc.admin.event_filter import EventSelection
from nc.rpc.admin.logged import NodeNames
from nc.rpc.admin.tail import Tail
from nc.rpc.admin.turns import Pacer
from nc.rpc.admin.watching import Source, Watch

ALL = EventSelection()


def append(log: MemoryLog, count: int, label: str = "") -> None:
    """One record of as many events, each of an entry of its own."""
    entries = [
        Entry(
            recorded_at_ns=1,
            actor="system",
            method="test",
            events=[Event(token_issued=TokenIssued(token_id=f"{n}", label=label))],
        )
        for n in range(count)
    ]
    log.append(Batch(entries=entries).SerializeToString(), count, log.last_seq)


class Reader:
    """Takes messages, until it is told to take no more.

    Attributes:
        seqs: the events that it got.
        next_seq: of its last message.
    """

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.next_seq = 0
        self.takes = asyncio.Event()
        self.takes.set()
        self.after_each: Callable[[], None] = lambda: None

    async def read(self) -> bytes | None:
        return None

    async def write(self, message: bytes) -> None:
        await self.takes.wait()
        response = WatchEventsResponse.FromString(message)
        self.seqs += [event.seq for event in response.events]
        self.next_seq = response.next_seq
        self.after_each()

    def check(self) -> None:
        pass


async def applied(_seq: int) -> None:
    """There is no state that would have to be waited for."""


def source_of(log: MemoryLog, max_bytes: int = 1 << 20, patience_s: float = 60.0) -> Source:
    names = NodeNames(State)
    tail = Tail(log, names, applied, max_bytes, pause_s=0)
    return Source(log, tail, names, Pacer(), patience_s)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0)


@settings(max_examples=30)
@given(
    before=st.lists(st.integers(1, 400), max_size=3),
    behind=st.lists(st.integers(1, 400), max_size=3),
    from_share=st.floats(0, 1),
    max_bytes=st.integers(1, 1 << 18),
)
def test_a_watch_misses_nothing(
    before: Sequence[int], behind: Sequence[int], from_share: float, max_bytes: int
) -> None:
    """Wherever it begins, and however little the tail keeps: every event once and in order.

    A tail that does not hold what is appended at once leaves a watch behind; it resumes.
    """

    async def scenario() -> None:
        log = MemoryLog()
        for count in before:
            append(log, count)
        first = 1 + int(from_share * log.last_seq)
        source, reader = source_of(log, max_bytes), Reader()
        async with source.tail.watched():
            watch = asyncio.create_task(Watch(source, reader, ALL, first, None).run())
            for count in behind:
                await until(lambda: reader.next_seq > log.last_seq or watch.done())
                append(log, count)
            await until(lambda: reader.next_seq > log.last_seq or watch.done())
            if watch.done():
                with pytest.raises(WatchTooSlow) as ended:
                    watch.result()
                assert ended.value.next_seq == reader.next_seq
                await until(lambda: source.tail.last_seq == log.last_seq)
                await Watch(source, reader, ALL, reader.next_seq, log.last_seq).run()
            else:
                watch.cancel()
        assert reader.seqs == list(range(first, log.last_seq + 1))
        log.close()

    asyncio.run(scenario())


async def test_a_watch_that_is_left_behind_is_told_where_to_resume() -> None:
    """Its reader pauses, the tail moves on: it ends, and from there on nothing is missing."""
    log = MemoryLog()
    source, reader = source_of(log, max_bytes=20_000), Reader()
    async with source.tail.watched():
        watch = asyncio.create_task(Watch(source, reader, ALL, 1, None).run())
        append(log, 3)
        await until(lambda: reader.next_seq == 4)
        reader.takes.clear()
        for _ in range(40):
            append(log, 10)
            await until(lambda: source.tail.last_seq == log.last_seq)
        assert source.tail.first_seq > 4
        reader.takes.set()
        with pytest.raises(WatchTooSlow) as ended:
            await asyncio.wait_for(watch, 60)
        again = Reader()
        await Watch(source, again, ALL, ended.value.next_seq, log.last_seq).run()
        assert sorted(set(reader.seqs + again.seqs)) == list(range(1, log.last_seq + 1))
    log.close()


async def test_a_reader_that_takes_nothing_is_given_up() -> None:
    """Without a word from it: the watch ends by itself, at the message that was not taken."""
    log = MemoryLog()
    append(log, 5)
    source, reader = source_of(log, patience_s=0.001), Reader()
    reader.takes.clear()
    async with source.tail.watched():
        with pytest.raises(WatchTooSlow) as ended:
            await Watch(source, reader, ALL, 2, None).run()
        assert ended.value.next_seq == 2
    log.close()


async def test_the_tail_is_bounded_and_forgets_when_nobody_watches() -> None:
    """Never more bytes than it may keep, whatever the events; nothing is left behind."""
    log = MemoryLog()
    tail = source_of(log, max_bytes=50_000).tail
    async with tail.watched():
        for size in range(60):
            append(log, 7, label="x" * 17 * size)
            await until(lambda: tail.last_seq == log.last_seq)
            kept = tail.after(tail.first_seq - 1, 1000)
            assert sum(len(event.encoded) for event in kept) <= 50_000
            assert [event.seq for event in kept] == list(range(tail.first_seq, tail.last_seq + 1))
    assert tail.after(tail.first_seq - 1, 1000) == []
    log.close()


async def test_nobody_is_shown_what_the_state_does_not_have() -> None:
    """An event that is in the log is sent once it is applied, and not before."""
    log, is_applied = MemoryLog(), asyncio.Event()

    async def applied_late(_seq: int) -> None:
        await is_applied.wait()

    names = NodeNames(State)
    source = Source(log, Tail(log, names, applied_late, pause_s=0), names, Pacer(), 60.0)
    reader = Reader()
    async with source.tail.watched():
        watch = asyncio.create_task(Watch(source, reader, ALL, 1, None).run())
        await until(lambda: reader.next_seq == 1)
        append(log, 3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert reader.seqs == []
        is_applied.set()
        await until(lambda: reader.seqs == [1, 2, 3])
        watch.cancel()
    log.close()


async def test_a_stop_ends_every_watch() -> None:
    """Those under way and those that come, with what tells their readers to come again."""
    log = MemoryLog()
    source = source_of(log)
    readers = [Reader() for _ in range(3)]
    async with source.tail.watched():
        watches = [asyncio.create_task(Watch(source, r, ALL, 1, None).run()) for r in readers]
        await until(lambda: all(reader.next_seq for reader in readers))
        source.tail.stop()
        for watch in watches:
            with pytest.raises(Stopping):
                await asyncio.wait_for(watch, 60)
    with pytest.raises(Stopping):
        async with source.tail.watched():
            pass
    log.close()
