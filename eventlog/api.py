"""What an event log is: an append-only sequence of records, durable when `append` returns.

Payloads are opaque bytes. A record holds one or more events and is appended, read and lost as a
whole; events are numbered from 1 without gaps, so a record knows the sequence number of its first
event and how many it holds. Appending names the sequence number that the caller believes to be the
last one (optimistic concurrency): whoever is late gets `SequenceConflict` and reads what it missed.

Implementations: `eventlog.FileLog` (segments in a folder), `eventlog.MemoryLog` (for tests).
"""

from collections.abc import AsyncIterator, Iterator
from typing import Final, NamedTuple, Protocol

from eventlog.errors import LogUnavailable, RecordTooLarge, SequenceConflict

__all__ = [
    "MAX_COUNT",
    "MAX_PAYLOAD_BYTES",
    "EventLog",
    "LogUnavailable",
    "Record",
    "RecordTooLarge",
    "SequenceConflict",
    "check_appendable",
]

# A record is read, checked and sent as a whole: this bounds the memory that takes, and how far an
# append that a crash interrupts can reach.
MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

MAX_COUNT: Final = 2**32 - 1  # a record stores its count in four bytes


class Record(NamedTuple):
    """One durable record, as read back."""

    first_seq: int  # of its first event; the first record of a log has 1
    count: int  # type: ignore[assignment]  # events in it, ≥ 1; hides tuple.count, of no use here
    recorded_at_ns: int  # Unix time in ns by the writer's clock; order never depends on it
    epoch: int  # of its writer: how often one had opened the log
    chain: bytes  # 32 bytes: SHA-256 over everything up to and including this record
    payload: bytes

    @property
    def last_seq(self) -> int:
        """The sequence number of the last event in it."""
        return self.first_seq + self.count - 1


class EventLog(Protocol):
    """The log as the replica sees it. Safe to call from several threads."""

    @property
    def last_seq(self) -> int:
        """The last durable event's sequence number, 0 when the log is empty."""

    @property
    def head(self) -> bytes:
        """The last durable record's chain hash, 32 bytes (zeros when the log is empty)."""

    def append(self, payload: bytes, count: int, expected: int) -> int:
        """Append `count` events as one record; durable on return. Blocks for the disk.

        Args:
            payload: what to keep; opaque, 1 byte to MAX_PAYLOAD_BYTES.
            count: how many events it holds, 1 to MAX_COUNT.
            expected: the caller's idea of `last_seq`.

        Returns:
            The sequence number of the last event appended.

        Raises:
            SequenceConflict: something else was appended first; nothing was written.
            LogUnavailable: the log cannot be written; the outcome of this append is unknown.
            RecordTooLarge: the payload is over the limit; nothing was written.
            ValueError: an empty payload, or a count out of range; nothing was written.
        """

    def read(self, after: int = 0) -> Iterator[Record]:
        """The durable records that hold events with sequence numbers above `after`, in order.

        It ends with what is durable when it is called.

        Raises:
            LogDamaged: while iterating, what is stored is not what was written; the records that
                came before are good.
            LogUnavailable: while iterating, the log cannot be read.
        """

    def follow(self, after: int = 0) -> AsyncIterator[Record]:
        """As `read`, then go on with what becomes durable, until the log is closed."""

    def close(self) -> None:
        """Let go of files and locks. Idempotent."""


def check_appendable(payload: bytes, count: int) -> None:
    """Refuse what cannot be a record.

    Raises:
        ValueError: an empty payload, or a count that is not 1 to MAX_COUNT.
        RecordTooLarge: more than MAX_PAYLOAD_BYTES.
    """
    if not payload:
        raise ValueError("an empty payload, expected at least 1 byte")
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"{count} events in a record, expected 1 to {MAX_COUNT}")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RecordTooLarge(len(payload), MAX_PAYLOAD_BYTES)
