"""The replica's laws when something fails: nothing is promised, nobody waits for ever."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from eventlog import (
    LogDamaged,
    LogError,
    LogFull,
    LogLacking,
    LogPosition,
    LogUnavailable,
    MemoryLog,
    Record,
    RecordTooLarge,
)
from nc.domain.errors import IdTaken
from nc.domain.events import Batch, Entry, Event
from nc.domain.evolve import UnknownEvent
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.replica.batch import Origin
from nc.replica.errors import DiskFull, Unwritable, WriteRefused
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from tests.support.replica_bench import (
    ORIGIN,
    Gate,
    ManualClock,
    batches,
    issue,
    on_a_loop,
    outcomes,
    replayed,
    running,
    settle,
    submit,
)

T = TypeVar("T")


class UnreadableLog(MemoryLog):
    """A log that can be written, and cannot be read back any more once it is told so."""

    broken = False

    def read(self, after: int = 0) -> Iterator[Record]:
        """As `MemoryLog.read`, until it breaks."""
        if self.broken:
            raise LogDamaged(Path("x.seg"), 0, after, "nothing", "a record")
        return super().read(after)


@pytest.mark.parametrize("written", [False, True])
@on_a_loop
async def test_after_a_failed_append_nothing_is_promised(written: bool) -> None:
    """The batch and all later callers get Unwritable; the state stays, and can still be asked."""
    log, gate = MemoryLog(), Gate()
    async with running(log, gate) as replica:
        await replica.submit(issue("before"), ORIGIN)
        before, gate.held = replica.state, True
        log.fail_appends(written=written)
        tasks = submit(replica, issue("a"), issue("before"), issue("b"))
        await settle()
        tasks += submit(replica, issue("c"))
        await settle()
        assert not replica.failed.is_set()
        await gate.open()
        assert await outcomes(tasks) == [Unwritable] * 4
        assert replica.failed.is_set()
        assert isinstance(replica.failure, LogUnavailable)
        assert replica.state is before
        with pytest.raises(Unwritable):
            await replica.submit(issue("later"), ORIGIN)
    assert (gate.passed, log.last_seq) == (2, 3 if written else 1)


@pytest.mark.parametrize("written", [False, True])
@on_a_loop
async def test_a_successor_finds_a_consistent_log(written: bool) -> None:
    """Whichever way an unknown outcome turned out, the next replica sees all of it or nothing."""
    log = MemoryLog()
    async with running(log) as replica:
        await replica.submit(issue("before"), ORIGIN)
        log.fail_appends(1, written=written)
        assert await outcomes(submit(replica, issue("a"), issue("b"))) == [Unwritable] * 2
    async with running(log.peer()) as successor:
        assert set(successor.state.tokens) == {"before"} | ({"a", "b"} if written else set())
        assert successor.state == replayed(log)
        expected = [IdTaken, IdTaken] if written else [1, 1]
        assert await outcomes(submit(successor, issue("a"), issue("b"))) == expected


@on_a_loop
async def test_a_log_that_recovers_is_not_written_again() -> None:
    """One failed append is the end of writing, even if the next one would work."""
    log = MemoryLog()
    async with running(log) as replica:
        log.fail_appends(1)
        assert await outcomes(submit(replica, issue("a"))) == [Unwritable]
        assert await outcomes(submit(replica, issue("b"))) == [Unwritable]
    assert log.last_seq == 0


@on_a_loop
async def test_callers_that_went_away_do_not_disturb_a_failure() -> None:
    """With some callers cancelled, the others still hear that the log cannot be written."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        log.fail_appends()
        tasks = submit(replica, issue("a"), issue("b"))
        await settle()
        tasks[0].cancel()
        await settle()
        await gate.open()
        assert (await outcomes(tasks))[1] is Unwritable


@pytest.mark.parametrize("error", [OSError("disk"), RuntimeError("thread"), ValueError("empty")])
@on_a_loop
async def test_any_error_of_an_append_is_a_failure(error: Exception) -> None:
    """Whatever an append raises, nobody is left waiting, and the reason is kept."""

    async def broken(_append: Callable[[], T], /) -> T:
        raise error

    async with running(MemoryLog(), broken) as replica:
        assert await outcomes(submit(replica, issue("a"), issue("b"))) == [Unwritable] * 2
        assert replica.failure is error


@on_a_loop
async def test_a_log_that_cannot_be_caught_up_with_is_a_failure() -> None:
    """If what another replica wrote cannot be read, callers are told, and do not wait for ever."""
    log = UnreadableLog()
    peer = log.peer()
    async with running(log) as replica:
        log.broken = True
        peer.append(b"from another replica", 1, 0)
        assert await outcomes(submit(replica, issue("a"), issue("b"))) == [Unwritable] * 2
        assert isinstance(replica.failure, LogDamaged)
        assert replica.failed.is_set()
        with pytest.raises(Unwritable):
            await replica.submit(issue("c"), ORIGIN)
        assert replica.state == State()


@on_a_loop
async def test_a_peers_event_that_is_not_understood_is_a_failure() -> None:
    """A newer version beside this one ends its writing; what it knew can still be asked."""
    log = MemoryLog()
    async with running(log) as replica:
        await replica.submit(issue("a"), ORIGIN)
        payload = Batch(entries=[Entry(actor="newer", events=[Event()])]).SerializeToString()
        log.peer().append(payload, 1, 1)
        assert await outcomes(submit(replica, issue("b"))) == [Unwritable]
        assert isinstance(replica.failure, UnknownEvent)
        assert set(replica.state.tokens) == {"a"}


@on_a_loop
async def test_a_start_refuses_what_it_does_not_understand() -> None:
    """A log with an event of a newer version is not served in ignorance of it."""
    log = MemoryLog()
    log.append(Batch(entries=[Entry(events=[Event()])]).SerializeToString(), 1, 0)
    with pytest.raises(UnknownEvent):
        Replica(LocalLog(log, ManualClock()), ManualClock()).start()


@on_a_loop
async def test_an_entry_that_cannot_be_written_is_its_callers_alone() -> None:
    """An origin that is no text fails its own command, whose events neither state nor log has."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, issue("a"))
        tasks += submit(replica, issue("b"), origin=Origin("system", "test", "\ud800"))
        tasks += submit(replica, issue("c"))
        await settle()
        await gate.open()
        assert await outcomes(tasks) == [1, UnicodeEncodeError, 1]
        assert set(replica.state.tokens) == {"a", "c"}
    assert [len(entries) for entries in batches(log)] == [2]
    assert replica.state == replayed(log)


@on_a_loop
async def test_what_could_not_be_read_back_is_never_written() -> None:
    """An event that the fold does not take fails its own command before it reaches the log."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, issue("a"), StartReplica("r", "1", "nowhere"), issue("b"))
        await settle()
        await gate.open()
        assert await outcomes(tasks) == [1, UnknownEvent, 1]
    assert replica.state == replayed(log)


@on_a_loop
async def test_a_command_too_large_for_a_record_is_refused_alone() -> None:
    """What no record can hold does not end the writing; the commands beside it are carried out."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, issue("a"), issue("x" * 17_000_000), issue("b"))
        await settle()
        await gate.open()
        assert await outcomes(tasks) == [1, RecordTooLarge, 1]
        assert replica.failure is None
    assert set(replayed(log).tokens) == {"a", "b"}


@on_a_loop
async def test_the_largest_command_fits_beside_others() -> None:
    """A command just under the limit is written, in the same record as the full batch before it."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        tasks = submit(replica, issue("a" * 1_040_000), issue("x" * 14_600_000), issue("b"))
        await settle()
        await gate.open()
        assert await outcomes(tasks) == [1, 1, 1]
    assert [len(entries) for entries in batches(log)] == [2, 1]


class UnmarkableLog(MemoryLog):
    """A log on a disk that has room for every record, and then for no marker."""

    marker_error: LogError | None = None

    def write_sync_marker(self) -> LogPosition:
        """As `MemoryLog.write_sync_marker`, unless there is an error to raise."""
        if self.marker_error is not None:
            raise self.marker_error
        return super().write_sync_marker()


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (LogFull(Path("x"), "no room"), DiskFull),
        (LogLacking(Path("x"), "no descriptor"), WriteRefused),
        (LogUnavailable(Path("x"), "EIO"), Unwritable),
    ],
)
@on_a_loop
async def test_a_marker_that_fails_before_a_snapshot_is_heard_of(
    monkeypatch: pytest.MonkeyPatch, error: LogError, refusal: type[Exception]
) -> None:
    """The writer lives on: whoever asks next is told what is the matter, and nobody waits."""
    log = UnmarkableLog()
    monkeypatch.setattr("nc.replica.snapshots.SNAPSHOT_TAIL_EVENTS", 1)
    async with running(log) as replica:
        log.marker_error = error
        await replica.submit(issue("a"), ORIGIN)
        await settle()
        assert await outcomes(submit(replica, issue("b"))) == [refusal]
        log.marker_error = None
