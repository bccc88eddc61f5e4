"""The log on disk: one writer, segments in a folder, durable when `append` returns.

A failure that does not pass (`eventlog.lacks`) closes the log for writing: the next open finds out
what reached the disk. Reading continues.
"""

import errno
import threading
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from eventlog.api import LogPosition, NextRecords, Record, check_appendable
from eventlog.cursor import Cursor, events_after
from eventlog.disk import Disk
from eventlog.errors import LogError, LogLacking, LogUnavailable, SequenceConflict
from eventlog.followers import FOLLOW_SLICE, Followers, follow
from eventlog.format import NO_CHAIN, SEGMENT_HEADER_BYTES, RecordType
from eventlog.lacks import ROOM
from eventlog.lockfile import WriterLock
from eventlog.recent import RecentRecords
from eventlog.recovery import Recovered, Recovery, recover
from eventlog.snapshots import FileSnapshots
from eventlog.sparse_index import SparseIndex
from eventlog.writer import NewSegments, SegmentWriter

__all__ = ["COPY_MARK", "FileLog"]

_LOG_ID_BYTES: Final = 16

COPY_MARK: Final = "copy"  # a file in a folder that is a copy of a log that lives elsewhere
IS_A_COPY: Final = (
    f"it is a copy of a log that lives elsewhere, as its file “{COPY_MARK}” says, and is only read"
)


class FileLog:
    """An `EventLog` in a folder; made by `eventlog.open`. Safe to call from several threads.

    Attributes:
        log_id: 16 random bytes of this log.
        epoch: this writer's; greater than that of every record before.
        recovery: what opening cut, or None.
        snapshots: the snapshots in the same folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        now_ns: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        disk: Disk,
        segment_size_bytes: int,
        log_id: bytes | None = None,
    ) -> None:
        if segment_size_bytes <= SEGMENT_HEADER_BYTES:
            raise ValueError(f"segments of {segment_size_bytes} bytes have no room for a record")
        self.folder = folder
        self._disk = disk
        self._id_of_new = log_id  # None: it gets a random one
        self._new = NewSegments(disk, folder, now_ns, random_bytes, segment_size_bytes)
        self._append_lock = threading.Lock()
        self.followers = Followers()
        self._recent = RecentRecords()
        self._closed: LogUnavailable | None = None  # why nothing can be appended
        self._has_written = False
        try:
            disk.make_folder(folder)
            self._lock = WriterLock(disk, folder, random_bytes)
            try:
                self._open()
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise LogUnavailable(folder, _not_opened(error, segment_size_bytes)) from error

    def _open(self) -> None:
        self._check_kind()
        recovered = recover(self._disk, self.folder, self._new.size_bytes)
        warnings: list[str] = []
        if recovered is None:
            self._begin()
        else:
            self._resume(recovered)
            warnings = recovered.warnings
        new = self._new
        self.snapshots = FileSnapshots(new.disk, self.folder, self.log_id, new.now_ns, warnings)

    def _check_kind(self) -> None:
        """Check that the folder is not a copy of a log that is appended to elsewhere."""
        if COPY_MARK in self._disk.list(self.folder):
            raise LogUnavailable(self.folder, IS_A_COPY)

    def _begin(self) -> None:
        self._disk.sync_folder(self.folder.parent)
        self.log_id = self._id_of_new or self._new.random_bytes(_LOG_ID_BYTES)
        self.epoch = 1
        self.recovery: Recovery | None = None
        self._writer = SegmentWriter(self._new, self.log_id, 1, LogPosition(0, 0, 0, NO_CHAIN))
        self._writer.begin()
        self._index = SparseIndex([self._writer.end])
        self._is_marked = True

    def _resume(self, recovered: Recovered) -> None:
        end = recovered.end
        self.log_id = end.log_id
        self.epoch = end.epoch + 1
        self.recovery = recovered.recovery
        self._writer = SegmentWriter(self._new, self.log_id, self.epoch, end.position)
        self._writer.resume(recovered.segments, end.header.segment_id, recovered.size_bytes)
        self._index = SparseIndex(recovered.positions)
        self._is_marked = end.marked

    @property
    def _end(self) -> LogPosition:
        return self._writer.end

    @property
    def last_seq(self) -> int:
        return self._end.last_seq

    @property
    def head(self) -> bytes:
        return self._end.chain

    def append(self, payload: bytes, count: int, expected: int) -> int:
        """See `EventLog.append`. LogUnavailable may be SyncFailed or WriterReplaced."""
        check_appendable(payload, count)
        with self._writing(f"the append after {expected}"):
            if expected != self._end.last_seq:
                raise SequenceConflict(expected, self._end.last_seq)
            self._recent.add(self._writer.write(RecordType.EVENTS, payload, count))
            self._is_marked = False
            self._has_written = True
            self._index.add(self._end)
            self.followers.wake()
            return self._end.last_seq

    def write_sync_marker(self) -> LogPosition:
        with self._writing("a marker"):
            if not self._is_marked:
                self._writer.write(RecordType.MARKER, b"", 0)
                self._is_marked = True
                self._has_written = True
            return self._end

    def probe_space(self) -> None:
        with self._writing("making room"):
            self._writer.probe_space()

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Around every write: one at a time, and none after a failure."""
        with self._append_lock:
            if self._closed is not None:
                raise type(self._closed)(self.folder, self._closed.reason)
            try:
                self._lock.check()
                yield
            except (SequenceConflict, LogLacking):
                raise
            except LogUnavailable as error:
                reason = f"{what} failed, outcome unknown: {error.reason}"
                self._closed = type(error)(self.folder, reason)
                raise self._closed from error
            except BaseException as error:
                is_disk = isinstance(error, OSError)
                how = "failed" if is_disk else "was interrupted"
                reason = f"{what} {how}, outcome unknown: {error if is_disk else repr(error)}"
                self._closed = LogUnavailable(self.folder, reason)
                if is_disk:
                    raise self._closed from error
                raise

    def read(self, after: int = 0) -> Iterator[Record]:
        return self._read(after, self._end.last_seq)

    def _read(self, after: int, through: int) -> Iterator[Record]:
        if after >= through:
            return
        cursor = self._cursor(after)
        while cursor.next_seq <= through:
            yield from self._advance(cursor, after, through)

    def _cursor(self, after: int) -> Cursor:
        """A cursor at a known position before event `after` + 1."""
        end = self._end
        position = end if after >= end.last_seq else self._index.before(after + 1)
        if position is not None:
            cursor = Cursor(self._disk, self.folder, position.segment, self.log_id)
            cursor.skip_to(position)
            return cursor
        segments = self._writer.segments
        index = bisect_right(segments, max(after, 0) + 1) - 1
        return Cursor(self._disk, self.folder, segments[index], self.log_id)

    def _advance(self, cursor: Cursor, after: int, through: int) -> list[Record]:
        """Some of the next records that hold events above `after`; none of them may."""
        passed = cursor.advance(through)
        if not passed and cursor.next_seq <= through:
            cursor.enter_next()
        return events_after(after, passed)

    def reading(self) -> NextRecords:
        cursor: Cursor | None = None  # in what is not in memory

        def next_records(after: int, through: int) -> list[Record]:
            nonlocal cursor
            recent = self._recent.after(after, FOLLOW_SLICE)
            if recent is not None:
                cursor = None
                return [record for record in recent if record.first_seq <= through]
            cursor = cursor or self._cursor(after)
            return self._advance(cursor, after, through)

        return next_records

    def follow(self, after: int = 0, *, max_behind: int | None = None) -> AsyncIterator[Record]:
        """See `EventLog.follow`. It runs on any event loop, and does not poll.

        History is read on that loop, a chunk at a time.
        """
        return follow(
            self.folder, self.reading(), lambda: self.last_seq, self.followers, after, max_behind
        )

    def close(self) -> None:
        """Write a marker, release files and lock; followers end when they have read all."""
        if self._has_written and not self._is_marked:
            with suppress(LogError):
                self.write_sync_marker()
        with self._append_lock:
            if self.followers.closed:
                return
            self._closed = self._closed or LogUnavailable(self.folder, "closed")
            self._writer.close()
            self._lock.release()
            self.followers.close()


def _not_opened(error: OSError, segment_size_bytes: int) -> str:
    """Why a log cannot be opened. It does not wait for room: the operator would not notice."""
    if error.errno in ROOM:
        needs = f"a segment takes {segment_size_bytes:,} bytes when it is made"
        return f"the disk has no room to open it: {error}; free some space: {needs}"
    if error.errno == errno.ELOOP:
        return f"{error.filename} is a symbolic link, which is not followed; remove it"
    return f"cannot be opened: {error}"
