"""Moving a log between a folder and a stream: every record as it is, and the heads compared.

The log is in both places then; the one that it left is marked, so that nobody appends there. A move
that was interrupted is continued by moving again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

import eventlog
from eventlog.api import Record
from eventlog.copies import mark_as_copy, unmark
from eventlog.errors import LogBusy, LogFull, LogRewound, LogUnavailable, RecordTooLarge
from eventlog.format import NO_CHAIN, chain_in
from eventlog.jetstream import JetStreamLog, StreamAddress, StreamMissing, make
from eventlog.jetstream import open as open_stream
from eventlog.jetstream.connection import FAILURES, Connection, connect, disconnect, unanswered
from eventlog.jetstream.messages import Codec, End, fetch, subject_of
from eventlog.jetstream.publishing import NO_ROOM, said_by
from eventlog.jetstream.stream import check_servers, mark_moved, payload_limit_of
from eventlog.jetstream.stream import open_stream as stream_id
from eventlog.reader import LogReader

__all__ = ["Progress", "to_folder", "to_stream"]

Progress = Callable[[int, int], None]  # called with the events done, and those there are

_AT_ONCE: Final = 128  # messages on their way
_ANSWER_S: Final = 5.0
_AGAIN_S: Final = 0.05
_PATIENCE_S: Final = 60.0


async def to_stream(
    folder: Path, address: StreamAddress, *, replicas: int, progress: Progress
) -> bytes:
    """Move the log in a folder to a stream, which is made if it is missing.

    Nothing may be appended to either meanwhile; the folder's lock is held. The folder is a copy of
    the stream then.

    Returns:
        The head of both.

    Raises:
        LogMissing: there is none in the folder.
        LogLocked: a server has the log.
        LogRewound: the stream holds another log, or went on.
        RecordTooLarge: the servers do not take a record that large: raise their max_payload.
        LogError: as `eventlog.open` and `eventlog.jetstream.open`.
    """
    LogReader(folder)  # to open a folder without a log makes one
    with closing(eventlog.open(folder)) as log:
        head, last_seq = log.head, log.last_seq
        await _require_stream(address, log.log_id, replicas)
        client = await connect(address)
        try:
            limit = payload_limit_of(client)
            codec = Codec(address.stream, log.log_id)
            source = LogReader(folder).read(markers=True)
            before, place = NO_CHAIN, 0
            while batch := list(islice(source, _AT_ONCE)):
                messages = []
                for record in batch:
                    if len(record.payload) > limit:
                        raise RecordTooLarge(len(record.payload), limit)
                    messages.append((codec.encode_again(record, before), record))
                    before = record.chain
                await _together(
                    _send(client, address, data, record, place + number)
                    for number, (data, record) in enumerate(messages)
                )
                place += len(messages)
                progress(batch[-1].last_seq, last_seq)
        finally:
            await disconnect(client)
        await _compare(address, log.log_id, head, last_seq, place)
    mark_as_copy(folder, str(address))
    return head


async def _together(sending: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; the first that fails ends the others."""
    tasks = [asyncio.create_task(each) for each in sending]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _send(
    client: Connection, address: StreamAddress, data: bytes, record: Record, after: int
) -> None:
    """Publish a record until it is in its place.

    Raises:
        LogUnavailable: this user may not publish.
        LogFull: the stream has no room.
        LogRewound: another record is there.
        LogBusy: the servers do not take it.
    """
    headers = {
        "Nats-Msg-Id": record.chain.hex(),
        "Nats-Expected-Last-Sequence": str(after),
        "Nats-Expected-Stream": address.stream,
    }
    problem, loop = "no answer", asyncio.get_running_loop()
    begun_s = loop.time()
    while loop.time() - begun_s < _PATIENCE_S:
        try:
            subject = subject_of(address.stream)
            answer = await client.request(subject, data, _ANSWER_S, headers=headers)
        except FAILURES as error:
            if client.denied:
                raise unanswered(client, address, "nothing can be sent", error) from error
            problem = str(error) or problem
        else:
            said = said_by(answer.data)
            if said.place == after + 1:
                return
            if said.code in NO_ROOM:
                raise LogFull(str(address), f"the stream takes nothing more: {said.why}")
            problem = said.why
            there = await _chain_at(client, address, after + 1)
            if there == record.chain:
                return
            if there is not None:
                reason = f"message {after + 1} is another record; it was used already"
                raise LogRewound(str(address), reason)
        await asyncio.sleep(_AGAIN_S)
    raise LogBusy(str(address), problem)


async def _chain_at(client: Connection, address: StreamAddress, seq: int) -> bytes | None:
    """The chain hash of the record in a place; None: there may be none yet."""
    try:
        found = await fetch(client, address.stream, seq, batch=1)
    except FAILURES:
        return None
    return chain_in(found[0][1]) if found else None


async def _compare(
    address: StreamAddress, log_id: bytes, head: bytes, last_seq: int, messages: int
) -> None:
    """Read the whole stream, and check that it ends as the log does.

    Raises:
        LogRewound: it does not.
    """
    client = await connect(address)
    codec, end = Codec(address.stream, log_id), End(0, 0, NO_CHAIN)
    try:
        while found := await fetch(client, address.stream, end.stream_seq + 1):
            for _, data in found:
                _, end = codec.decode(end, data)
    except FAILURES as error:
        raise unanswered(client, address, "it cannot be read", error) from error
    finally:
        await disconnect(client)
    if end != (messages, last_seq, head):
        reason = (
            f"it ends at event {end.last_seq} with head {end.chain.hex()}, "
            f"expected event {last_seq} with head {head.hex()}"
        )
        raise LogRewound(str(address), reason)


async def to_folder(address: StreamAddress, folder: Path, name: str) -> bytes:
    """Move the log in a stream to a folder, which may be a copy of it already.

    The stream is marked and sealed, so that it takes neither servers nor events any more: whatever
    was acknowledged is in the folder, which is a log of its own then.

    Args:
        address: of the stream.
        folder: where the log goes.
        name: what the stream says of where that is.

    Returns:
        The head of both.

    Raises:
        LogLocked: a server has the folder.
        LogError: as `eventlog.jetstream.open`.
    """
    log = await open_stream(address, folder, only_reads=True, moved_to=name)
    try:
        await _read_all(log)
        await mark_moved(log.client, address, name)
        await _read_all(log)  # what a server has appended meanwhile
        head = log.head
    finally:
        await log.close()
    unmark(folder)
    if LogReader(folder).head != head:
        raise LogUnavailable(folder, f"its head is not {head.hex()}, that of the stream")
    return head


async def _read_all(log: JetStreamLog) -> None:
    """Read on until the log has as many messages as its leader; a server may give fewer.

    Raises:
        LogUnavailable: some are not given, or there is no leader.
    """
    loop, name = asyncio.get_running_loop(), log.address.stream
    begun_s = loop.time()
    while True:
        try:
            info = await log.client.jetstream(timeout=_ANSWER_S).stream_info(name)
        except FAILURES as error:
            raise unanswered(log.client, log.address, "no leader answers", error) from error
        await log.catch_up()
        if log.records >= info.state.last_seq:
            return
        if loop.time() - begun_s > _PATIENCE_S:
            reason = f"it has {info.state.last_seq} messages, and gives {log.records}"
            raise LogUnavailable(str(log.address), reason)
        await asyncio.sleep(_AGAIN_S)


async def _require_stream(address: StreamAddress, log_id: bytes, replicas: int) -> None:
    """Make the stream, or check that it is this log's."""
    client = await connect(address)
    try:
        await check_servers(client, address)
        try:
            found = await stream_id(client, address)
        except StreamMissing:
            found = await make(address, replicas=replicas, log_id=log_id)
    finally:
        await disconnect(client)
    if found != log_id:
        reason = (
            f"the stream has another log ({found.hex()}, and this is {log_id.hex()}); name one "
            "that is not there yet"
        )
        raise LogUnavailable(str(address), reason)
