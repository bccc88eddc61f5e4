"""Moving a log between folder and stream: every record and marker, and nothing twice."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import eventlog
from eventlog import (
    LogLocked,
    LogMissing,
    LogReader,
    LogRewound,
    LogUnavailable,
    RecordTooLarge,
    jetstream,
)
from eventlog.jetstream import StreamAddress, StreamMissing, messages, moving, stream, tail
from eventlog.jetstream.moving import to_folder, to_stream
from tests.support.nats_servers import NatsServer, address_of

RECORDS = 300  # more than are on their way at a time


def written(folder: Path) -> bytes:
    """A log with markers and several epochs; its head."""
    for _ in range(3):
        with closing(eventlog.open(folder)) as log:
            for number in range(RECORDS // 3):
                log.append(b"%d" % number, 1 + number % 3, log.last_seq)
                if number % 10 == 0:
                    log.write_sync_marker()
            log.write_sync_marker()
            head = log.head
    return head


def nothing(_done: int, _total: int) -> None: ...


async def test_there_and_back(tmp_path: Path, nats: NatsServer) -> None:
    """The same records, markers, times, epochs and head; and the log goes on."""
    head = written(tmp_path / "log")
    before = list(LogReader(tmp_path / "log").read(markers=True))
    address = StreamAddress.parse(address_of(nats, stream="there"))
    done: list[int] = []
    moving = to_stream(
        tmp_path / "log", address, replicas=1, progress=lambda seq, _: done.append(seq)
    )
    assert await moving == head
    assert done == sorted(done)
    log = await jetstream.open(address, tmp_path / "copy")
    assert log.head == head
    await log.append(b"more", 1, log.last_seq)
    await log.close()
    assert await to_folder(address, tmp_path / "copy", "the folder") != head
    with closing(eventlog.open(tmp_path / "copy")) as back:
        assert back.append(b"and more", 1, back.last_seq) == back.last_seq
    after = list(LogReader(tmp_path / "copy").read(markers=True))
    assert after[: len(before)] == before
    assert [record.payload for record in after if record.count][-2:] == [b"more", b"and more"]


async def test_an_interrupted_move_is_continued(tmp_path: Path, nats: NatsServer) -> None:
    """Until it is complete the folder is the log; then it is a copy."""
    head = written(tmp_path / "log")
    address = StreamAddress.parse(address_of(nats, stream="interrupted"))

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await to_stream(tmp_path / "log", address, replicas=1, progress=interrupt)
    eventlog.open(tmp_path / "log").close()
    assert await to_stream(tmp_path / "log", address, replicas=1, progress=nothing) == head
    copy = await jetstream.open(address, tmp_path / "copy")
    assert copy.head == head
    await copy.close()


async def test_a_server_that_is_behind_does_not_cut_what_is_moved_back(
    tmp_path: Path, nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one server gives may end early: the log in the folder ends where the stream does."""
    address = StreamAddress.parse(address_of(nats, stream="behind"))
    await jetstream.make(address, replicas=1)
    log = await jetstream.open(address, tmp_path / "writer")
    for seq in range(9):
        await log.append(b"x", 1, seq)
    await log.close()
    real, ends = messages.fetch, [5, 0]

    async def behind(*arguments: Any, **options: Any) -> Any:
        found = await real(*arguments, **options)
        return found[: ends.pop(0)] if ends else found

    monkeypatch.setattr(tail, "fetch", behind)
    await to_folder(address, tmp_path / "copy", "the folder")
    assert LogReader(tmp_path / "copy").head == LogReader(tmp_path / "writer").head


async def test_a_log_that_was_moved_away_takes_no_events_from_who_has_it_open(
    tmp_path: Path, nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged until the last moment is in the folder, and nothing is later.

    That is so if the move is interrupted, too, and done again.
    """
    address = StreamAddress.parse(address_of(nats, stream="sealed"))
    await jetstream.make(address, replicas=1)
    log = await jetstream.open(address, tmp_path / "writer")
    await log.append(b"x", 1, 0)
    real = stream.mark_moved

    async def late(*arguments: Any) -> None:
        await log.append(b"late", 1, 1)
        await real(*arguments)

    def interrupted(_folder: Path) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(moving, "mark_moved", late)
        patch.setattr(moving, "unmark", interrupted)
        with pytest.raises(InterruptedError):
            await to_folder(address, tmp_path / "there", "the folder")
    await to_folder(address, tmp_path / "there", "the folder")
    with pytest.raises(LogUnavailable, match="its log was moved elsewhere"):
        await log.append(b"lost", 1, 2)
    await log.close()
    assert [each.payload for each in LogReader(tmp_path / "there").read()] == [b"x", b"late"]


async def test_a_stream_that_went_on_is_left_alone(tmp_path: Path, nats: NatsServer) -> None:
    """If something was appended to it, the folder is out of date, and stays a log of its own."""
    written(tmp_path / "log")
    address = StreamAddress.parse(address_of(nats, stream="went"))
    log_id = LogReader(tmp_path / "log").log_id
    await jetstream.make(address, replicas=1, log_id=log_id)
    log = await jetstream.open(address, tmp_path / "copy")
    await log.append(b"new", 1, 0)
    await log.close()
    with pytest.raises(LogRewound, match="message 1 is another record"):
        await to_stream(tmp_path / "log", address, replicas=1, progress=nothing)
    eventlog.open(tmp_path / "log").close()


async def test_what_cannot_be_moved(tmp_path: Path, nats: NatsServer) -> None:
    """No log at all, one that a server has, and a record that the servers do not take."""
    address = StreamAddress.parse(address_of(nats, stream="large"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogMissing):
        await to_stream(tmp_path / "empty", address, replicas=1, progress=nothing)
    assert not any((tmp_path / "empty").iterdir())
    with pytest.raises(StreamMissing):
        await jetstream.open(address, tmp_path / "copy")
    with closing(eventlog.open(tmp_path / "log")) as log:
        log.append(bytes(2 * 1024 * 1024), 1, 0)
        with pytest.raises(LogLocked):
            await to_stream(tmp_path / "log", address, replicas=1, progress=nothing)
    with pytest.raises(RecordTooLarge):
        await to_stream(tmp_path / "log", address, replicas=1, progress=nothing)
    eventlog.open(tmp_path / "log").close()
