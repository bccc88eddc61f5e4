"""Appends to a stream when answers are lost: what happened is found out, and nothing twice."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import nats.errors
import pytest

from eventlog import LogBusy, LogFull, LogReader, LogRewound, SequenceConflict, jetstream
from eventlog.jetstream import JetStreamLog, publishing
from tests.support.logs import StreamHome, payloads
from tests.support.nats_servers import NatsServer, address_of

TIMEOUT_S = 60


@pytest.fixture
async def pair(
    tmp_path: Path, nats: NatsServer
) -> AsyncIterator[tuple[JetStreamLog, JetStreamLog]]:
    """One log, opened twice."""
    home = StreamHome(tmp_path / "log", lambda: 0, nats)
    logs = await home.open(), await home.open()
    await logs[0].append(b"first", 1, 0)
    yield logs
    for log in logs:
        await log.close()


def disturb(log: JetStreamLog, *what: Callable[[Any, Any], Any]) -> None:
    """Let the log's next requests be answered by these instead, one each; then as before."""
    client, left = log.client, list(what)
    request = client.request

    async def disturbed(subject: str, *arguments: Any, **options: Any) -> Any:
        if left and subject.endswith(".log"):
            return await left.pop(0)(request, (subject, arguments, options))
        return await request(subject, *arguments, **options)

    client.request = disturbed  # type: ignore[method-assign]


async def lose_answer(request: Any, call: Any) -> Any:
    """It arrives, and its answer does not."""
    subject, arguments, options = call
    await request(subject, *arguments, **options)
    raise nats.errors.TimeoutError


async def lose_request(_request: Any, _call: Any) -> Any:
    raise nats.errors.TimeoutError


def answering(**fields: Any) -> Callable[[Any, Any], Any]:
    """It does not arrive, and this is the answer."""

    class Answer:
        data = json.dumps(fields).encode()

    async def answer(_request: Any, _call: Any) -> Any:
        return Answer

    return answer


# Answers that NATS does not give, but something between might.
ODD: list[dict[str, Any]] = [
    {},
    {"seq": "x"},
    {"seq": None},
    {"error": "no"},
    {"error": {"err_code": None, "description": None}},
]


@pytest.mark.parametrize(
    "fault",
    [
        (lose_answer,),
        (lose_request,),
        (lose_answer, lose_answer, lose_request),
        (answering(error={"err_code": 10008, "description": "temporarily unavailable"}),),
        (lose_answer, answering(error={"err_code": 10077, "description": "maximum bytes"})),
        (lose_answer, answering(error={"err_code": 10071, "description": "wrong last sequence"})),
        *((lose_answer, answering(**odd)) for odd in ODD),
        *((answering(**odd),) for odd in ODD),
    ],
)
async def test_an_append_without_an_answer_happens_once(
    pair: tuple[JetStreamLog, JetStreamLog], fault: tuple[Any, ...]
) -> None:
    """Whether the request or its answer was lost: the record is there, once, and said to be."""
    ours, theirs = pair
    disturb(ours, *fault)
    assert await ours.append(b"second", 1, 1) == 2
    assert await theirs.barrier() == 2
    assert payloads(ours) == payloads(theirs) == [b"first", b"second"]


@pytest.mark.parametrize("remembered", [1024, 1])
async def test_an_append_that_was_overtaken_has_happened(
    pair: tuple[JetStreamLog, JetStreamLog], remembered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was lost, and another writer appended after it: that is not a conflict.

    However much that was, of which only the last is remembered.
    """
    ours, theirs = pair
    monkeypatch.setattr("eventlog.jetstream.tail._REMEMBERED", remembered)

    async def lose_and_overtake(request: Any, call: Any) -> Any:
        subject, arguments, options = call
        await request(subject, *arguments, **options)
        await theirs.barrier()
        await theirs.append(b"third", 1, 2)
        await ours.catch_up()
        raise nats.errors.TimeoutError

    disturb(ours, lose_and_overtake)
    assert await ours.append(b"second", 1, 1) == 2
    assert await ours.barrier() == 3
    assert payloads(ours) == [b"first", b"second", b"third"]


async def test_an_append_after_the_servers_forgot_it(
    pair: tuple[JetStreamLog, JetStreamLog],
) -> None:
    """Sent again when no server knows its id any more, its place is taken, by itself."""
    ours, _ = pair

    async def lose_and_forget(request: Any, call: Any) -> Any:
        subject, arguments, options = call
        await request(subject, *arguments, **options)
        raise nats.errors.TimeoutError

    async def as_another(request: Any, call: Any) -> Any:
        subject, arguments, options = call
        headers = {**options["headers"], "Nats-Msg-Id": "another"}
        return await request(subject, *arguments, headers=headers)

    disturb(ours, lose_and_forget, as_another)
    assert await ours.append(b"second", 1, 1) == 2
    assert payloads(ours) == [b"first", b"second"]


async def test_an_append_that_never_arrived_is_a_conflict(
    pair: tuple[JetStreamLog, JetStreamLog],
) -> None:
    """Another writer got the place meanwhile: nothing was appended."""
    ours, theirs = pair

    async def lose_and_take(_request: Any, _call: Any) -> Any:
        await theirs.barrier()
        await theirs.append(b"theirs", 1, 1)
        raise nats.errors.TimeoutError

    disturb(ours, lose_and_take)
    with pytest.raises(SequenceConflict) as caught:
        await ours.append(b"ours", 1, 1)
    assert caught.value.expected == 1
    await ours.catch_up()
    assert payloads(ours) == [b"first", b"theirs"]


@pytest.mark.parametrize("arrives", [True, False])
async def test_what_was_read_settles_an_append_that_nobody_answers(
    pair: tuple[JetStreamLog, JetStreamLog], arrives: bool
) -> None:
    """Whose record is in its place is known: nobody has to wait for an answer."""
    ours, theirs = pair
    ours.busy_after_s = 0

    async def read_and_lose(request: Any, call: Any) -> Any:
        subject, arguments, options = call
        if arrives:
            await request(subject, *arguments, **options)
        else:
            await theirs.barrier()
            await theirs.append(b"theirs", 1, 1)
        await ours.catch_up()
        raise nats.errors.TimeoutError

    disturb(ours, read_and_lose)
    if arrives:
        assert await ours.append(b"ours", 1, 1) == 2
    else:
        with pytest.raises(SequenceConflict):
            await ours.append(b"ours", 1, 1)
    assert payloads(ours) == [b"first", b"ours" if arrives else b"theirs"]


@pytest.mark.parametrize(
    "error",
    [
        {"err_code": 10008, "description": "no majority"},
        {"err_code": 10071, "description": "wrong last sequence: 1"},
    ],
)
async def test_without_a_majority_the_outcome_is_open(
    pair: tuple[JetStreamLog, JetStreamLog], error: dict[str, Any]
) -> None:
    """LogBusy; reading goes on. What is asked for next finds out first what happened."""
    ours, _ = pair
    ours.busy_after_s = 0
    unavailable = answering(error=error)
    disturb(ours, lose_request, unavailable, unavailable)
    with pytest.raises(LogBusy):
        await ours.append(b"second", 1, 1)
    assert payloads(ours)[:1] == [b"first"]
    with pytest.raises(LogBusy):
        await ours.probe_space()
    ours.busy_after_s = TIMEOUT_S
    await ours.probe_space()
    with pytest.raises(SequenceConflict):  # since it did happen
        await ours.append(b"third", 1, 1)
    assert await ours.append(b"third", 1, 2) == 3
    assert payloads(ours) == [b"first", b"second", b"third"]


async def test_a_cancelled_append_is_settled_by_the_next(
    pair: tuple[JetStreamLog, JetStreamLog],
) -> None:
    """Its caller is gone; it happened, and the next append is refused as out of date."""
    ours, _ = pair
    sent = asyncio.Event()

    async def hang(request: Any, call: Any) -> Any:
        subject, arguments, options = call
        await request(subject, *arguments, **options)
        sent.set()
        await asyncio.Event().wait()

    disturb(ours, hang)
    appending = asyncio.create_task(ours.append(b"second", 1, 1))
    await asyncio.wait_for(sent.wait(), TIMEOUT_S)
    appending.cancel()
    await asyncio.gather(appending, return_exceptions=True)
    with pytest.raises(SequenceConflict):
        await ours.append(b"third", 1, 1)
    assert payloads(ours) == [b"first", b"second"]


async def test_writers_that_take_turns_have_epochs_of_their_own(
    pair: tuple[JetStreamLog, JetStreamLog],
) -> None:
    """An epoch is of one writer's, and they never decrease, markers included."""
    ours, theirs = pair
    for seq in range(1, 9):
        writer = (ours, theirs)[seq % 2]
        await writer.barrier()
        await writer.append(b"x", 1, seq)
    assert await ours.barrier() == 9
    epochs = [record.epoch for record in LogReader(ours.copy.folder).read(markers=True)]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 9


async def test_a_full_stream_refuses_and_goes_on(tmp_path: Path, nats: NatsServer) -> None:
    """LogFull: nothing was written, and what fits is taken."""
    address = address_of(nats, stream="full")
    await jetstream.make(address, replicas=1, max_bytes=3000)
    log = await jetstream.open(address, tmp_path / "copy")
    await log.append(b"x", 1, 0)
    with pytest.raises(LogFull):
        await log.append(bytes(4000), 1, 1)
    assert await log.append(b"y", 1, 1) == 2
    assert payloads(log) == [b"x", b"y"]
    await log.close()


async def test_a_record_in_a_wrong_place_ends_the_log(
    pair: tuple[JetStreamLog, JetStreamLog],
) -> None:
    """The stream lost records if an append gets an earlier place: nothing is appended any more."""
    ours, _ = pair
    disturb(ours, answering(stream="x", seq=1))
    with pytest.raises(LogRewound, match="got the place 1, expected 2"):
        await ours.append(b"second", 1, 1)
    assert ours.failed.is_set()
    with pytest.raises(LogRewound):
        await ours.append(b"second", 1, 1)


async def test_a_stream_that_stays_behind_was_rewound(
    pair: tuple[JetStreamLog, JetStreamLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may be out of date for a while; if none knows better, records were lost."""
    ours, _ = pair
    behind = answering(error={"err_code": 10071, "description": "wrong last sequence: 0"})
    disturb(ours, behind)
    assert await ours.append(b"second", 1, 1) == 2
    monkeypatch.setattr(publishing, "_REWOUND_AFTER_S", 0)
    ours.busy_after_s = 0
    disturb(ours, *[behind] * 9)
    with pytest.raises(LogRewound, match="ends at message 0, and message 2 was there"):
        await ours.append(b"third", 1, 2)
