"""Opening a log for writing: verify everything, clear away what a crash may leave, nothing else.

A crash interrupts at most one append, whose record nobody was promised. So in the last segment bad
bytes behind everything known durable are a torn tail: they are kept aside and cut. Everything else
that is not as it was written is damage, and nothing is touched. `README.md` has the table.
"""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import BadBytes
from eventlog.proof import proof_of_damage, scan_rest
from eventlog.segments import (
    TEMPORARY_SUFFIX,
    list_segments,
    opened,
    segment_name,
    write_fully,
)

__all__ = ["Recovered", "Recovery", "recover"]

TORN_SUFFIX: Final = ".torn-"  # and the offset that the bytes were cut at


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a log had to cut: the rest of an append that a crash interrupted."""

    segment: Path  # that was cut
    offset: int  # in bytes; where the cut is
    last_seq: int  # the last event before it
    torn_bytes: int  # how many were cut and kept
    kept_in: Path  # where they are now; may be deleted


@dataclass(frozen=True, slots=True)
class Recovered:
    """A verified log, ready for its next record."""

    end: Cursor  # where the next record goes; its `epoch` is the last one found
    segments: list[int]  # first sequence numbers
    size_bytes: int  # of the last segment, at least `end.offset`
    recovery: Recovery | None  # None: nothing had to be cut


def recover(disk: Disk, folder: Path, segment_size_bytes: int) -> Recovered | None:
    """Verify a folder's log and make it fit for writing. The caller holds the log's lock.

    Doing it twice is the same as doing it once, also if a crash comes in between.

    Returns:
        Where the log ends; None if there is no log yet.

    Raises:
        LogDamaged: this is no crash; nothing was changed.
        LogUnavailable: this process cannot read it.
        OSError: the disk fails.
    """
    segments = list_segments(disk, folder)
    recovered = None
    if segments:
        end = _pass_sealed(disk, folder, segments)
        recovered = _repair_tail(disk, end, segments, segment_size_bytes)
    else:
        _check_empty(disk, folder)
    for name in disk.list(folder):
        if name.endswith(TEMPORARY_SUFFIX):
            disk.unlink(folder / name)
    disk.sync_folder(folder)
    return recovered


def _check_empty(disk: Disk, folder: Path) -> None:
    """Refuse to begin a new log where one has been."""
    for name in disk.list(folder):
        if TORN_SUFFIX in name and not name.endswith(TEMPORARY_SUFFIX):
            found = f"no segments, but {name} of an earlier log"
            raise LogDamaged(folder / segment_name(1), 0, 1, found, "its segments, or no such file")


def _pass_sealed(disk: Disk, folder: Path, segments: list[int]) -> Cursor:
    """Verify all segments but the last; returns a cursor at the start of that one."""
    cursor = Cursor(disk, folder, 1)
    for _ in segments[1:]:
        while cursor.advance():
            pass
        rest = scan_rest(disk, cursor)
        if cursor.stop is None and rest.end:
            found = f"bytes that are not zero, up to offset {rest.end}"
            raise cursor.damaged(BadBytes(found, "a record, or zeros to the end"))
        cursor.enter_next()
    return cursor


def _repair_tail(
    disk: Disk, cursor: Cursor, segments: list[int], segment_size_bytes: int
) -> Recovered:
    """Verify the last segment, cut a torn tail, and make what is left durable."""
    unsure_offset = _pass_tail(cursor)
    rest = scan_rest(disk, cursor)
    damage = proof_of_damage(cursor, rest)
    if damage is not None:
        raise cursor.damaged(damage)
    recovery = _keep_torn(disk, cursor, rest.end) if rest.end else None
    with opened(disk, cursor.path, write=True) as fd:
        if recovery is not None:
            disk.truncate(fd, cursor.offset)
        size_bytes = disk.size(fd)
        if size_bytes < max(segment_size_bytes, cursor.offset):
            size_bytes = max(segment_size_bytes, cursor.offset)
            disk.fallocate(fd, size_bytes)
        # After a failed fsync the kernel may hold pages that it calls clean and that never reached
        # the disk. Records not known to be durable are therefore written again, not just synced.
        unsure = disk.pread(fd, cursor.offset - unsure_offset, unsure_offset)
        if unsure:
            write_fully(disk, fd, unsure, unsure_offset)
        disk.fsync(fd)
    return Recovered(cursor, segments, size_bytes, recovery)


def _pass_tail(cursor: Cursor) -> int:
    """Pass the last segment's records; returns the offset after those known to be durable."""
    offset = cursor.offset
    unsure: deque[tuple[int, int]] = deque()  # (seq whose durability proves it, offset) of records
    while passed := cursor.advance():
        for record, durable_seq, size_bytes in passed:
            unsure.append((max(record.first_seq, record.last_seq), offset))
            while unsure and unsure[0][0] <= durable_seq:
                unsure.popleft()
            offset += size_bytes
    return unsure[0][1] if unsure else offset


def _keep_torn(disk: Disk, cursor: Cursor, end: int) -> Recovery:
    """Copy what is about to be cut to a file of its own, durable; the same bytes only once."""
    with opened(disk, cursor.path) as fd:
        torn = disk.pread(fd, end - cursor.offset, cursor.offset)
    folder = cursor.path.parent
    names = set(disk.list(folder))
    name = first_name = f"{cursor.path.name}{TORN_SUFFIX}{cursor.offset}"
    copies = 1
    while name in names:
        with opened(disk, folder / name) as fd:
            if disk.pread(fd, len(torn) + 1, 0) == torn:
                break
        copies += 1
        name = f"{first_name}-{copies}"
    else:
        temporary = folder / (name + TEMPORARY_SUFFIX)
        with opened(disk, temporary, create=True) as fd:
            disk.truncate(fd, 0)
            write_fully(disk, fd, torn, 0)
            disk.fsync(fd)
        disk.rename(temporary, folder / name)
        disk.sync_folder(folder)
    return Recovery(cursor.path, cursor.offset, cursor.next_seq - 1, len(torn), folder / name)
