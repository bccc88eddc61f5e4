"""The replica's laws while all goes well: durable first, then visible, then answered."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from eventlog import MemoryLog
from nc.domain.decide import Command
from nc.domain.errors import BootstrapTokenUnknown, IdTaken
from nc.domain.events import Event
from nc.domain.nodes import ExpireNodes, Unregister
from nc.domain.tokens import IssueToken, RedeemToken
from nc.replica.appends import in_thread
from nc.replica.batch import MAX_BATCH_COMMANDS
from nc.replica.replica import Origin, Overloaded, Replica, Stopping
from tests.support.histories import NOW_MS
from tests.support.replica_bench import (
    ORIGIN,
    Gate,
    ManualClock,
    batches,
    on_a_loop,
    outcomes,
    replayed,
    running,
    settle,
    submit,
)

T = TypeVar("T")


def issue(token_id: str) -> IssueToken:
    """Issue a token that never expires."""
    return IssueToken(token_id, -1, NOW_MS)


def redeem(token_id: str, node_id: str) -> RedeemToken:
    return RedeemToken(token_id, node_id, (), NOW_MS)


@on_a_loop
async def test_durable_then_visible_then_answered() -> None:
    """While its append is under way a command shows in no state and has no reply."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        before = replica.state
        (task,) = submit(replica, issue("t"))
        await settle()
        assert len(gate.waiting) == 1
        assert replica.state is before
        assert not task.done()
        await gate.let_one_through()
        assert task.done()
        assert set(replica.state.tokens) == {"t"}
        assert replica.state.seq == log.last_seq == 1


@on_a_loop
async def test_observers_are_told_of_what_is_durable_before_it_is_answered() -> None:
    """Every committed event, once and in order, with the state in place; one that fails harms none.

    Of what was refused, or has not been appended, nobody hears.
    """
    log, gate = MemoryLog(), Gate(held=True)
    failures: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    async with running(log, gate) as replica:
        told: list[tuple[str, int]] = []
        tasks: list[asyncio.Task[list[Event]]] = []

        def fail(events: Sequence[Event]) -> None:
            raise ValueError(len(events))

        def note(events: Sequence[Event]) -> None:
            assert not any(task.done() for task in tasks[-2:])
            told.extend((event.token_issued.token_id, replica.state.seq) for event in events)

        replica.observe(fail)
        replica.observe(note)
        tasks += submit(replica, issue("a"))
        await settle()
        assert told == []
        await gate.let_one_through()
        assert told == [("a", 1)]
        tasks += submit(replica, issue("b"), issue("a"))
        await settle()
        await gate.let_one_through()
        assert told == [("a", 1), ("b", 2)]
        assert await outcomes(tasks) == [1, 1, IdTaken]
    assert [str(failure) for failure in failures] == ["1", "1"]


@on_a_loop
async def test_nothing_shows_before_the_append_has_returned() -> None:
    """Written is not enough: until the append returns, the state stays and nobody is answered."""
    log = MemoryLog()
    returned = asyncio.Event()

    async def slow_to_return(append: Callable[[], T], /) -> T:
        last_seq = append()
        await returned.wait()
        return last_seq

    async with running(log, slow_to_return) as replica:
        (task,) = submit(replica, issue("t"))
        await settle()
        assert log.last_seq == 1
        assert (replica.state.seq, task.done()) == (0, False)
        returned.set()
        await task


@on_a_loop
async def test_an_answered_caller_sees_its_own_change() -> None:
    """The state that a caller finds on its answer holds the events of the answer."""
    async with running(MemoryLog()) as replica:
        (event,) = await replica.submit(issue("t"), ORIGIN)
        assert event.token_issued.token_id in replica.state.tokens


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
async def test_beyond_the_limit_callers_are_refused_at_once() -> None:
    """The queue is bounded; whoever finds it full is told now, and room comes back."""
    gate = Gate(held=True)
    async with running(MemoryLog(), gate, max_waiting_commands=3) as replica:
        tasks = submit(replica, issue("a"), issue("b"), issue("c"))
        await settle()
        with pytest.raises(Overloaded):
            replica.submit(issue("d"), ORIGIN).send(None)
        await gate.open()
        assert await outcomes(tasks) == [1, 1, 1]
        await replica.submit(issue("d"), ORIGIN)
        assert set(replica.state.tokens) == set("abcd")


@on_a_loop
async def test_stopping_finishes_what_waits() -> None:
    """Whoever came before the stop is served, whoever comes after it is told so."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, issue("a"))
        await settle()
        tasks += submit(replica, issue("b"), redeem("none", "n"), issue("c"))
        await settle()
        stopping = asyncio.create_task(replica.stop())
        await settle()
        assert not stopping.done()
        with pytest.raises(Stopping):
            await replica.submit(issue("late"), ORIGIN)
        await gate.open()
        await stopping
        assert all(task.done() for task in tasks)
        assert await outcomes(tasks) == [1, 1, BootstrapTokenUnknown, 1]
        await replica.stop()
    assert set(replayed(log).tokens) == set("abc")


@on_a_loop
async def test_a_caller_that_goes_away_is_alone_in_it() -> None:
    """Cancelled callers, before and during the append, break nobody else's answer."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, issue("a"), issue("b"))
        await settle()
        tasks += submit(replica, issue("c"), issue("a"), issue("d"))
        await settle()
        for gone in (0, 2, 3):
            tasks[gone].cancel()
        await settle()
        await gate.open()
        expected = [asyncio.CancelledError, 1, asyncio.CancelledError, asyncio.CancelledError, 1]
        assert await outcomes(tasks) == expected
        assert replica.state == replayed(log)


@on_a_loop
async def test_a_start_replays_the_log() -> None:
    """Before it takes commands a replica knows all that the log holds."""
    log = MemoryLog()
    async with running(log) as first:
        await asyncio.gather(*submit(first, issue("t"), *(redeem("t", n) for n in "abcd")))
        await first.submit(Unregister("b"), ORIGIN)
    async with running(log.peer()) as second:
        assert second.state == first.state == replayed(log)
        assert await second.submit(redeem("t", "e"), ORIGIN)
        assert second.state.seq == log.last_seq == 7


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


@on_a_loop
async def test_a_reply_is_its_callers_own() -> None:
    """What a caller does to the events that it was answered changes neither log nor state."""
    log = MemoryLog()
    async with running(log) as replica:
        (event,) = await replica.submit(issue("t"), ORIGIN)
        event.CopyFrom(Event())
        assert replica.state == replayed(log)


async def test_appends_leave_the_loop_free() -> None:
    """In a thread, as in production, an append lets the loop go on, and many callers are served."""
    log = MemoryLog()
    commands: list[Command] = [issue(str(number)) for number in range(200)]
    async with asyncio.timeout(60), running(log, in_thread) as replica:
        assert await outcomes(submit(replica, *commands)) == [1] * 200
        assert replica.state == replayed(log)
