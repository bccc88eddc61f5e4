"""Writing records at the end of the last segment, and starting the next segment.

A record is one write and one fdatasync into room that was allocated before. If something is lacking
for now (`eventlog.lacks`), what was written of the record is cut off again, and the log is as it
was. If even that is refused, it is cut off before the next record.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from eventlog.api import LogPosition, Record
from eventlog.disk import Disk
from eventlog.errors import LogLacking, WriterReplaced
from eventlog.format import (
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    RecordHeader,
    RecordType,
    SegmentHeader,
    encode_record,
    record_size_bytes,
)
from eventlog.lacks import refusing, synced
from eventlog.segments import close, create_segment, segment_name, segments_among, write_fully

_SEGMENT_ID_BYTES: Final = 4


class NewSegments(NamedTuple):
    """How a log makes its new segments."""

    disk: Disk
    folder: Path
    now_ns: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    size_bytes: int


class SegmentWriter:
    """Appends to a log. For one thread at a time.

    After any error but LogLacking it is unknown what is on the disk, and it must not be used again.

    Attributes:
        end: of the log; everything before it is durable.
        segments: first sequence numbers; records are written to the last one.
    """

    def __init__(self, new: NewSegments, log_id: bytes, epoch: int, end: LogPosition) -> None:
        self._new = new
        self._disk = new.disk
        self._log_id = log_id
        self._epoch = epoch
        self.end = end
        self.segments: list[int] = []
        self._wanted_bytes = 0  # the size of the record that was refused
        self._is_dirty = False  # there may be something behind the end of the log
        self._is_cut = False  # after the last sync
        self._is_named = True  # the last segment, durably
        self._synced_seq = end.last_seq  # of the last event that is durable, of a copy

    def begin(self) -> None:
        """Make a log's first segment."""
        self._start_segment(0)
        self._sync_name()

    def resume(self, segments: list[int], segment_id: int, size_bytes: int) -> None:
        """Continue in the last of the segments, which has `size_bytes` allocated."""
        self.segments = segments
        self._segment_id = segment_id
        self._size_bytes = size_bytes  # end.offset ≤ _size_bytes
        self._allocated_bytes = size_bytes  # ≤ _size_bytes; less after a cut
        self._path = self._new.folder / segment_name(segments[-1])
        self._fd = self._disk.open(self._path, write=True)

    def write(self, kind: RecordType, payload: bytes, count: int) -> Record:
        """Write and sync one record, then move the end behind it. Returns the record.

        Raises:
            LogLacking: something is lacking for it (LogFull: room); nothing has changed.
            SyncFailed: the record may not be durable.
            WriterReplaced: another writer's record is at the end of the log.
            OSError: any other failure.
        """
        size_bytes = record_size_bytes(len(payload))
        with self._cut_back(size_bytes):
            self._make_room(size_bytes)
            segment, offset, last_seq, chain = self.end
            header = RecordHeader(last_seq + 1, count, kind, self._new.now_ns(), self._epoch)
            data, chain = encode_record(
                chain, header, payload, durable_seq=last_seq, segment_id=self._segment_id
            )
            self._is_dirty = True
            write_fully(self._disk, self._fd, data, offset)
        with synced(self._path, "fdatasync"):
            self._disk.fdatasync(self._fd)
        self._is_dirty = self._is_cut = False
        self.end = LogPosition(segment, offset + size_bytes, last_seq + count, chain)
        return Record(
            last_seq + 1, count, header.recorded_at_ns, header.epoch, chain, bytes(payload)
        )

    def copy(self, record: Record) -> None:
        """Write another log's next record as it is, without a sync; see `sync`.

        Args:
            record: without events, it is a marker.

        Raises:
            LogLacking, WriterReplaced, OSError: as `write`.
        """
        size_bytes = record_size_bytes(len(record.payload))
        self._epoch = record.epoch
        with self._cut_back(size_bytes):
            self._make_room(size_bytes)
            segment, offset, last_seq, chain = self.end
            kind = RecordType.EVENTS if record.count else RecordType.MARKER
            header = RecordHeader(
                record.first_seq, record.count, kind, record.recorded_at_ns, record.epoch
            )
            data, chain = encode_record(
                chain,
                header,
                record.payload,
                durable_seq=self._synced_seq,
                segment_id=self._segment_id,
            )
            self._is_dirty = True
            write_fully(self._disk, self._fd, data, offset)
        self._is_dirty = False
        self._is_cut = True  # so that the segment is synced before there is a next one
        self.end = LogPosition(segment, offset + size_bytes, last_seq + record.count, chain)

    def sync(self) -> None:
        """Make what was copied durable.

        Raises:
            SyncFailed: it may not be.
        """
        last_seq = self.end.last_seq
        if self._is_cut:
            with synced(self._path, "fdatasync"):
                self._disk.fdatasync(self._fd)
            self._is_cut = False
        self._synced_seq = last_seq

    def probe_space(self) -> None:
        """Write zeros at the end, as many as the record that was refused; raises as `write`."""
        with self._cut_back(self._wanted_bytes):
            self._make_room(self._wanted_bytes)
            write_fully(self._disk, self._fd, bytes(self._wanted_bytes), self.end.offset)

    def close(self) -> None:
        close(self._disk, self._fd)

    def _check_end(self) -> None:
        """Check that no other writer has written where the log ends."""
        offset = self.end.offset
        if self._disk.pread(self._fd, RECORD_HEADER_BYTES, offset).strip(b"\0"):
            reason = f"segment {self._path.name}, offset {offset}: a record that we did not write"
            raise WriterReplaced(self._new.folder, reason)

    @contextmanager
    def _cut_back(self, size_bytes: int) -> Iterator[None]:
        """Around a write: if something is lacking, cut the segment back to the end of the log."""
        folder = self._new.folder
        try:
            with refusing(folder):
                self._cut()
                yield
        except LogLacking:
            self._wanted_bytes = size_bytes
            with suppress(LogLacking), refusing(folder):  # or before the next write
                self._cut()
            raise

    def _cut(self) -> None:
        """Remove what a refused write may have left behind the end of the log."""
        if self._is_dirty:
            self._is_cut = True
            self._disk.clear(self._fd, self.end.offset)
            self._allocated_bytes = self.end.offset
            self._is_dirty = False

    def _make_room(self, size_bytes: int) -> None:
        """Start a segment for a record that does not fit, or enlarge one without events."""
        self._sync_name()
        self._check_end()
        if self.end.offset + size_bytes <= self._size_bytes:
            self._allocate(self._size_bytes)
        elif self.end.segment == self.end.last_seq + 1:  # the next one would have the same name
            self._allocate(self.end.offset + size_bytes)
        else:
            full_fd = self._fd
            if self._is_cut:  # or a crash may bring back what was cut, where nothing is torn
                with synced(self._path, "fsync"):
                    self._disk.fsync(full_fd)
                self._is_cut = False
            self._start_segment(size_bytes)
            close(self._disk, full_fd)
            self._sync_name()

    def _allocate(self, size_bytes: int) -> None:
        if self._allocated_bytes < size_bytes:
            self._is_dirty = True
            self._disk.fallocate(self._fd, size_bytes)
            if size_bytes > self._size_bytes:  # or a crash could leave a file that ends in a record
                with synced(self._path):
                    self._disk.fsync(self._fd)
            self._allocated_bytes = self._size_bytes = size_bytes
            self._is_dirty = False

    def _start_segment(self, record_bytes: int) -> None:
        new, (_, _, last_seq, chain) = self._new, self.end
        first_seq = last_seq + 1
        newest = segments_among(new.folder, self._disk.list(new.folder))[-1:]
        if newest > self.segments[-1:]:
            reason = f"{segment_name(newest[0])} is there, and we did not make it"
            raise WriterReplaced(new.folder, reason)
        segment_id = int.from_bytes(new.random_bytes(_SEGMENT_ID_BYTES), "little")
        header = SegmentHeader(
            segment_id, self._log_id, first_seq, self._epoch, new.now_ns(), chain
        )
        size_bytes = max(new.size_bytes, SEGMENT_HEADER_BYTES + record_bytes)
        self._fd = create_segment(self._disk, new.folder, header, size_bytes)
        self._is_named = False
        self._path = new.folder / segment_name(first_seq)
        self.segments.append(first_seq)
        self._segment_id = segment_id
        self._size_bytes = self._allocated_bytes = size_bytes
        self.end = LogPosition(first_seq, SEGMENT_HEADER_BYTES, last_seq, chain)

    def _sync_name(self) -> None:
        """Make the last segment's name durable, before anything is written to it."""
        if not self._is_named:
            with synced(self._path, "sync_folder"):
                self._disk.sync_folder(self._new.folder)
            self._is_named = True
