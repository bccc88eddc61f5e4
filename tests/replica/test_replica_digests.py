"""A replica and the digests that it records: the promise that `log replay --check` holds it to."""

import asyncio
from itertools import pairwise

import pytest

from eventlog import MemoryLog
from nc.domain.codec.digest import count_entries, digest
from nc.domain.decide import Command
from nc.domain.events import DigestRecorded, Event
from nc.domain.evolve import evolve
from nc.domain.replicas import RecordDigest
from nc.domain.state import State
from nc.domain.tokens import IssueToken
from nc.replica.digests import Digests
from nc.replica.errors import DiskFull, NotLeading
from nc.replica.replica import Replica
from tests.support.histories import NOW_MS, connect, disconnect, register
from tests.support.replica_bench import (
    ORIGIN,
    batches,
    on_a_loop,
    outcomes,
    replayed,
    running,
    submit,
)


def issue(count: int, prefix: str = "token") -> list[Command]:
    """Issue so many tokens that never expire."""
    return [IssueToken(f"{prefix}-{number}", -1, NOW_MS) for number in range(count)]


@pytest.fixture
def few_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest is due after eight events, if there is no more than that in the state."""
    monkeypatch.setattr("nc.replica.digests.DIGEST_EVENTS", 8)


def events_of(log: MemoryLog) -> list[Event]:
    return [event for entries in batches(log) for entry in entries for event in entry.events]


def digests_of(log: MemoryLog) -> dict[int, DigestRecorded]:
    """The digests that were recorded, by the events that say so."""
    return {
        seq: event.digest_recorded
        for seq, event in enumerate(events_of(log), start=1)
        if event.HasField("digest_recorded")
    }


async def live_until_recorded(replica: Replica, log: MemoryLog, count: int) -> None:
    """Issue tokens until there are so many digests."""
    while len(digests_of(log)) < count:
        await replica.submit(IssueToken(f"live-{log.last_seq}", -1, NOW_MS), ORIGIN)
        await asyncio.sleep(0.001)  # virtual: the digest is computed meanwhile


@pytest.mark.usefixtures("few_events")
@on_a_loop
async def test_digests_are_of_what_the_log_led_to() -> None:
    """Each is of an earlier event than itself, later than the one before, and right."""
    log = MemoryLog()
    async with running(log) as replica:
        await replica.submit(IssueToken("t", -1, NOW_MS), ORIGIN)
        for number in range(4):
            name = f"node-{number}"
            commands = [*register(name), *connect(name), *disconnect(name), *connect(name)]
            await asyncio.gather(*submit(replica, *commands))
            await live_until_recorded(replica, log, number + 1)
        assert replica.state == replayed(log)
        assert replica.state.digest_seq == max(each.seq for each in digests_of(log).values())
    events, last = events_of(log), 0
    for seq, recorded in digests_of(log).items():
        assert last < recorded.seq < seq
        assert recorded.digest == digest(evolve(State(), events[: recorded.seq])).hex()
        last = recorded.seq


@pytest.mark.usefixtures("few_events")
@on_a_loop
async def test_digests_are_as_far_apart_as_the_state_is_large() -> None:
    """The work for an event stays the same: what a digest costs is spread over as many events."""
    log = MemoryLog()
    async with running(log) as replica:
        await live_until_recorded(replica, log, 3)  # each is five times as far as the last
    recorded = [each.seq for each in digests_of(log).values()]
    events = events_of(log)
    for one, next_one in pairwise([0, *recorded]):
        size = count_entries(evolve(State(), events[:next_one]))
        assert next_one - one >= max(8, size // 2)


@on_a_loop
async def test_few_events_have_no_digest() -> None:
    """Below 256 events there is none, and there is one soon after."""
    log = MemoryLog()
    async with running(log) as replica:
        await asyncio.gather(*submit(replica, *issue(200)))
        await asyncio.sleep(0.02)
        assert not digests_of(log)
        await asyncio.gather(*submit(replica, *issue(300, "more")))
        while not digests_of(log):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        assert digests_of(log)[501].seq == 500


@on_a_loop
async def test_who_comes_second_with_a_digest_records_nothing() -> None:
    """Replicas that share a log digest the same events; one of them records it."""
    async with running(MemoryLog()) as replica:
        await asyncio.gather(*submit(replica, *issue(5)))
        commands = [RecordDigest(3, "aa"), RecordDigest(3, "aa"), RecordDigest(2, "bb")]
        assert await outcomes(submit(replica, *commands)) == [1, 0, 0]
        assert await outcomes(submit(replica, RecordDigest(4, "cc"))) == [1]


@pytest.mark.usefixtures("few_events")
@on_a_loop
async def test_a_full_disk_gives_a_digest_up() -> None:
    """What keeps a digest from being recorded harms nothing; the next one makes up for it."""
    log = MemoryLog()
    async with running(log) as replica:
        await asyncio.gather(*submit(replica, *issue(20)))
        log.is_full = True
        assert await outcomes(submit(replica, IssueToken("x", -1, NOW_MS))) == [DiskFull]
        assert replica.digests.recording is not None
        await replica.digests.recording  # raises nothing
        assert not digests_of(log)
        log.is_full = False
        await replica.writable.wait()
        await live_until_recorded(replica, log, 1)
    assert replica.failure is None
    assert replica.state == replayed(log)


@pytest.mark.usefixtures("few_events")
@on_a_loop
async def test_a_stop_waits_for_no_digest() -> None:
    """One that is under way is given up; nothing of it is left."""
    log = MemoryLog()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nc.replica.digests._PAUSE_S", 60)
        async with running(log) as replica:
            await asyncio.gather(*submit(replica, *issue(20)))
            assert "digest" in {task.get_name() for task in asyncio.all_tasks()}
    assert "digest" not in {task.get_name() for task in asyncio.all_tasks()}
    assert log.last_seq == 20


@on_a_loop
async def test_a_leader_that_was_replaced_records_no_digest() -> None:
    """It computed one while another was elected: that is no bug, and the other one does it."""

    async def refuse(*_: object, **__: object) -> list[Event]:
        raise NotLeading

    digests = Digests(refuse)
    digests.begin(State())
    assert digests.recording is not None
    await digests.recording
