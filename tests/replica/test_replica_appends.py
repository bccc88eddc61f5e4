"""When appends may run on the event loop, and that they obey a replica's laws there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import MemoryLog
from nc.domain.decide import Command
from nc.domain.errors import IdTaken
from nc.domain.events import pb
from nc.domain.links import AcceptLink, DropLink
from nc.domain.replicas import StartReplica
from nc.domain.tokens import IssueToken, RedeemToken
from nc.replica.errors import Unwritable
from nc.replica.local_log import FAST_NS, PAUSE_FACTOR, LocalLog
from nc.replica.replica import Replica
from tests.support.histories import NOW_MS
from tests.support.replica_bench import (
    ORIGIN,
    ManualClock,
    batches,
    on_a_loop,
    outcomes,
    replayed,
    submit,
)

T = TypeVar("T")

START = StartReplica("r", "1", "10.1.1.1/24")
DURATIONS_NS = st.sampled_from([0, FAST_NS, FAST_NS + 1, 10 * FAST_NS, 1000 * FAST_NS])
GAPS_NS = st.integers(0, 2 * PAUSE_FACTOR * 10 * FAST_NS)


def issue(number: int) -> Command:
    """Issue a token that never expires."""
    return IssueToken(f"t{number}", -1, NOW_MS)


@dataclass(frozen=True)
class Append:
    """One append: when it began, how long it took, and whether the event loop waited for it."""

    began_ns: int
    duration_ns: int
    on_loop: bool


@dataclass
class Disk:
    """A disk that takes as long as the test says, and knows who waits for it."""

    clock: ManualClock = field(default_factory=ManualClock)
    duration_ns: int = 0
    appends: list[Append] = field(default_factory=list)
    is_in_thread: bool = False

    async def run_blocking(self, function: Callable[[], T], /) -> T:
        """Take the place of the thread."""
        await asyncio.sleep(0)
        self.is_in_thread = True
        try:
            return function()
        finally:
            self.is_in_thread = False

    def take(self) -> None:
        """Let an append take its time."""
        append = Append(self.clock.ns, self.duration_ns, not self.is_in_thread)
        self.appends.append(append)
        self.clock.ns += self.duration_ns


class TimedLog(MemoryLog):
    """A log whose appends take time."""

    disk: Disk

    def append(self, payload: bytes, count: int, expected: int) -> int:
        """As `MemoryLog.append`."""
        self.disk.take()
        return super().append(payload, count, expected)


def started(disk: Disk, *, append_on_loop: bool = True) -> tuple[Replica, TimedLog]:
    """A running replica, and its log."""
    log = TimedLog()
    log.disk = disk
    replica = Replica(
        LocalLog(log, disk.clock, run_blocking=disk.run_blocking),
        disk.clock,
        run_blocking=disk.run_blocking,
        append_on_loop=append_on_loop,
    )
    replica.start()
    return replica, log


@given(st.lists(st.tuples(DURATIONS_NS, GAPS_NS), max_size=30))
@on_a_loop
async def test_slow_appends_take_at_most_a_hundredth_of_the_loops_time(
    appends: list[tuple[int, int]],
) -> None:
    """After a slow append the loop waits for none, until a hundred times its duration is over."""
    disk = Disk()
    replica, _ = started(disk)
    for number, (duration_ns, gap_ns) in enumerate(appends):
        disk.duration_ns = duration_ns
        await replica.submit(issue(number), ORIGIN)
        disk.clock.ns += gap_ns
    for slow in (each for each in disk.appends if each.duration_ns > FAST_NS):
        ended_ns = slow.began_ns + slow.duration_ns
        pause_ns = PAUSE_FACTOR * slow.duration_ns
        for other in disk.appends:
            assert not (other.on_loop and ended_ns <= other.began_ns < ended_ns + pause_ns)
    disk.duration_ns = 0
    await replica.stop()


@given(st.lists(GAPS_NS, max_size=30))
@on_a_loop
async def test_a_slow_disk_is_never_waited_for(gaps_ns: list[int]) -> None:
    """If every append is slow, none runs on the event loop, however long the pauses are."""
    disk = Disk(duration_ns=FAST_NS + 1)
    replica, _ = started(disk)
    for number, gap_ns in enumerate(gaps_ns):
        await replica.submit(issue(number), ORIGIN)
        disk.clock.ns += gap_ns
    assert not any(append.on_loop for append in disk.appends)
    await replica.stop()


@on_a_loop
async def test_a_fast_disk_is_waited_for_from_the_second_append_on() -> None:
    """The first append shows that the disk is fast; those that follow run on the event loop."""
    disk = Disk(duration_ns=FAST_NS)
    replica, log = started(disk)
    for number in range(5):
        await replica.submit(issue(number), ORIGIN)
    assert [append.on_loop for append in disk.appends] == [False, True, True, True, True]
    assert replica.state == replayed(log)
    await replica.stop()


@on_a_loop
async def test_nothing_runs_on_the_loop_unless_it_was_allowed() -> None:
    """Without `append_on_loop` the fastest disk is not waited for."""
    disk = Disk()
    replica, _ = started(disk, append_on_loop=False)
    for number in range(3):
        await replica.submit(issue(number), ORIGIN)
    assert not any(append.on_loop for append in disk.appends)
    await replica.stop()


@on_a_loop
async def test_packets_do_not_wait_for_the_disk() -> None:
    """While a node has a link, no append runs on the event loop."""
    disk = Disk()
    replica, _ = started(disk)
    before = (START, issue(0), RedeemToken("t0", "n", (), NOW_MS), AcceptLink("n", "l", NOW_MS))
    for command in before:
        await replica.submit(command, ORIGIN)
    assert replica.state.links
    first = len(disk.appends)
    for number in range(1, 4):
        await replica.submit(issue(number), ORIGIN)
    assert not any(append.on_loop for append in disk.appends[first:])
    await replica.submit(DropLink("n", "l", pb.STATE_CHANGE_REASON_LINK_CLOSED), ORIGIN)
    await replica.submit(issue(4), ORIGIN)
    assert disk.appends[-1].on_loop
    await replica.stop()


@on_a_loop
async def test_appends_on_the_loop_let_others_run() -> None:
    """Between two records of a long queue, other tasks get their turn."""
    disk = Disk()
    replica, log = started(disk)
    await replica.submit(issue(0), ORIGIN)
    waiting = submit(replica, *(issue(number) for number in range(1, 2000)))
    records = []  # that the log held at each turn of another task
    while not waiting[-1].done():  # replies come in order
        await asyncio.sleep(0)
        records.append(sum(1 for _ in log.read()))
    assert all(append.on_loop for append in disk.appends[1:])
    assert set(records) >= set(range(1, len(batches(log)))) > {1, 2}
    await replica.stop()


@pytest.mark.parametrize("written", [False, True])
@on_a_loop
async def test_a_failed_append_on_the_loop_promises_nothing(written: bool) -> None:
    """The batch and all later callers get Unwritable, and the state stays."""
    disk = Disk()
    replica, log = started(disk)
    await replica.submit(issue(0), ORIGIN)
    before = replica.state
    log.fail_appends(written=written)
    assert await outcomes(submit(replica, issue(1), issue(0))) == [Unwritable] * 2
    assert disk.appends[-1].on_loop
    assert replica.state is before
    with pytest.raises(Unwritable):
        await replica.submit(issue(2), ORIGIN)
    await replica.stop()


@on_a_loop
async def test_a_conflict_on_the_loop_is_decided_again() -> None:
    """If another replica appended first, the command is decided on what that one wrote."""
    disk = Disk()
    replica, log = started(disk)
    await replica.submit(issue(0), ORIGIN)
    peer = Replica(
        LocalLog(log.peer(), disk.clock, run_blocking=disk.run_blocking),
        disk.clock,
        run_blocking=disk.run_blocking,
    )
    peer.start()
    await peer.submit(issue(1), ORIGIN)
    assert await outcomes(submit(replica, issue(1), issue(2))) == [IdTaken, 1]
    assert disk.appends[-1].on_loop
    assert replica.state == replayed(log)
    await peer.stop()
    await replica.stop()
