"""A log in memory, for tests and simulation: the same laws as the one on disk, without the disk.

Several replicas can share it: `MemoryLog.peer` gives another handle on the same records, as another
process would have one. A handle can be told to fail, as a disk or a network would.
"""

import threading
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from operator import attrgetter

from eventlog.api import LogPosition, Record, Snapshot, check_appendable
from eventlog.errors import LogError, LogFull, LogUnavailable, SequenceConflict
from eventlog.followers import Followers, follow
from eventlog.format import NO_CHAIN, RecordHeader, RecordType, chain_record

__all__ = ["MemoryLog"]

_FOLLOW_SLICE = 256  # records handed to a follower before its event loop gets a turn


class _Shared:
    """The records, and who waits for more of them."""

    __slots__ = ("epoch", "followers", "head", "is_marked", "lock", "records", "snapshots")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.records: list[Record] = []
        self.head = NO_CHAIN
        self.is_marked = True
        self.snapshots: list[Snapshot] = []
        self.followers: list[Followers] = []  # of each open handle
        self.epoch = 0


def _stopped_clock() -> int:
    return 0


class MemorySnapshots:
    """The snapshots of a log in memory: a `SnapshotStore`."""

    def __init__(self, shared: _Shared) -> None:
        self._kept = shared.snapshots
        self.warnings: list[str] = []

    def newest_first(self, schema: int) -> Iterator[Snapshot]:
        """The snapshots with that schema."""
        for snapshot in list(self._kept):
            if snapshot.schema == schema:
                yield snapshot
            else:
                self.warnings.append(f"snapshot {snapshot.position.last_seq}: another schema")

    def begin(self, position: LogPosition, schema: int) -> "MemorySnapshot":
        """Begin a snapshot of what the log amounts to at a position."""
        return MemorySnapshot(self._kept, position, schema)


class MemorySnapshot:
    """A snapshot in memory that is being written: a `SnapshotWriter`."""

    def __init__(self, kept: list[Snapshot], position: LogPosition, schema: int) -> None:
        self._kept = kept
        self._position = position
        self._schema = schema
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> None:
        """Add to the payload."""
        self._parts.append(part)

    def finish(self) -> None:
        """It is the newest of the two that are kept."""
        self._kept.insert(0, Snapshot(self._position, self._schema, b"".join(self._parts)))
        del self._kept[2:]

    def give_up(self) -> None:
        """Nothing to clear away."""


class MemoryLog:
    """An `EventLog` that ends with the process.

    Args:
        now_ns: Unix time in nanoseconds, for `Record.recorded_at_ns`; stands still at 0 by default.
    """

    def __init__(
        self, now_ns: Callable[[], int] = _stopped_clock, _shared: _Shared | None = None
    ) -> None:
        self._now_ns = now_ns
        self._shared = shared = _shared or _Shared()
        self._followers = Followers()
        self.snapshots = MemorySnapshots(shared)
        self.is_full = False  # made so, appends raise LogFull
        self._failures: float = 0
        self._failures_are_written = False
        self._closed = False
        self._has_written = False
        with shared.lock:
            shared.epoch += 1
            shared.followers.append(self._followers)
            self._epoch = shared.epoch

    def peer(self) -> "MemoryLog":
        """Another handle on the same records, with its own epoch, faults and end."""
        return MemoryLog(self._now_ns, self._shared)

    def fail_appends(self, times: int | None = None, *, written: bool = False) -> None:
        """Make the next appends through this handle raise LogUnavailable.

        Args:
            times: how many of them; None for all, as a `FileLog` fails after its disk did.
            written: whether the record is there nevertheless, the other possible unknown outcome.
        """
        self._failures = float("inf") if times is None else times
        self._failures_are_written = written

    @property
    def last_seq(self) -> int:
        """The last event's sequence number, 0 when the log is empty."""
        records = self._shared.records
        return records[-1].last_seq if records else 0

    @property
    def head(self) -> bytes:
        """The last record's chain hash, 32 bytes (zeros when the log is empty)."""
        return self._shared.head

    @property
    def epoch(self) -> int:
        """How often the log had been opened when this handle was, itself included."""
        return self._epoch

    def append(self, payload: bytes, count: int, expected: int) -> int:
        """Append `count` events as one record; see `EventLog.append`."""
        check_appendable(payload, count)
        with self._shared.lock:
            self._check_open()
            if self._failures and not self._failures_are_written:
                self._fail()
            if expected != self.last_seq:
                raise SequenceConflict(expected, self.last_seq)
            first_seq, at_ns = expected + 1, self._now_ns()
            header = RecordHeader(first_seq, count, RecordType.EVENTS, at_ns, self._epoch)
            chain = chain_record(self.head, header, payload)
            record = Record(first_seq, count, at_ns, self._epoch, chain, bytes(payload))
            self._shared.records.append(record)
            self._shared.head, self._shared.is_marked = chain, False
            self._has_written = True
            for followers in self._shared.followers:
                followers.wake()
            if self._failures:
                self._fail()
        return record.last_seq

    def write_sync_marker(self) -> LogPosition:
        """Chain a marker to the records, as a log on disk does."""
        with self._shared.lock:
            self._check_open()
            shared, last_seq = self._shared, self.last_seq
            if not shared.is_marked:
                header = RecordHeader(
                    last_seq + 1, 0, RecordType.MARKER, self._now_ns(), self._epoch
                )
                shared.head, shared.is_marked = chain_record(shared.head, header, b""), True
            return LogPosition(0, 0, last_seq, shared.head)

    def probe_space(self) -> None:
        """See whether it is still made full; see `EventLog.probe_space`."""
        with self._shared.lock:
            self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable("in memory", "closed")
        if self.is_full:
            raise LogFull("in memory", "made full by is_full")

    def _fail(self) -> None:
        self._failures -= 1
        raise LogUnavailable("in memory", "made to fail by fail_appends")

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records that hold events with sequence numbers above `after`, in order."""
        records = self._shared.records
        return (records[index] for index in range(self._index_after(after), len(records)))

    def _index_after(self, after: int) -> int:
        return bisect_right(self._shared.records, after, key=attrgetter("last_seq"))

    def follow(self, after: int = 0) -> AsyncIterator[Record]:
        """As `read`, then go on with what is appended, until the handle is closed."""
        records = self._shared.records
        index = self._index_after(after)

        def next_records() -> list[Record]:
            nonlocal index
            found = records[index : index + _FOLLOW_SLICE]
            index += len(found)
            return found

        def something_new() -> bool:
            return index < len(records)

        return follow(next_records, something_new, self._followers)

    def close(self) -> None:
        """Close this handle: a marker, no more appends through it, and its followers end.

        Idempotent.
        """
        if self._has_written:
            with suppress(LogError):
                self.write_sync_marker()
        with self._shared.lock:
            self._closed = True
            if self._followers in self._shared.followers:
                self._shared.followers.remove(self._followers)
        self._followers.close()
