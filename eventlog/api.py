"""The interface of an event log: append-only records, durable when `append` returns.

Payloads are opaque bytes. A record holds one or more events and is appended, read and lost as a
whole; events are numbered from 1 without gaps, so a record has the sequence number of its first
event and the number of its events. An append names the sequence number that the caller takes for
the last one (optimistic concurrency): a late caller gets `SequenceConflict` and reads on.

A log also keeps snapshots: the application's state at one position, as opaque bytes, so that a
start reads only the records behind it.

Implementations: `eventlog.FileLog` (segments in a folder), `eventlog.MemoryLog` (for tests).
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from eventlog.errors import RecordTooLarge

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


class Limits(NamedTuple):
    """What a log takes."""

    payload_bytes: int = MAX_PAYLOAD_BYTES


class LogPosition(NamedTuple):
    """A position between two records of a log."""

    segment: int  # the first sequence number of the file it is in; 0 in a log without files
    offset: int  # in that file
    last_seq: int  # of the events before
    chain: bytes  # hash of the record before, 32 bytes


class Snapshot(NamedTuple):
    """The application's state at one position of the log."""

    position: LogPosition
    schema: int  # how the application wrote the payload
    payload: bytes


class SnapshotWriter(Protocol):
    """A snapshot that is being written. Its methods block, and raise SnapshotFailed."""

    def write(self, part: bytes, /) -> None:
        """Add to the payload."""

    def finish(self) -> None:
        """Make it the newest snapshot; the one before it is kept, too."""

    def give_up(self) -> None:
        """Remove it. Idempotent; does nothing after `finish`."""


class SnapshotStore(Protocol):
    """A log's snapshots: a cache, which may be emptied at any time."""

    warnings: list[str]  # a line for each snapshot that was skipped

    def newest_first(self, schema: int) -> Iterator[Snapshot]:
        """The snapshots with that schema, each verified in full."""

    def begin(self, position: LogPosition, schema: int) -> SnapshotWriter:
        """Begin a snapshot of the state at a position that `write_sync_marker` returned.

        Raises:
            SnapshotFailed: its file cannot be made.
        """


class NextRecords(Protocol):
    """Reads a log forward, a bounded number of records at a time. Blocks for the disk."""

    def __call__(self, after: int, through: int, /) -> Sequence[Record]:
        """Some of the next records; maybe none although there are some.

        Args:
            after: only records that hold an event above this sequence number; of the last record
                that came, to continue.
            through: no record that begins behind this event, which is durable.

        Raises:
            LogDamaged, LogUnavailable: as `EventLog.read`.
        """


class ReadableLog(Protocol):
    """A log that is read and followed."""

    @property
    def last_seq(self) -> int:
        """The last event's sequence number that is known to be durable; 0: the log is empty."""

    @property
    def head(self) -> bytes:
        """The chain hash of the last record that is known to be durable; 32 zeros: no record."""

    @property
    def snapshots(self) -> SnapshotStore:
        """The log's snapshots, on this machine."""

    def read(self, after: int = 0) -> Iterator[Record]:
        """The durable records that hold events with sequence numbers above `after`, in order.

        It ends with what is durable when it is called.

        Raises:
            LogDamaged: while iterating, what is stored is not what was written; the records that
                came before are good.
            LogUnavailable: while iterating, the log cannot be read.
        """

    def reading(self) -> NextRecords:
        """Begin to read forward; for followers that decide themselves how far they may see."""

    def follow(self, after: int = 0, *, max_behind: int | None = None) -> AsyncIterator[Record]:
        """As `read`, then continue with what becomes durable, until the log is closed.

        Every record comes once and in order. To resume, follow again after the last event that was
        dealt with. Close the iterator (`contextlib.aclosing`), or let it go, to stop. A slow
        consumer costs no memory, and nobody waits for it.

        Args:
            after: a sequence number; inside a record, that record is the first to come.
            max_behind: once the iterator has been at the end of the log, the number of events
                that it may be behind it; None: any.

        Raises:
            FollowerBehind: while iterating, `max_behind` was exceeded; it says where to resume.
            LogRewound: while iterating, the log ends before event `after`.
            LogDamaged, LogUnavailable: while iterating, as `read`.
        """


class EventLog(ReadableLog, Protocol):
    """A log that is open for writing. Safe to call from several threads."""

    def append(self, payload: bytes, count: int, expected: int) -> int:
        """Append `count` events as one record; durable on return. Blocks for the disk.

        Args:
            payload: opaque, 1 byte to MAX_PAYLOAD_BYTES.
            count: how many events it holds, 1 to MAX_COUNT.
            expected: the `last_seq` that the caller knows.

        Returns:
            The sequence number of the last event appended.

        Raises:
            SequenceConflict: something else was appended first; nothing was written.
            LogLacking: something is lacking for now (LogFull: room); nothing was written, and later
                appends may succeed.
            LogUnavailable: the log cannot be written; the outcome of this append is unknown.
            RecordTooLarge: the payload is over the limit; nothing was written.
            ValueError: an empty payload, or a count out of range; nothing was written.
        """

    def write_sync_marker(self) -> LogPosition:
        """Record in the log that all of it is durable; to be called when there is a pause.

        From then on damage to the last record differs from an append that a crash interrupted.
        Writes nothing if the log ends with a marker. Blocks for the disk.

        Returns:
            The end of the log.

        Raises:
            LogLacking: as `append`.
            LogUnavailable: the log cannot be written.
        """

    def probe_space(self) -> None:
        """Check, after LogLacking, whether an append may succeed now. Blocks for the disk.

        Raises:
            LogLacking: it would not.
            LogUnavailable: the log cannot be written.
        """

    def close(self) -> None:
        """Release files and lock. Idempotent."""


class AsyncLog(ReadableLog, Protocol):
    """A log as a server uses it: what may have to wait is awaited. For one event loop."""

    @property
    def limits(self) -> Limits:
        """What it takes."""

    @property
    def has_blocked(self) -> bool:
        """Whether the event loop waited for the last append (`may_block`)."""

    async def append(
        self, payload: bytes, count: int, expected: int, *, may_block: bool = False
    ) -> int:
        """As `EventLog.append`.

        Args:
            payload: at most `limits.payload_bytes`.
            count: as there.
            expected: as there.
            may_block: whether the event loop may wait for it, should that be quick.

        Raises:
            LogBusy: the outcome is open, and found out before anything else is appended.
            LogRewound: the log has lost events; nothing can be appended any more.
            SequenceConflict, LogLacking, LogUnavailable, RecordTooLarge, ValueError: as there.
        """

    async def write_sync_marker(self) -> LogPosition:
        """As `EventLog.write_sync_marker`. Raises as `append`."""

    async def sync(self) -> LogPosition:
        """Make what is known of it durable on this machine; nothing is appended to a shared log.

        Returns its end, where a snapshot may be taken. Raises LogLacking, LogUnavailable.
        """

    async def probe_space(self) -> None:
        """As `EventLog.probe_space`, and after LogBusy. Raises as `append`."""

    async def barrier(self) -> int:
        """Make sure that everything appended before the call, by anybody, is known here.

        Returns:
            The last event's sequence number.

        Raises:
            LogBusy, LogLacking, LogRewound, LogUnavailable: as `append`; it is not known then.
        """

    async def watch(self) -> None:
        """Wait until nothing can be appended or read any more, for whatever reason; raises it.

        Raises:
            LogRewound, LogDamaged, LogUnavailable: what was found.
        """

    async def close(self) -> None:
        """Release what it holds. Idempotent."""


def check_appendable(payload: bytes, count: int, payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
    """Check that payload and count can be a record.

    Raises:
        ValueError: an empty payload, or a count that is not 1 to MAX_COUNT.
        RecordTooLarge: more than `payload_bytes`.
    """
    if not payload:
        raise ValueError("an empty payload, expected at least 1 byte")
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"{count} events in a record, expected 1 to {MAX_COUNT}")
    if len(payload) > payload_bytes:
        raise RecordTooLarge(len(payload), payload_bytes)
