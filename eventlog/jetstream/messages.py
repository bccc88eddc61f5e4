"""A record as a message of a stream, and a stream's messages read back.

A message's data is the record's bytes as a segment has them, so stream and folder are the same log
by the same chain. What a segment takes from its header comes from the log's id here.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from eventlog.api import Record
from eventlog.errors import LogDamaged, LogUnavailable
from eventlog.format import (
    Incomplete,
    RecordHeader,
    RecordType,
    decode_durable_head,
    decode_record,
    encode_record,
)
from eventlog.header_format import BadBytes
from eventlog.jetstream.connection import FAILURES

# What a message has beside a record's payload: the record's header and padding, and the headers.
OVERHEAD_BYTES: Final = 1024

_BATCH: Final = 256  # messages in one answer, at most
_BATCH_BYTES: Final = 4 * 1024 * 1024
_ANSWER_S: Final = 2.0
# By its number alone, NATS before 2.11.10 says of a damaged message what it says of the end: 404.
_OR_LATER: Final = {"next_by_subj": ">"}
_END: Final = ("204", "404")  # statuses: nothing more was asked for, or is there


def subject_of(stream: str) -> str:
    return f"{stream}.log"


def tail_subject_of(stream: str) -> str:
    """Where the servers publish each message again once the stream has it."""
    return f"{stream}.tail"


class End(NamedTuple):
    """A position in a stream, between two messages."""

    stream_seq: int  # messages before it
    last_seq: int  # events before it
    chain: bytes  # of the record before it


class Codec:
    """Records ⇄ messages of one stream.

    Args:
        stream: its name, for errors.
        log_id: 16 bytes.
    """

    def __init__(self, stream: str, log_id: bytes) -> None:
        self._stream = stream
        self._seed = crc32(log_id)

    def encode(
        self, end: End, payload: bytes, count: int, at_ns: int, epoch: int
    ) -> tuple[bytes, Record]:
        """The message for the next record, and the record; without events, it is a marker."""
        kind = RecordType.EVENTS if count else RecordType.MARKER
        header = RecordHeader(end.last_seq + 1, count, kind, at_ns, epoch)
        data, chain = encode_record(
            end.chain, header, payload, durable_seq=end.last_seq, segment_id=self._seed
        )
        return data, Record(end.last_seq + 1, count, at_ns, epoch, chain, payload)

    def damaged(self, end: End, found: str) -> LogDamaged:
        """The error that says what was found in the place of the next record."""
        return LogDamaged(
            Path(f"{self._stream}, message {end.stream_seq + 1}"),
            0,
            end.last_seq + 1,
            found,
            "the next record",
            advice="read it from another server of NATS, or put it back from a copy",
        )

    def encode_again(self, record: Record, before: bytes) -> bytes:
        """The message for a record that is in another copy of the log."""
        end = End(0, record.first_seq - 1, before)
        data, same = self.encode(
            end, record.payload, record.count, record.recorded_at_ns, record.epoch
        )
        if same.chain != record.chain:
            raise LogUnavailable(self._stream, f"record {record.first_seq} has another past")
        return data

    def decode(self, end: End, data: bytes) -> tuple[Record, End]:
        """Verify the next message.

        Raises:
            LogDamaged: it is not the record that follows.
        """
        next_seq = end.last_seq + 1
        try:
            stored = decode_record(data, 0, self._seed, next_seq, end.chain)
            if stored is None or stored.size_bytes != len(data):
                raise BadBytes(f"{len(data)} bytes", "one whole record")  # noqa: TRY301 - as others
        except (BadBytes, Incomplete) as error:
            found = error.found if isinstance(error, BadBytes) else "a part of a record"
            raise self.damaged(end, found) from None
        record = stored.record
        last_seq = end.last_seq + record.count
        return record, End(end.stream_seq + 1, last_seq, record.chain)

    def position(self, data: bytes) -> tuple[int, int]:
        """The first sequence number and the count of a message's record, out of its place.

        Raises:
            LogDamaged: it is none.
        """
        head = decode_durable_head(data, 0, self._seed)
        if head is None:
            raise self.damaged(End(0, 0, b""), "no record of this log")
        return head.first_seq, head.count


class LeftOut(nats.errors.Error):
    """A server has later messages than one that it left out, since its store is damaged.

    Nothing is ever deleted from the stream, so another server may have it.
    """


async def fetch(
    client: Client, stream: str, first: int, batch: int = _BATCH
) -> Sequence[tuple[int, bytes]]:
    """Messages from stream sequence number `first` on, with theirs, from any server that has them.

    Returns:
        In order and without a gap; none if that server has none yet, which proves nothing.

    Raises:
        LeftOut: the first of them is missing at that server.
        nats.errors.Error, TimeoutError, OSError: no server answers.
    """
    found: list[tuple[int, bytes]] = []
    inbox = await client.subscribe(client.new_inbox())
    try:
        request = {"seq": first, "batch": batch, "max_bytes": _BATCH_BYTES, **_OR_LATER}
        data = json.dumps(request).encode()
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", data, reply=inbox.subject)
        while True:
            message = await inbox.next_msg(timeout=_ANSWER_S)
            seq = _seq_of(message)
            if seq is None:
                return found
            if seq != first + len(found):
                if not found:
                    raise LeftOut(f"message {first} is left out")
                return found
            found.append((seq, message.data))
    finally:
        with suppress(*FAILURES):
            await inbox.unsubscribe()


def _seq_of(message: Msg) -> int | None:
    """Its stream sequence number; None for the message that ends an answer.

    Raises:
        nats.errors.Error: it is none, as NATS's 503 if there are no responders, or has no number.
    """
    headers = message.headers or {}
    if status := headers.get("Status"):
        if status in _END:
            return None
        raise nats.errors.Error(f"status {status}: {headers.get('Description', 'no responders')}")
    try:
        return int(headers["Nats-Sequence"])
    except (KeyError, ValueError):
        raise nats.errors.Error("an answer that is none of NATS") from None
