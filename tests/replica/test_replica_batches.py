"""Group commit: what waits is decided in order, and written as few records of bounded size."""

import asyncio

from eventlog import MemoryLog
from nc.domain.errors import BootstrapTokenUnknown, IdTaken
from nc.domain.nodes import ExpireNodes, Unregister
from nc.replica.batch import MAX_BATCH_COMMANDS, Origin
from nc.replica.replica import Replica
from tests.support.histories import NOW_MS
from tests.support.replica_bench import (
    ORIGIN,
    Gate,
    ManualClock,
    batches,
    issue,
    on_a_loop,
    outcomes,
    redeem,
    replayed,
    running,
    settle,
    submit,
)


@on_a_loop
async def test_what_gathers_during_an_append_is_one_record() -> None:
    """Group commit: however many commands come while the disk is busy, one append takes them."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, issue("first"))
        await settle()
        tasks += submit(replica, *(issue(str(number)) for number in range(100)))
        await gate.let_one_through()
        assert sum(task.done() for task in tasks) == 1
        await gate.let_one_through()
        assert all(task.done() for task in tasks)
    assert [len(entries) for entries in batches(log)] == [1, 100]


@on_a_loop
async def test_replies_come_in_order() -> None:
    """Refused or not, callers are answered in the order in which they came."""
    order: list[int] = []

    async def call(replica: Replica, number: int) -> None:
        await asyncio.gather(replica.submit(issue(str(number % 7)), ORIGIN), return_exceptions=True)
        order.append(number)

    async with running(MemoryLog()) as replica:
        await asyncio.gather(*(call(replica, number) for number in range(50)))
    assert order == list(range(50))


@on_a_loop
async def test_a_refused_command_fails_alone() -> None:
    """In one batch each command is decided on what those before it leave, and answered alone."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(
            replica,
            issue("a"),
            issue("a"),
            redeem("b", "n"),
            redeem("a", "n"),
            redeem("a", "n"),
            Unregister("n"),
            redeem("a", "n"),
        )
        await settle()
        await gate.let_one_through()
        assert await outcomes(tasks) == [1, IdTaken, BootstrapTokenUnknown, 1, IdTaken, 1, 1]
    assert [[len(entry.events) for entry in entries] for entries in batches(log)] == [[1, 1, 1, 1]]
    assert replica.state == replayed(log)


@on_a_loop
async def test_what_changes_nothing_is_not_written() -> None:
    """A batch of refusals and of commands without events is answered without an append."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, redeem("t", "n"), ExpireNodes(NOW_MS))
        assert await outcomes(tasks) == [BootstrapTokenUnknown, 0]
        assert (gate.passed, log.last_seq) == (0, 0)


@on_a_loop
async def test_a_record_holds_so_many_commands() -> None:
    """A long queue is written in several records, in order."""
    log, gate = MemoryLog(), Gate(held=True)
    count = 2 * MAX_BATCH_COMMANDS + 1
    async with running(log, gate) as replica:
        replica.digests.interval_events = 2 * count  # so that none comes among the records
        tasks = submit(replica, *(issue(f"{number:05}") for number in range(count)))
        await settle()
        await gate.open()
        assert await outcomes(tasks) == [1] * count
    assert [len(e) for e in batches(log)] == [MAX_BATCH_COMMANDS, MAX_BATCH_COMMANDS, 1]
    written = [e.events[0].token_issued.token_id for batch in batches(log) for e in batch]
    assert written == sorted(written)


@on_a_loop
async def test_a_record_holds_so_many_bytes() -> None:
    """A record is closed by the command that takes it to the limit."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, *(issue(str(number) * 400_000) for number in range(7)))
        await settle()
        await gate.open()
        assert await outcomes(tasks) == [1] * 7
    assert [len(entries) for entries in batches(log)] == [3, 3, 1]


@on_a_loop
async def test_an_entry_says_who_asked_and_when() -> None:
    """Each entry carries its caller's origin, and the time of the replica that decided."""
    log, clock = MemoryLog(), ManualClock()
    async with running(log, clock=clock) as replica:
        await replica.submit(issue("a"), Origin("certificate:admin:1f", "GetBootStrapToken", "x"))
        clock.ns -= 5_000_000_000
        await replica.submit(issue("b"), Origin("system", "sweep", "y"))
    (first,), (second,) = batches(log)
    assert (first.actor, first.method, first.request_id) == (
        "certificate:admin:1f",
        "GetBootStrapToken",
        "x",
    )
    assert second.recorded_at_ns == clock.ns == first.recorded_at_ns - 5_000_000_000
