"""Snapshots: the application's state at one position, so that a start reads only what follows.

They are a cache: deleting them loses nothing, and a damaged one is skipped with a warning. Each has
a hash of the segments' headers up to its position, so that the next start notices a lost segment,
and need not verify the records before the snapshot.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from eventlog.api import LogPosition, Snapshot
from eventlog.disk import Disk
from eventlog.errors import LogError, SnapshotFailed
from eventlog.format import SEGMENT_HEADER_BYTES
from eventlog.header_format import BadBytes
from eventlog.lacks import synced
from eventlog.segments import (
    TEMPORARY_SUFFIX,
    close,
    list_segments,
    opened,
    read_bytes,
    segment_name,
    write_fully,
)
from eventlog.snapshot_format import (
    SNAPSHOT_HEADER_BYTES,
    SnapshotHeader,
    decode_snapshot_header,
    encode_snapshot_header,
)

SNAPSHOT_SUFFIX: Final = ".snapshot"
KEPT_SNAPSHOTS: Final = 2  # the newest may be damaged
MAX_SNAPSHOT_BYTES: Final = 1024**3  # it is read as a whole, by one call


def snapshot_name(last_seq: int) -> str:
    """The name of the snapshot that holds everything up to that event."""
    return f"{last_seq:020d}{SNAPSHOT_SUFFIX}"


def segments_hash(disk: Disk, folder: Path, segments: list[int]) -> bytes:
    """The hash of these segments' headers.

    Raises:
        LogDamaged, LogUnavailable: one of them cannot be read.
    """
    headers = sha256()
    for first_seq in segments:
        path = folder / segment_name(first_seq)
        headers.update(read_bytes(disk, path, SEGMENT_HEADER_BYTES, 0, first_seq))
    return headers.digest()


def snapshot_names(disk: Disk, folder: Path) -> list[str]:
    """The snapshots in a folder, the newest first."""
    names = [name for name in disk.list(folder) if name.endswith(SNAPSHOT_SUFFIX)]
    return sorted(names, reverse=True)


def read_header(disk: Disk, path: Path, log_id: bytes) -> SnapshotHeader:
    """A snapshot's header.

    Raises:
        BadBytes: it is damaged, or does not fit the file's name and size, or the log.
    """
    try:
        with opened(disk, path) as fd:
            header = decode_snapshot_header(disk.pread(fd, SNAPSHOT_HEADER_BYTES, 0))
            size_bytes = disk.size(fd)
    except OSError as error:
        raise BadBytes(str(error.strerror), "a readable file") from error
    for what, found, expected in (
        ("name", path.name, snapshot_name(header.position.last_seq)),
        ("size", f"{size_bytes}", f"{SNAPSHOT_HEADER_BYTES + header.payload_bytes}"),
        ("log id", header.log_id.hex(), log_id.hex()),
    ):
        if found != expected:
            raise BadBytes(f"{what} {found}", expected)
    return header


def _passed_over(path: Path, bad: BadBytes) -> str:
    return f"{path}: {bad.found}, expected {bad.expected}; the snapshot is passed over"


def newest_header(
    disk: Disk, folder: Path, log_id: bytes, warnings: list[str]
) -> tuple[Path, SnapshotHeader] | None:
    """The newest snapshot with a good header; each newer one is a warning."""
    for name in snapshot_names(disk, folder):
        path = folder / name
        try:
            return path, read_header(disk, path, log_id)
        except BadBytes as bad:
            warnings.append(_passed_over(path, bad))
    return None


class FileSnapshots:
    """The snapshots in a log's folder: a `SnapshotStore`."""

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        log_id: bytes,
        now_ns: Callable[[], int],
        warnings: list[str],
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._log_id = log_id
        self._now_ns = now_ns
        self.warnings = warnings

    def newest_first(self, schema: int | None) -> Iterator[Snapshot]:
        """The snapshots with that schema, or any, each verified in full."""
        for name in snapshot_names(self._disk, self._folder):
            path = self._folder / name
            try:
                yield self._read(path, schema)
            except BadBytes as bad:
                warning = _passed_over(path, bad)
                if warning not in self.warnings:
                    self.warnings.append(warning)

    def _read(self, path: Path, schema: int | None) -> Snapshot:
        header = read_header(self._disk, path, self._log_id)
        if schema is not None and header.schema != schema:
            raise BadBytes(f"schema {header.schema}", f"{schema}")
        try:
            with opened(self._disk, path) as fd:
                payload = self._disk.pread(fd, header.payload_bytes, SNAPSHOT_HEADER_BYTES)
        except OSError as error:
            raise BadBytes(str(error.strerror), "a readable file") from error
        found = sha256(payload).hexdigest()
        if found != header.payload_hash.hex():
            raise BadBytes(f"payload hash {found}", header.payload_hash.hex())
        return Snapshot(header.position, header.schema, payload)

    def begin(self, position: LogPosition, schema: int) -> "SnapshotFile":
        path = self._folder / snapshot_name(position.last_seq)
        with failing(path):
            segments = [n for n in list_segments(self._disk, self._folder) if n <= position.segment]
            headers = segments_hash(self._disk, self._folder, segments)
        header = SnapshotHeader(
            schema, self._log_id, position, headers, self._now_ns(), 0, bytes(32)
        )
        return SnapshotFile(self._disk, path, header)


@contextmanager
def failing(path: Path) -> Iterator[None]:
    """Around writing a snapshot: any error becomes SnapshotFailed."""
    try:
        yield
    except SnapshotFailed:
        raise
    except (OSError, LogError, MemoryError) as error:
        raise SnapshotFailed(path, str(error) or "no memory is left") from error


class SnapshotFile:
    """A snapshot that is being written: a `SnapshotWriter`.

    Until it is finished it has a temporary name, and zeros for a header. Any failure removes it;
    the snapshots before are kept.
    """

    def __init__(self, disk: Disk, path: Path, header: SnapshotHeader) -> None:
        self._disk = disk
        self._path = path
        self._temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        self._header = header  # but for the payload's size and hash
        self._payload_bytes = 0
        self._hash = sha256()
        self._lock = threading.RLock()  # `give_up` may come while another thread writes
        with failing(path):
            self._fd: int | None = disk.open(self._temporary, create=True)
        with self._given_up_if_failing() as fd:
            disk.truncate(fd, 0)

    @contextmanager
    def _given_up_if_failing(self) -> Iterator[int]:
        with self._lock:
            try:
                with failing(self._path):
                    if self._fd is None:
                        raise SnapshotFailed(self._path, "it was given up")  # noqa: TRY301 - so too
                    yield self._fd
            except BaseException:
                self.give_up()
                raise

    def write(self, part: bytes) -> None:
        with self._given_up_if_failing() as fd:
            offset = SNAPSHOT_HEADER_BYTES + self._payload_bytes
            if offset + len(part) > MAX_SNAPSHOT_BYTES:
                raise SnapshotFailed(self._path, f"more than {MAX_SNAPSHOT_BYTES} bytes")
            write_fully(self._disk, fd, part, offset)
            self._payload_bytes += len(part)
            self._hash.update(part)

    def finish(self) -> None:
        """Make it durable under its name, and remove all but the two newest."""
        disk, path = self._disk, self._path
        header = self._header._replace(
            payload_bytes=self._payload_bytes, payload_hash=self._hash.digest()
        )
        with self._given_up_if_failing() as fd:
            write_fully(disk, fd, encode_snapshot_header(header), 0)
            with synced(self._temporary):
                disk.fsync(fd)
            disk.rename(self._temporary, path)
            with synced(path, "sync_folder"):
                disk.sync_folder(path.parent)
            for name in snapshot_names(disk, path.parent)[KEPT_SNAPSHOTS:]:
                disk.unlink(path.parent / name)
            self._fd = None
            close(disk, fd)

    def give_up(self) -> None:
        with self._lock:
            if self._fd is not None:
                close(self._disk, self._fd)
                self._fd = None
                with suppress(OSError):
                    self._disk.unlink(self._temporary)
