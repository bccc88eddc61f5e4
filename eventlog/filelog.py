"""The log on disk: one writer, segments in a folder, durable when `append` returns.

An append is one write and one fdatasync into room that was allocated before. After any failure in
there the log is closed for writing: what reached the disk is for the next open to find out.
"""

import os
import threading
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from eventlog.api import Record, check_appendable
from eventlog.cursor import Cursor, events_after
from eventlog.disk import Disk
from eventlog.errors import LogLocked, LogUnavailable, SequenceConflict
from eventlog.followers import Followers, follow
from eventlog.format import (
    NO_CHAIN,
    SEGMENT_HEADER_BYTES,
    Meaning,
    RecordType,
    SegmentHeader,
    encode_record,
    record_size_bytes,
)
from eventlog.recovery import Recovered, Recovery, recover
from eventlog.segments import create_segment, write_fully

__all__ = ["FileLog"]

LOCK_NAME: Final = "lock"
_PID_BYTES: Final = 20  # more than a process id has digits
_LOG_ID_BYTES: Final = 16
_SEGMENT_ID_BYTES: Final = 4


class End(NamedTuple):
    """Where the durable records end. Replaced as a whole: other threads never see half a step."""

    segment: int  # its first sequence number
    offset: int  # in it, where the next record goes
    last_seq: int
    head: bytes


class FileLog:
    """An `EventLog` in a folder; made by `eventlog.open`. Safe to call from several threads.

    Attributes:
        folder: where it is.
        log_id: 16 random bytes, drawn when the log was made.
        epoch: this writer's; greater than that of every record found.
        recovery: what opening had to cut, or None.
    """

    def __init__(
        self,
        folder: Path,
        *,
        now_ns: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        disk: Disk,
        segment_size_bytes: int,
    ) -> None:
        """Lock, verify and repair the log in `folder`, or make a new one there.

        Args:
            folder: made if it is not there; the folder above it has to exist.
            now_ns: Unix time in nanoseconds.
            random_bytes: gives that many random bytes.
            disk: all files are on it.
            segment_size_bytes: of new segments.

        Raises:
            LogLocked: another writer has it.
            LogDamaged: it is not as it was written; nothing was changed.
            LogUnavailable: the disk or the permissions do not allow it.
        """
        if segment_size_bytes <= SEGMENT_HEADER_BYTES:
            raise ValueError(f"segments of {segment_size_bytes} bytes have no room for a record")
        self.folder = folder
        self._now_ns = now_ns
        self._random_bytes = random_bytes
        self._disk = disk
        self._segment_size_bytes = segment_size_bytes
        self._append_lock = threading.Lock()
        self._followers = Followers()
        self._closed: str | None = None  # why nothing can be appended
        try:
            disk.make_folder(folder)
            self._lock_fd = self._take_lock()
            try:
                self._open()
            except BaseException:
                disk.close(self._lock_fd)
                raise
        except OSError as error:
            raise LogUnavailable(folder, f"cannot be opened: {error}") from error

    def _take_lock(self) -> int:
        disk = self._disk
        fd = disk.open(self.folder / LOCK_NAME, create=True)
        try:
            self._claim(fd)
        except BaseException:
            disk.close(fd)
            raise
        return fd

    def _claim(self, fd: int) -> None:
        """Lock the lock file and write our process id into it."""
        disk = self._disk
        if not disk.lock(fd):
            pid = disk.pread(fd, _PID_BYTES, 0).strip()
            raise LogLocked(self.folder, int(pid) if pid.isdigit() else None)
        disk.truncate(fd, 0)
        write_fully(disk, fd, b"%d\n" % os.getpid(), 0)

    def _open(self) -> None:
        recovered = recover(self._disk, self.folder, self._segment_size_bytes)
        if recovered is None:
            self._begin()
        else:
            self._resume(recovered)

    def _begin(self) -> None:
        self._disk.sync_folder(self.folder.parent)
        self.log_id = self._random_bytes(_LOG_ID_BYTES)
        self.epoch = 1
        self.recovery: Recovery | None = None
        self._end = End(0, 0, 0, NO_CHAIN)
        self._segments: list[int] = []  # first sequence numbers; the last one is written to
        self._start_segment(0)

    def _resume(self, recovered: Recovered) -> None:
        end = recovered.end
        self.log_id = end.log_id
        self.epoch = end.epoch + 1
        self.recovery = recovered.recovery
        self._end = End(end.segment, end.offset, end.next_seq - 1, end.chain)
        self._segments = recovered.segments
        self._segment_id = end.header.segment_id
        self._size_bytes = recovered.size_bytes  # _end.offset ≤ _size_bytes
        self._fd = self._disk.open(end.path, write=True)

    @property
    def last_seq(self) -> int:
        """The last durable event's sequence number, 0 when the log is empty."""
        return self._end.last_seq

    @property
    def head(self) -> bytes:
        """The last durable record's chain hash, 32 bytes (zeros when the log is empty)."""
        return self._end.head

    def append(self, payload: bytes, count: int, expected: int) -> int:
        """Append `count` events as one record, durable on return; see `EventLog.append`.

        Raises:
            SequenceConflict: something else was appended first; nothing was written.
            LogUnavailable: the disk failed, now (whether this record is there, the next open will
                tell) or before; or the log was closed.
            RecordTooLarge: the payload has more than MAX_PAYLOAD_BYTES; nothing was written.
        """
        check_appendable(payload, count)
        with self._append_lock:
            if self._closed is not None:
                raise LogUnavailable(self.folder, self._closed)
            if expected != self._end.last_seq:
                raise SequenceConflict(expected, self._end.last_seq)
            try:
                self._write(payload, count)
            except OSError as error:
                self._closed = f"the append after {expected} failed, outcome unknown: {error}"
                raise LogUnavailable(self.folder, self._closed) from error
            except BaseException as error:
                self._closed = f"the append after {expected} was interrupted: {error!r}"
                raise
            self._followers.wake()
            return self._end.last_seq

    def _write(self, payload: bytes, count: int) -> None:
        """Write and sync one record, then move the end behind it."""
        size_bytes = record_size_bytes(len(payload))
        if self._end.offset + size_bytes > self._size_bytes:
            self._make_room(size_bytes)
        segment, offset, last_seq, head = self._end
        meaning = Meaning(last_seq + 1, count, RecordType.EVENTS, self._now_ns(), self.epoch)
        data, chain = encode_record(
            head, meaning, payload, durable_seq=last_seq, segment_id=self._segment_id
        )
        write_fully(self._disk, self._fd, data, offset)
        self._disk.fdatasync(self._fd)
        self._end = End(segment, offset + size_bytes, last_seq + count, chain)

    def _make_room(self, size_bytes: int) -> None:
        """Start a segment for a record that does not fit, or enlarge one that has no events yet."""
        if self._end.segment == self._end.last_seq + 1:
            self._size_bytes = self._end.offset + size_bytes
            self._disk.fallocate(self._fd, self._size_bytes)
        else:
            full_fd = self._fd
            self._start_segment(size_bytes)
            self._disk.close(full_fd)

    def _start_segment(self, record_bytes: int) -> None:
        _, _, last_seq, head = self._end
        first_seq = last_seq + 1
        segment_id = int.from_bytes(self._random_bytes(_SEGMENT_ID_BYTES), "little")
        header = SegmentHeader(segment_id, self.log_id, first_seq, self.epoch, self._now_ns(), head)
        size_bytes = max(self._segment_size_bytes, SEGMENT_HEADER_BYTES + record_bytes)
        self._fd = create_segment(self._disk, self.folder, header, size_bytes)
        self._segments.append(first_seq)
        self._segment_id = segment_id
        self._size_bytes = size_bytes
        self._end = End(first_seq, SEGMENT_HEADER_BYTES, last_seq, head)

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records, durable when this is called, that hold events above `after`, in order.

        Raises:
            LogDamaged: while iterating; the records before were as written.
            LogUnavailable: this process cannot read the files.
        """
        return self._read(after, self._end.last_seq)

    def _read(self, after: int, through: int) -> Iterator[Record]:
        if after >= through:
            return
        cursor = self._cursor(after)
        while cursor.next_seq <= through:
            yield from self._advance(cursor, after, through)

    def _cursor(self, after: int) -> Cursor:
        """A cursor before the event after `after`: at the end, or where its segment starts."""
        end = self._end
        if after < end.last_seq:
            index = bisect_right(self._segments, max(after, 0) + 1) - 1
            return Cursor(self._disk, self.folder, self._segments[index], self.log_id)
        cursor = Cursor(self._disk, self.folder, end.segment, self.log_id)
        cursor.skip_to(end.offset, end.last_seq + 1, end.head)
        return cursor

    def _advance(self, cursor: Cursor, after: int, through: int) -> list[Record]:
        """Some of the records that come next and hold events above `after`; maybe none at first."""
        passed = cursor.advance(through)
        if not passed and cursor.next_seq <= through:
            cursor.enter_next()
        return events_after(after, passed)

    def follow(self, after: int = 0) -> AsyncIterator[Record]:
        """As `read`, then go on with what becomes durable, until the log is closed.

        Wakes without polling, on any event loop. History is read on that loop, a chunk at a time.
        """
        cursor = self._cursor(after)

        def next_records() -> list[Record]:
            return self._advance(cursor, after, self._end.last_seq)

        def something_new() -> bool:
            return cursor.next_seq <= self._end.last_seq

        return follow(next_records, something_new, self._followers)

    def close(self) -> None:
        """Release files and lock; followers end when they have read all. Idempotent."""
        with self._append_lock:
            if self._followers.closed:
                return
            self._closed = self._closed or "closed"
            self._disk.close(self._fd)
            self._disk.close(self._lock_fd)
            self._followers.close()
