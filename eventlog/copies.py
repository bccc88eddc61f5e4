"""A copy of a log that lives elsewhere, as a folder: the same records, and the same chain.

Its files are those of any log, so everything that reads a log reads it, and it keeps snapshots. It
is synced now and then: what a power failure takes can be copied again. The file `copy` in it says
whose copy it is, and keeps it from being appended to.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from eventlog.api import LogPosition, Record
from eventlog.disk import OS_DISK, Disk
from eventlog.errors import LogError, LogUnavailable
from eventlog.filelog import COPY_MARK, IS_A_COPY, FileLog
from eventlog.format import SEGMENT_SIZE_BYTES, RecordHeader, RecordType, chain_record
from eventlog.segments import list_segments, new_file, write_fully

_MARK: Final = "a copy of "  # what the file begins with; then the log's name
_NOT_A_COPY: Final = "it is a log of its own, and no copy of one"


class FolderCopy(FileLog):
    """A log's copy in a folder, which is made if it is missing. Safe to call from several threads.

    Args:
        folder: the copy's.
        log_id: of the log, 16 bytes.
        source: the log's name, for people.
        now_ns: Unix time in nanoseconds.
        random_bytes: gives that many random bytes.
        disk: has the folder.
        segment_size_bytes: of new segments.

    Raises:
        LogLocked: another process has it.
        LogDamaged: it is not as it was written: it may be removed, and is copied again then.
        LogUnavailable: it is a copy of another log, or none, or the disk does not allow it.
    """

    def __init__(
        self,
        folder: Path,
        log_id: bytes,
        source: str,
        *,
        now_ns: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        disk: Disk = OS_DISK,
        segment_size_bytes: int = SEGMENT_SIZE_BYTES,
    ) -> None:
        self._source = source
        super().__init__(
            folder,
            now_ns=now_ns,
            random_bytes=random_bytes,
            disk=disk,
            segment_size_bytes=segment_size_bytes,
            log_id=log_id,
        )
        if self.log_id != log_id:
            self.close()
            reason = (
                f"it is a copy of log {self.log_id.hex()}, and {source} has log {log_id.hex()}; "
                "name the right one of both"
            )
            raise LogUnavailable(folder, reason)

    def _check_kind(self) -> None:
        names = self._disk.list(self.folder)
        if COPY_MARK not in names:
            if list_segments(self._disk, self.folder):
                raise LogUnavailable(self.folder, _NOT_A_COPY)
            mark_as_copy(self.folder, self._source, self._disk)

    @property
    def is_marked(self) -> bool:
        """Whether its last record is a marker, or it has none."""
        return self._is_marked

    def add(self, records: Iterable[Record]) -> None:
        """Add the log's next records and markers, which are durable there.

        Raises:
            LogUnavailable: a record does not follow on the one before; or as `append`. No more
                records can be added then.
            LogLacking: something is lacking for now; the records before are there.
        """
        with self._writing("a copy"):
            for record in records:
                self._check_follows(record)
                self._writer.copy(record)
                self._is_marked = not record.count
                self._index.add(self._end)
                if record.count:
                    self._recent.add(record)
            self.followers.wake()

    def _check_follows(self, record: Record) -> None:
        kind = RecordType.EVENTS if record.count else RecordType.MARKER
        about = RecordHeader(
            record.first_seq, record.count, kind, record.recorded_at_ns, record.epoch
        )
        end = self._end
        chain = chain_record(end.chain, about, record.payload)
        if record.first_seq != end.last_seq + 1 or chain != record.chain:
            reason = f"record {record.first_seq} does not follow on event {end.last_seq}"
            raise LogUnavailable(self.folder, reason)

    def sync(self) -> LogPosition:
        """Make all of it durable; returns its end, where a snapshot may be taken.

        Raises:
            LogUnavailable: it may not be durable.
        """
        with self._writing("a sync"):
            self._writer.sync()
            return self._end

    def append(self, payload: bytes, count: int, expected: int) -> NoReturn:  # noqa: ARG002 - a copy
        raise LogUnavailable(self.folder, IS_A_COPY)

    def write_sync_marker(self) -> NoReturn:
        raise LogUnavailable(self.folder, IS_A_COPY)

    def close(self) -> None:
        """Sync it, release files and lock; followers end when they have read all."""
        with suppress(LogError):
            self.sync()
        super().close()


def mark_as_copy(folder: Path, source: str, disk: Disk = OS_DISK) -> None:
    """Make a folder a copy of a log that lives elsewhere."""
    with new_file(disk, folder / COPY_MARK) as fd:
        write_fully(disk, fd, f"{_MARK}{source}\n".encode(), 0)


def source_of(folder: Path) -> str | None:
    """The name of the log that a folder has a copy of; None: it is no copy."""
    try:
        text = (folder / COPY_MARK).read_text("utf-8", "replace")
    except OSError:
        return None
    return text.removeprefix(_MARK).strip()


def unmark(folder: Path) -> None:
    """Make a copy a log of its own."""
    OS_DISK.unlink(folder / COPY_MARK)
    OS_DISK.sync_folder(folder)
