"""Publishing one record, until it is known whether the stream has it.

No answer means nothing: the record may be there. Sending the same bytes again settles it, since
they fit in one place only: they are acknowledged, or the place is taken, and what is there is read.
"""

import asyncio
import contextlib
import json
import re
from enum import Enum, auto
from typing import Final, NamedTuple

from eventlog.api import Record
from eventlog.errors import LogBusy, LogFull, LogRewound, LogUnavailable
from eventlog.jetstream.address import StreamAddress
from eventlog.jetstream.causes import not_permitted
from eventlog.jetstream.connection import FAILURES, Connection
from eventlog.jetstream.messages import subject_of
from eventlog.jetstream.tail import Tail

TRY_S: Final = 1.5  # then the same is sent to another server
_AGAIN_S: Final = 0.05
_REWOUND_AFTER_S: Final = 15.0  # a leader that was cut off is out of date for less than that

_WRONG_LAST_SEQUENCE: Final = 10071
NO_ROOM: Final = (10023, 10047, 10077)  # resources, storage, the stream's max_bytes
_SEALED: Final = 10109
_EXPECTED_STREAM: Final = "Nats-Expected-Stream"
_LAST: Final = re.compile(r"(\d+)\s*$")


class Outcome(Enum):
    APPENDED = auto()
    REFUSED = auto()  # another record is in its place


class Pending:
    """A record on its way.

    Attributes:
        after: the stream's sequence number that it has to follow.
        record: what it is.
        data: the message.
        is_open: it may be in the stream, or come there yet.
    """

    def __init__(self, after: int, record: Record, data: bytes) -> None:
        self.after = after
        self.record = record
        self.data = data
        self.is_open = False


async def publish(
    client: Connection, address: StreamAddress, tail: Tail, pending: Pending, busy_after_s: float
) -> Outcome:
    """Publish until the outcome is known; the tail has passed the place then.

    Raises:
        LogBusy: it is not known after `busy_after_s`.
        LogFull: there is no room; nothing was written.
        LogUnavailable: this user may not publish, or the log was moved.
        LogRewound: the stream has lost records.
    """
    name, loop = str(address), asyncio.get_running_loop()
    begun_s, behind_s = loop.time(), 0.0  # behind: it first said that the stream ends too early
    tail.kept = pending.after + 1
    while True:
        said = await _ask(client, address.stream, pending)
        if said.place:
            _check_place(name, said.place, pending)
            await tail.pass_own(pending.after + 1, pending.data)
            return Outcome.APPENDED
        if tail.chain_at(pending.after + 1) is not None:  # the place was read, whatever is answered
            return _outcome(tail, pending)
        _check_refusal(said, client, address, pending)
        waited_s, is_behind = loop.time() - begun_s, False
        if said.code == _WRONG_LAST_SEQUENCE:
            last = int(found[1]) if (found := _LAST.search(said.why)) else pending.after
            if last > pending.after:
                return await _read(tail, pending, name, busy_after_s - waited_s)
            if is_behind := last < pending.after:
                behind_s = behind_s or loop.time()
            if is_behind and loop.time() - behind_s > max(_REWOUND_AFTER_S, busy_after_s):
                reason = f"it ends at message {last}, and message {pending.after} was there"
                raise LogRewound(name, reason)
        pending.is_open = True
        if waited_s > busy_after_s and not is_behind:
            raise LogBusy(name, client.problem or said.why)
        await asyncio.sleep(_AGAIN_S)


async def require_publishing(client: Connection, address: StreamAddress) -> None:
    """Find out whether this user may publish, before anything is made for it.

    The message names another stream than the one that it goes to, so that no server stores it.
    NATS reports a missing permission all the same, also before the stream is made.

    Raises:
        LogUnavailable: it may not.
    """
    client.denied = ""
    with contextlib.suppress(*FAILURES):
        async with asyncio.timeout(TRY_S):
            await client.request(
                subject_of(address.stream),
                b"",
                None,  # type: ignore[arg-type]  # as below
                headers={_EXPECTED_STREAM: f"{address.stream}-"},
            )
    if client.denied:
        raise LogUnavailable(str(address), not_permitted(address.stream, client.denied))


class Said(NamedTuple):
    """What a server has answered: the place that the record has, or why it has none."""

    place: int = 0
    code: int = 0
    why: str = "no answer"


_NOTHING: Final = Said()


async def _ask(client: Connection, stream: str, pending: Pending) -> Said:
    """Publish once."""
    headers = {
        "Nats-Msg-Id": pending.record.chain.hex(),
        "Nats-Expected-Last-Sequence": str(pending.after),
        _EXPECTED_STREAM: stream,
    }
    client.denied = ""
    try:
        # without the client's own timeout, by which Python 3.11 may lose a cancellation
        async with asyncio.timeout(TRY_S):
            message = await client.request(
                subject_of(stream),
                pending.data,
                None,  # type: ignore[arg-type]  # it is passed to asyncio.wait_for
                headers=headers,
            )
    except TimeoutError:
        if not client.denied:
            await client.force_reconnect()  # the server may be cut off, and not know it
        return _NOTHING
    except FAILURES:
        return _NOTHING
    return said_by(message.data)


def said_by(answer: bytes) -> Said:
    """What an answer says; one that cannot be read leaves open what has happened."""
    try:
        found = json.loads(answer)
        if error := found.get("error"):
            return Said(0, int(error.get("err_code", 0)), str(error.get("description", "")))
        return Said(int(found["seq"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Said(why="an answer that is none of NATS")


def _check_refusal(
    said: Said, client: Connection, address: StreamAddress, pending: Pending
) -> None:
    """Raise what asking again would not change."""
    name = str(address)
    if said is _NOTHING and client.denied:
        raise LogUnavailable(name, not_permitted(address.stream, client.denied))
    if said.code == _SEALED:
        raise LogUnavailable(name, "the stream is sealed: its log was moved elsewhere")
    if said.code in NO_ROOM and not pending.is_open:
        raise LogFull(name, f"the stream takes nothing more: {said.why}")


def _check_place(name: str, seq: int, pending: Pending) -> None:
    if seq != pending.after + 1:
        reason = f"a record got the place {seq}, expected {pending.after + 1}"
        raise LogRewound(name, reason)


async def _read(tail: Tail, pending: Pending, name: str, patience_s: float) -> Outcome:
    """Whose record is in the place."""
    place = pending.after + 1
    try:
        async with asyncio.timeout(max(patience_s, TRY_S)):
            await tail.reach(place)
    except TimeoutError:
        pending.is_open = True
        raise LogBusy(name, f"message {place} is there, and no server gives it") from None
    return _outcome(tail, pending)


def _outcome(tail: Tail, pending: Pending) -> Outcome:
    is_ours = tail.chain_at(pending.after + 1) == pending.record.chain
    return Outcome.APPENDED if is_ours else Outcome.REFUSED
