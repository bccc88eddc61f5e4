"""A replica and its log's snapshots: the same state sooner, and never a different one."""

import asyncio
import errno
from dataclasses import replace
from pathlib import Path

import pytest

import eventlog
from eventlog import FileLog, LogUnavailable, MemoryLog, SyncFailed
from eventlog.testing import NoSyncDisk, abandon
from nc.domain.codec.digest import digest
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, encode
from nc.domain.state import State
from nc.replica.errors import DiskFull, Unwritable
from nc.replica.local_log import LocalLog
from nc.replica.replay import replay
from nc.replica.replica import Replica
from tests.support.replica_bench import (
    ORIGIN,
    Gate,
    ManualClock,
    issue,
    on_a_loop,
    outcomes,
    running,
    settle,
    submit,
)


def open_log(folder: Path, disk: NoSyncDisk | None = None) -> FileLog:
    """A log with small segments."""
    return eventlog.open(folder, disk=disk or NoSyncDisk(), segment_size_bytes=2000)


async def live(folder: Path, names: list[str], *, dies: bool = False) -> State:
    """A replica starts, issues tokens one by one, and stops or dies; returns its last state."""
    log = open_log(folder)
    replica = Replica(LocalLog(log, ManualClock()), ManualClock())
    replica.start()
    for name in names:
        await replica.submit(issue(name), ORIGIN)
    if dies:
        abandon(log)
    await replica.stop()
    log.close()
    return replica.state


@pytest.fixture
def few_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot is due after five events."""
    monkeypatch.setattr("nc.replica.snapshots.SNAPSHOT_TAIL_EVENTS", 5)


@pytest.mark.usefixtures("few_events")
@pytest.mark.parametrize("dies", [False, True])
def test_a_start_from_a_snapshot_is_a_start_from_nothing(tmp_path: Path, dies: bool) -> None:
    """Newest snapshot and tail give the state, and the digest, of a full replay."""
    folder = tmp_path / "log"
    names = [f"token-{number}" for number in range(23)]
    asyncio.run(live(folder, names[:9]))
    asyncio.run(live(folder, names[9:], dies=dies))
    assert len(list(folder.glob("*.snapshot"))) in ({1, 2} if dies else {2})
    log = open_log(folder)
    replayed = replay(log, State())
    log.close()
    quick = asyncio.run(live(folder, []))
    assert quick == replayed
    assert digest(quick) == digest(replayed)
    assert set(quick.tokens) == set(names)


@pytest.mark.usefixtures("few_events")
def test_any_snapshots_may_be_damaged_or_missing(tmp_path: Path) -> None:
    """Each snapshot that does not check out is a warning, and the state is the same."""
    folder = tmp_path / "log"
    asyncio.run(live(folder, [f"token-{number}" for number in range(8)]))
    state = asyncio.run(live(folder, [f"more-{number}" for number in range(8)]))
    older, newer = sorted(folder.glob("*.snapshot"))
    for damaged, warnings in (([newer], 1), ([newer, older], 2)):
        kept = {path: path.read_bytes() for path in damaged}
        for path, data in kept.items():
            path.write_bytes(data[:-3] + b"\xff" + data[-2:])
        log = open_log(folder)
        replica = Replica(LocalLog(log, ManualClock()), ManualClock())
        assert replica.snapshots.load().seq < state.seq
        assert len(log.snapshots.warnings) == warnings
        assert "passed over" in log.snapshots.warnings[0]
        abandon(log)
        assert asyncio.run(live(folder, [])) == state
        for path, data in kept.items():
            path.write_bytes(data)
    for path in folder.glob("*.snapshot"):
        path.unlink()
    assert asyncio.run(live(folder, [])) == state


@pytest.mark.parametrize(("offset", "what"), [(8, "version"), (12, "schema")])
def test_a_snapshot_of_the_future_is_passed_over(tmp_path: Path, offset: int, what: str) -> None:
    """One that a later version wrote is a warning; the events are read instead."""
    folder = tmp_path / "log"
    state = asyncio.run(live(folder, ["a", "b"]))
    (path,) = folder.glob("*.snapshot")
    log = open_log(folder)
    if what == "version":
        data = bytearray(path.read_bytes())
        data[offset] = 9
        path.write_bytes(data)
    else:
        path.unlink()
        writer = log.snapshots.begin(log.write_sync_marker(), 99)
        writer.write(b"the future")
        writer.finish()
    abandon(log)
    log = open_log(folder)
    assert Replica(LocalLog(log, ManualClock()), ManualClock()).snapshots.load() == State()
    assert any(what in warning for warning in log.snapshots.warnings)
    log.close()
    assert asyncio.run(live(folder, [])) == state


@pytest.mark.parametrize("seq", [0, 2, 4, 99])
def test_a_snapshot_of_another_place_is_passed_over(tmp_path: Path, seq: int) -> None:
    """A state that is not of the event that its snapshot stands behind is never started from."""
    folder = tmp_path / "log"
    state = asyncio.run(live(folder, ["a", "b", "c"]))
    assert state.seq == 3
    log = open_log(folder)
    writer = log.snapshots.begin(log.write_sync_marker(), SNAPSHOT_SCHEMA)
    for part in encode(replace(state, seq=seq)):
        writer.write(part)
    writer.finish()
    abandon(log)
    log = open_log(folder)
    assert Replica(LocalLog(log, ManualClock()), ManualClock()).snapshots.load() == State()
    (warning,) = log.snapshots.warnings
    assert warning == f"snapshot 3: a state as of event {seq}; it is passed over"
    log.close()
    assert asyncio.run(live(folder, [])) == state


@pytest.mark.usefixtures("few_events")
@on_a_loop
async def test_commands_go_on_while_a_snapshot_is_taken() -> None:
    """A snapshot is of one moment, and nobody waits for it."""
    log = MemoryLog()
    async with running(log) as replica:
        for number in range(5):
            await replica.submit(issue(f"token-{number}"), ORIGIN)
        for number in range(4):
            await replica.submit(issue(f"later-{number}"), ORIGIN)
        while not list(log.snapshots.newest_first(SNAPSHOT_SCHEMA)):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        (snapshot,) = log.snapshots.newest_first(SNAPSHOT_SCHEMA)
        assert snapshot.position.last_seq == 5
    newest, _ = log.snapshots.newest_first(SNAPSHOT_SCHEMA)
    assert newest.position.last_seq == 9


@on_a_loop
async def test_a_log_at_rest_is_marked() -> None:
    """With nothing to do for a moment, the replica marks the log durable, once."""
    log = MemoryLog()
    async with running(log) as replica:
        await replica.submit(issue("a"), ORIGIN)
        head = log.head
        while log.head == head:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
        marked = log.head
        await asyncio.sleep(0.12)
        assert log.head == marked


@on_a_loop
async def test_a_full_disk_refuses_and_resumes() -> None:
    """Without room commands are refused, and nothing changes; with room the replica goes on."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log, gate) as replica:
        log.is_full = True
        tasks = submit(replica, issue("a"), issue("b"))
        await settle()
        tasks += submit(replica, issue("c"))
        await settle()
        await gate.open()
        assert await outcomes(tasks) == [DiskFull] * 3
        assert replica.lacking.is_set()
        assert replica.failure is None
        with pytest.raises(DiskFull, match="nothing was changed"):
            await replica.submit(issue("d"), ORIGIN)
        assert (replica.state, log.last_seq) == (State(), 0)
        log.is_full = False
        await replica.writable.wait()
        assert not replica.lacking.is_set()
        assert await outcomes(submit(replica, issue("a"))) == [1]


@on_a_loop
async def test_a_disk_that_stays_full_does_not_hold_up_the_end() -> None:
    """A replica that waits for room can be stopped."""
    log = MemoryLog()
    replica = Replica(
        LocalLog(log, ManualClock(), run_blocking=Gate()), ManualClock(), run_blocking=Gate()
    )
    replica.start()
    log.is_full = True
    assert await outcomes(submit(replica, issue("a"))) == [DiskFull]
    await replica.stop()


@on_a_loop
async def test_a_snapshot_that_fails_harms_nothing(tmp_path: Path) -> None:
    """A disk that does not take snapshots takes events."""

    class NoSnapshots(NoSyncDisk):
        def rename(self, old: Path, new: Path, /) -> None:
            if new.suffix == ".snapshot":
                raise OSError(errno.EIO, "no snapshots here")
            super().rename(old, new)

    log = open_log(tmp_path / "log", NoSnapshots())
    async with running(log) as replica:
        await replica.submit(issue("a"), ORIGIN)
    assert "no snapshots here" in str(replica.snapshots.failure)
    assert replica.failure is None
    assert [p.name for p in (tmp_path / "log").iterdir() if "snapshot" in p.name] == []
    log.close()


@on_a_loop
async def test_a_failed_sync_is_told_from_other_failures(tmp_path: Path) -> None:
    """The replica says why it failed, for its process to end if it has to."""

    class NoSync(NoSyncDisk):
        def fdatasync(self, _fd: int, /) -> None:
            raise OSError(errno.EIO, "no")

    log = open_log(tmp_path / "log", NoSync())
    async with running(log) as replica:
        assert await outcomes(submit(replica, issue("a"))) == [Unwritable]
        assert isinstance(replica.failure, SyncFailed)
        assert isinstance(replica.failure, LogUnavailable)
    log.close()
