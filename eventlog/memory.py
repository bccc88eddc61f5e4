"""A log in memory, for tests and simulation: it obeys the same laws as the one on disk.

`MemoryLog.peer` gives another handle on the same records, as another process would have. Each
handle can be made to fail.
"""

import threading
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from operator import attrgetter

from eventlog.api import LogPosition, NextRecords, Record, Snapshot, check_appendable
from eventlog.errors import LogError, LogFull, LogUnavailable, SequenceConflict
from eventlog.followers import FOLLOW_SLICE, Followers, follow
from eventlog.format import NO_CHAIN, RecordHeader, RecordType, chain_record


class _Shared:
    """The records and handles of one log."""

    __slots__ = ("epoch", "followers", "head", "is_marked", "lock", "records", "snapshots")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.records: list[Record] = []
        self.head = NO_CHAIN
        self.is_marked = True
        self.snapshots: list[Snapshot] = []
        self.followers: list[Followers] = []  # of each open handle
        self.epoch = 0


class MemorySnapshots:
    """The snapshots of a log in memory: a `SnapshotStore`."""

    def __init__(self, shared: _Shared) -> None:
        self._kept = shared.snapshots
        self.warnings: list[str] = []

    def newest_first(self, schema: int) -> Iterator[Snapshot]:
        """See `SnapshotStore.newest_first`."""
        for snapshot in list(self._kept):
            if snapshot.schema == schema:
                yield snapshot
            else:
                self.warnings.append(
                    f"snapshot {snapshot.position.last_seq}: another schema; it is passed over"
                )

    def begin(self, position: LogPosition, schema: int) -> "MemorySnapshot":
        return MemorySnapshot(self._kept, position, schema)


class MemorySnapshot:
    """A snapshot in memory that is being written: a `SnapshotWriter`."""

    def __init__(self, kept: list[Snapshot], position: LogPosition, schema: int) -> None:
        self._kept = kept
        self._position = position
        self._schema = schema
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> None:
        self._parts.append(part)

    def finish(self) -> None:
        self._kept.insert(0, Snapshot(self._position, self._schema, b"".join(self._parts)))
        del self._kept[2:]

    def give_up(self) -> None: ...


class MemoryLog:
    """An `EventLog` in memory.

    Args:
        now_ns: Unix time in nanoseconds, for `Record.recorded_at_ns`; always 0 by default.
    """

    def __init__(
        self, now_ns: Callable[[], int] = lambda: 0, _shared: _Shared | None = None
    ) -> None:
        self._now_ns = now_ns
        self._shared = shared = _shared or _Shared()
        self.followers = Followers()
        self.snapshots = MemorySnapshots(shared)
        self.is_full = False  # made so, appends raise LogFull
        self._failures: float = 0
        self._failures_are_written = False
        self._closed = False
        self._has_written = False
        with shared.lock:
            shared.epoch += 1
            shared.followers.append(self.followers)
            self.epoch = shared.epoch  # the number of handles opened so far

    def peer(self) -> "MemoryLog":
        """Another handle on the same records, with its own epoch, faults and end."""
        return MemoryLog(self._now_ns, self._shared)

    def fail_appends(self, times: int | None = None, *, written: bool = False) -> None:
        """Make the next appends through this handle raise LogUnavailable.

        Args:
            times: how many of them; None: all, as of a `FileLog` whose disk has failed.
            written: whether the record is appended nevertheless: the outcome is unknown.
        """
        self._failures = float("inf") if times is None else times
        self._failures_are_written = written

    @property
    def last_seq(self) -> int:
        records = self._shared.records
        return records[-1].last_seq if records else 0

    @property
    def head(self) -> bytes:
        return self._shared.head

    def append(self, payload: bytes, count: int, expected: int) -> int:
        check_appendable(payload, count)
        with self._shared.lock:
            self._check_open()
            if self._failures and not self._failures_are_written:
                self._fail()
            if expected != self.last_seq:
                raise SequenceConflict(expected, self.last_seq)
            first_seq, at_ns = expected + 1, self._now_ns()
            header = RecordHeader(first_seq, count, RecordType.EVENTS, at_ns, self.epoch)
            chain = chain_record(self.head, header, payload)
            record = Record(first_seq, count, at_ns, self.epoch, chain, bytes(payload))
            self._shared.records.append(record)
            self._shared.head, self._shared.is_marked = chain, False
            self._has_written = True
            for followers in self._shared.followers:
                followers.wake()
            if self._failures:
                self._fail()
        return record.last_seq

    def write_sync_marker(self) -> LogPosition:
        """See `EventLog.write_sync_marker`: the marker is only in the chain hash."""
        with self._shared.lock:
            self._check_open()
            shared, last_seq = self._shared, self.last_seq
            if not shared.is_marked:
                header = RecordHeader(
                    last_seq + 1, 0, RecordType.MARKER, self._now_ns(), self.epoch
                )
                shared.head, shared.is_marked = chain_record(shared.head, header, b""), True
            return LogPosition(0, 0, last_seq, shared.head)

    def probe_space(self) -> None:
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
        records = self._shared.records
        return (records[index] for index in range(self._index_after(after), len(records)))

    def _index_after(self, after: int) -> int:
        return bisect_right(self._shared.records, after, key=attrgetter("last_seq"))

    def reading(self) -> NextRecords:
        def next_records(after: int, through: int) -> list[Record]:
            index = self._index_after(after)
            found = self._shared.records[index : index + FOLLOW_SLICE]
            return [record for record in found if record.first_seq <= through]

        return next_records

    def follow(self, after: int = 0, *, max_behind: int | None = None) -> AsyncIterator[Record]:
        return follow(
            "in memory", self.reading(), lambda: self.last_seq, self.followers, after, max_behind
        )

    def close(self) -> None:
        """Write a marker, take no more appends through this handle, and end its followers."""
        if self._has_written:
            with suppress(LogError):
                self.write_sync_marker()
        with self._shared.lock:
            self._closed = True
            if self.followers in self._shared.followers:
                self._shared.followers.remove(self.followers)
        self.followers.close()
