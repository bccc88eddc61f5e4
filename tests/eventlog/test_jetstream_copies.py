"""Two copies of one stream: each reads all that the other wrote, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats import errors as nats_errors
from nats.aio.msg import Msg

from eventlog import LogUnavailable, SequenceConflict
from eventlog.jetstream import JetStreamLog
from eventlog.jetstream.messages import fetch, subject_of
from tests.support.logs import StreamHome, payloads
from tests.support.nats_servers import NatsServer

TIMEOUT_S = 60


async def test_a_refused_append_leaves_its_epoch_to_the_other_writer(
    tmp_path: Path, nats: NatsServer
) -> None:
    """Who was too late with its first append did not know that the epoch was taken."""
    home = StreamHome(tmp_path / "log", lambda: 0, nats)
    ours, theirs = await home.open(), await home.open()
    await theirs._tail.stop()  # so it reads only what it needs
    await ours.append(b"first", 1, 0)
    with pytest.raises(SequenceConflict):
        await theirs.append(b"late", 1, 0)
    await theirs.append(b"second", 1, 1)
    assert [record.epoch for record in theirs.read()] == [1, 2]
    await ours.close()
    await theirs.close()


async def test_what_is_not_republished_is_fetched(
    tmp_path: Path, nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is lost of what the servers publish, in any order: nothing is missing."""
    home = StreamHome(tmp_path / "log", lambda: 0, nats)
    ours, theirs = await home.open(), await home.open()
    tail, count = theirs._tail, 0
    (subscription,) = [s for s in theirs.client._subs.values() if s.subject.endswith(".tail")]
    note = subscription._cb
    assert note is not None
    kept: list[Any] = []

    async def lossy(message: Any) -> None:
        nonlocal count
        count += 1
        if count % 3 == 0:
            kept.append(message)  # comes later
        elif count % 3 == 1:
            await note(message)
            while kept:
                await note(kept.pop())

    monkeypatch.setattr(subscription, "_cb", lossy)
    for seq in range(50):
        await ours.append(b"%d" % seq, 1, seq)
    async with asyncio.timeout(TIMEOUT_S):
        followed = [record async for record in _through(theirs, 50)]
    assert followed == list(ours.read())
    assert tail.end == ours._tail.end
    await ours.close()
    await theirs.close()


async def _through(log: JetStreamLog, last_seq: int) -> AsyncIterator[Any]:
    async for record in log.follow():
        yield record
        if record.last_seq >= last_seq:
            return


async def test_messages_are_not_believed(tmp_path: Path, nats: NatsServer) -> None:
    """A message that is no record, or another's record, ends the log; nothing of it is read."""
    home = StreamHome(tmp_path / "log", lambda: 0, nats)
    ours, theirs = await home.open(), await home.open()
    await ours.append(b"good", 1, 0)
    subject = subject_of(ours.address.stream)
    await ours.client.request(subject, b"no record", timeout=TIMEOUT_S)
    await asyncio.wait_for(theirs.failed.wait(), TIMEOUT_S)
    with pytest.raises(LogUnavailable):
        await theirs.append(b"more", 1, 1)
    assert payloads(theirs) == [b"good"]
    await ours.close()
    await theirs.close()


async def test_a_copy_that_cannot_be_kept_up_says_so(
    tmp_path: Path, nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the reading of a stream is known to who uses the copy."""
    home = StreamHome(tmp_path / "log", lambda: 0, nats)
    log = await home.open()
    monkeypatch.setattr("eventlog.jetstream.tail.fetch", lambda *_: 1 / 0)
    await asyncio.wait_for(log.failed.wait(), TIMEOUT_S)
    with pytest.raises(LogUnavailable, match="division by zero"):
        await log.append(b"more", 1, 0)
    await log.close()


@pytest.mark.parametrize("headers", [None, {}, {"Nats-Sequence": "x"}])
async def test_an_answer_that_is_none_proves_nothing(headers: dict[str, str] | None) -> None:
    """As if nobody had answered."""

    class Client:
        def new_inbox(self) -> str:
            return ""

        async def subscribe(self, _subject: str) -> "Client":
            return self

        async def publish(self, *_arguments: object, **_options: object) -> None: ...
        async def unsubscribe(self) -> None: ...

        async def next_msg(self, **_options: object) -> Any:
            return Msg(self, headers=headers)  # type: ignore[arg-type]  # not used

        subject = ""

    with pytest.raises(nats_errors.Error, match="none of NATS"):
        await fetch(Client(), "L", 1)  # type: ignore[arg-type]  # no client of NATS
