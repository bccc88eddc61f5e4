"""The replica's laws while all goes well: durable first, then visible, then answered."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from eventlog import MemoryLog
from nc.domain.decide import Command
from nc.domain.errors import BootstrapTokenUnknown, IdTaken
from nc.domain.events import Event
from nc.domain.nodes import Unregister
from nc.replica.errors import Overloaded, Stopping
from nc.replica.local_log import in_thread
from tests.support.replica_bench import (
    ORIGIN,
    Gate,
    issue,
    on_a_loop,
    outcomes,
    redeem,
    replayed,
    running,
    settle,
    submit,
)

T = TypeVar("T")


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
