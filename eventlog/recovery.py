"""Opening a log for writing: verify it, and cut off what a crash may leave.

All of it is verified, or what follows its newest snapshot, if it has one (`snapshot_anchor.py`).

A crash interrupts at most one append, which has not returned. So in the last segment, bad bytes
behind everything known to be durable are a torn tail: they are copied aside and cut. All else that
is not as it was written is damage, and nothing is changed. `README.md` has the table.
"""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from eventlog.api import LogPosition
from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.segments import (
    TEMPORARY_SUFFIX,
    list_segments,
    new_file,
    opened,
    segment_name,
    write_fully,
)
from eventlog.snapshot_anchor import SnapshotAnchor, find_anchor
from eventlog.snapshots import SNAPSHOT_SUFFIX
from eventlog.tail_scan import bad_end_of_sealed, proof_of_damage, scan_rest

TORN_SUFFIX: Final = ".torn-"  # and the offset that the bytes were cut at

_BEGINS_LATER: Final = (
    "put back the segments that are missing; a slice that was exported can only be read"
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a log cut: the rest of an append that a crash interrupted."""

    segment: Path
    offset: int  # of the cut, in bytes
    last_seq: int  # the last event before it
    torn_bytes: int  # the number of bytes cut
    kept_in: Path  # a copy of them; may be deleted


@dataclass(frozen=True, slots=True)
class Recovered:
    """A verified log that is ready for its next record."""

    end: Cursor  # of the log; its `epoch` is the last one found
    segments: list[int]  # first sequence numbers
    positions: list[LogPosition]  # some of the last segment, in order
    size_bytes: int  # of the last segment, at least `end.offset`
    recovery: Recovery | None  # None: nothing had to be cut
    warnings: list[str]  # a line for each snapshot that is damaged


def recover(disk: Disk, folder: Path, segment_size_bytes: int) -> Recovered | None:
    """Verify a folder's log and prepare it for writing. The caller holds the log's lock.

    A second recovery, also after a crash in the first, gives the same result.

    Returns:
        The log; None if there is none yet.

    Raises:
        LogDamaged: no crash explains what was found; nothing was changed.
        LogUnavailable: this process cannot read it.
        OSError: the disk fails.
    """
    segments = list_segments(disk, folder)
    recovered = None
    if segments and segments[0] != 1:
        found = f"{segment_name(segments[0])} as the first segment"
        raise LogDamaged(folder / segment_name(1), 0, 1, found, "this file", advice=_BEGINS_LATER)
    if segments:
        recovered = _recover(disk, folder, segments, segment_size_bytes)
    else:
        _check_empty(disk, folder)
    for name in disk.list(folder):
        if name.endswith(TEMPORARY_SUFFIX):
            disk.unlink(folder / name)
    disk.sync_folder(folder)
    return recovered


def _check_empty(disk: Disk, folder: Path) -> None:
    """Check that the folder has no remains of an earlier log."""
    for name in disk.list(folder):
        remains = TORN_SUFFIX in name or name.endswith(SNAPSHOT_SUFFIX)
        if remains and not name.endswith(TEMPORARY_SUFFIX):
            found = f"no segments, but {name} of an earlier log"
            raise LogDamaged(folder / segment_name(1), 0, 1, found, "its segments, or no such file")


def _recover(disk: Disk, folder: Path, segments: list[int], size_bytes: int) -> Recovered:
    """As `recover`, where there is a log."""
    warnings: list[str] = []
    anchor = find_anchor(disk, folder, warnings)
    cursor = anchor.cursor(disk, folder, segments) if anchor is not None else None
    cursor = cursor or Cursor(disk, folder, 1)
    _pass_sealed(disk, cursor, segments[-1], anchor)
    tail = _pass_tail(disk, cursor, anchor)
    if anchor is not None:
        anchor.check(cursor)
    size_bytes, recovery = _repair_tail(disk, cursor, tail, size_bytes)
    return Recovered(cursor, segments, tail.positions, size_bytes, recovery, warnings)


def _pass_sealed(
    disk: Disk, cursor: Cursor, last_segment: int, anchor: SnapshotAnchor | None
) -> None:
    """Verify the sealed segments from the cursor on, and move it to the last segment."""
    while cursor.segment < last_segment:
        while passed := cursor.advance():
            if anchor is not None:
                anchor.note(passed)
        bad = bad_end_of_sealed(cursor, scan_rest(disk, cursor))
        if bad is not None:
            raise cursor.damaged(bad)
        cursor.enter_next()


class _Tail(NamedTuple):
    """The last segment's content."""

    positions: list[LogPosition]  # some, in order
    unsure_offset: int  # behind the records that are known to be durable
    torn_end: int  # behind the bytes that are no records; 0: there are none


def _pass_tail(disk: Disk, cursor: Cursor, anchor: SnapshotAnchor | None) -> _Tail:
    """Verify the last segment's records, and scan the bytes behind them."""
    offset = cursor.offset
    positions = [cursor.position]
    unsure: deque[tuple[int, int]] = deque()  # (seq whose durability proves it, offset) of records
    while passed := cursor.advance():
        for record, durable_seq, size_bytes in passed:
            unsure.append((max(record.first_seq, record.last_seq), offset))
            while unsure and unsure[0][0] <= durable_seq:
                unsure.popleft()
            offset += size_bytes
        positions.append(cursor.position)
        if anchor is not None:
            anchor.note(passed)
    rest = scan_rest(disk, cursor)
    damage = proof_of_damage(cursor, rest)
    if damage is not None:
        raise cursor.damaged(damage)
    return _Tail(positions, unsure[0][1] if unsure else offset, rest.end)


def _repair_tail(
    disk: Disk, cursor: Cursor, tail: _Tail, size_bytes: int
) -> tuple[int, Recovery | None]:
    """Cut a torn tail, and make the rest durable; returns the segment's size, and what was cut.

    This is the first change to the log; the checks are done.
    """
    recovery = _keep_torn(disk, cursor, tail.torn_end) if tail.torn_end else None
    with opened(disk, cursor.path, write=True) as fd:
        if recovery is not None:
            disk.clear(fd, cursor.offset)
        size_bytes = max(size_bytes, cursor.offset, disk.size(fd))
        disk.fallocate(fd, size_bytes)  # also where a full disk made the writer free the room
        # After a failed fsync the kernel may hold pages that it calls clean and that never reached
        # the disk. Records not known to be durable are therefore written again, not just synced.
        unsure = disk.pread(fd, cursor.offset - tail.unsure_offset, tail.unsure_offset)
        if unsure:
            write_fully(disk, fd, unsure, tail.unsure_offset)
        disk.fsync(fd)
        return size_bytes, recovery


def _keep_torn(disk: Disk, cursor: Cursor, end: int) -> Recovery:
    """Copy what will be cut to a file of its own, durably; the same bytes only once."""
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
        with new_file(disk, folder / name) as fd:
            write_fully(disk, fd, torn, 0)
    return Recovery(cursor.path, cursor.offset, cursor.next_seq - 1, len(torn), folder / name)
