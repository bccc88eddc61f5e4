"""Segments, the files of a log: their names and headers, making one, reading them."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.errors import COPY_AGAIN, UPGRADE, LogDamaged, LogUnavailable
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_segment_header,
    encode_segment_header,
)
from eventlog.header_format import BadBytes
from eventlog.lacks import synced

SEGMENT_SUFFIX: Final = ".seg"
TEMPORARY_SUFFIX: Final = ".tmp"  # of files that are not finished; a crash may leave them behind
CHUNK_BYTES: Final = 256 * 1024  # read at once: fits the cache of a core while it is verified

_STATED_BELOW: Final = 2**32  # a longer file's length does not fit into its header
_SEQ_DIGITS: Final = 20  # of the largest sequence number, 2**64 - 1


def segment_name(first_seq: int) -> str:
    return f"{first_seq:0{_SEQ_DIGITS}d}{SEGMENT_SUFFIX}"


def number_of(name: str) -> int | None:
    """The sequence number in a segment's name; None for any other name."""
    stem = name.removesuffix(SEGMENT_SUFFIX)
    is_number = len(stem) == _SEQ_DIGITS and stem.isascii() and stem.isdigit()
    return int(stem) if is_number and stem != name else None


def list_segments(disk: Disk, folder: Path) -> list[int]:
    """The first sequence numbers of a folder's segments, in order; none if there is no folder.

    Raises:
        LogDamaged: a file has the suffix of a segment, and another name.
        LogUnavailable: this process cannot read the folder.
    """
    try:
        return segments_among(folder, disk.list(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LogUnavailable(folder, f"cannot be read: {error.strerror}") from error


def segments_among(folder: Path, names: list[str]) -> list[int]:
    """As `list_segments`, of the names in the folder."""
    segments = []
    for name in names:
        if not name.endswith(SEGMENT_SUFFIX):
            continue
        number = number_of(name)
        if number is None:
            found, expected = f"a segment named {name}", f"<{_SEQ_DIGITS} digits>{SEGMENT_SUFFIX}"
            raise LogDamaged(folder / name, 0, 0, found, expected, advice="move it elsewhere")
        segments.append(number)
    return sorted(segments)


@contextmanager
def opened(disk: Disk, path: Path, *, write: bool = False, create: bool = False) -> Iterator[int]:
    """Open a file, and close it at the end."""
    fd = disk.open(path, write=write, create=create)
    try:
        yield fd
    finally:
        close(disk, fd)


def close(disk: Disk, fd: int) -> None:
    """Close a file of which everything that matters is synced: an error changes nothing."""
    with suppress(OSError):
        disk.close(fd)


def write_fully(disk: Disk, fd: int, data: bytes, offset: int) -> None:
    """Write all of `data`, in as many steps as the disk needs, or raise OSError."""
    written = disk.pwrite(fd, data, offset)
    while written < len(data):
        step = disk.pwrite(fd, data[written:], offset + written)
        if step <= 0:
            progress = f"{written} of {len(data)} bytes written at offset {offset}, then none"
            raise OSError(errno.EIO, progress)
        written += step


@contextmanager
def new_file(disk: Disk, path: Path) -> Iterator[int]:
    """Make or replace a file in one step: it has its name when all of it is durable.

    Yields the descriptor of an empty file with a temporary name.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with opened(disk, temporary, create=True) as fd:
        try:
            disk.truncate(fd, 0)
            yield fd
            disk.fsync(fd)
            disk.rename(temporary, path)
        except OSError:
            with suppress(OSError):
                disk.unlink(temporary)  # frees the room
            raise
    disk.sync_folder(path.parent)


def create_segment(disk: Disk, folder: Path, header: SegmentHeader, size_bytes: int) -> int:
    """Make a segment; returns its descriptor, for writing.

    It has a temporary name until its header is durable. Its own name is durable once the caller has
    synced the folder. The header says how long the file is.

    Raises:
        SyncFailed: an fsync failed.
        OSError: anything else failed; there is no new segment.
    """
    path = folder / segment_name(header.first_seq)
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    fd = disk.open(temporary, create=True)
    try:
        disk.fallocate(fd, size_bytes)
        stated = header._replace(size_bytes=_as_stated(size_bytes))
        write_fully(disk, fd, encode_segment_header(stated), 0)
        with synced(temporary):
            disk.fsync(fd)
        disk.rename(temporary, path)
    except BaseException as error:
        close(disk, fd)
        if isinstance(error, OSError):
            with suppress(OSError):
                disk.unlink(temporary)  # frees the room
        raise
    return fd


def _as_stated(size_bytes: int) -> int:
    """A file's length as a header has room for it; 0 says nothing."""
    return size_bytes if size_bytes < _STATED_BELOW else 0


def damaged(path: Path, offset: int, seq: int, bad: BadBytes) -> LogDamaged:
    """The error that names the position of bad bytes, and what to do about them."""
    advice = COPY_AGAIN if bad.short else UPGRADE if bad.newer else None
    return LogDamaged(
        path, offset, seq, bad.found, bad.expected, advice=advice, repairable=bad.short
    )


def read_bytes(disk: Disk, path: Path, size_bytes: int, offset: int, seq: int) -> bytes:
    """Up to `size_bytes` of a segment, fewer at its end; errors name the record `seq`.

    Raises:
        LogDamaged: there is no such file, or the disk cannot read it.
        LogUnavailable: this process cannot read it (permissions, too many open files).
    """
    try:
        fd = disk.open(path)
        try:
            return disk.pread(fd, size_bytes, offset)
        finally:
            close(disk, fd)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EIO):
            is_gone = error.errno == errno.ENOENT
            found = "no such file" if is_gone else f"the disk says {error.strerror}"
            raise damaged(path, offset, seq, BadBytes(found, "a readable file")) from error
        reason = f"{path.name} cannot be read: {error.strerror}"
        raise LogUnavailable(path.parent, reason) from error


def read_segment_header(
    disk: Disk,
    folder: Path,
    first_seq: int,
    log_id: bytes | None = None,
    chain: bytes | None = None,
) -> SegmentHeader:
    """A segment's header, checked against its name and, where given, the log's id and chain.

    Raises:
        LogDamaged: it is another one, or damaged.
        LogUnavailable: as `read_bytes`.
    """
    path = folder / segment_name(first_seq)
    data = read_bytes(disk, path, SEGMENT_HEADER_BYTES, 0, first_seq)
    try:
        header = decode_segment_header(data)
    except BadBytes as bad:
        raise damaged(path, 0, first_seq, bad) from None
    for what, found, expected in (
        ("first seq", f"{header.first_seq}", f"{first_seq}"),
        ("log id", header.log_id.hex(), (log_id or header.log_id).hex()),
        ("previous chain", header.chain.hex(), (chain or header.chain).hex()),
    ):
        if found != expected:
            raise damaged(path, 0, first_seq, BadBytes(f"{what} {found}", expected))
    return header
