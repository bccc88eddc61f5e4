"""Carrying a plan out: keep the originals, then apply its steps.

First every file that a step changes is copied to a folder beside the segments, durably; then the
steps are applied, in an order in which the log opens after the last one and not before. If this is
interrupted, no original is lost, and a second repair completes the first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from eventlog.disk import Disk
from eventlog.errors import RepairFailed
from eventlog.format import SEGMENT_HEADER_BYTES, decode_segment_header
from eventlog.lockfile import WriterLock
from eventlog.repair.plan import Diagnosis, RemoveFile, RepairPlan, RewriteSnapshot, Step
from eventlog.repair.planner import plan_repair
from eventlog.segments import CHUNK_BYTES, list_segments, new_file, opened, write_fully
from eventlog.snapshot_format import SNAPSHOT_HEADER_BYTES, encode_snapshot_header
from eventlog.snapshots import read_header, segments_hash


def repair(
    plan: RepairPlan, disk: Disk, *, now_ns: Callable[[], int], random_bytes: Callable[[int], bytes]
) -> Path:
    """Carry a plan out, if an examination now gives the same plan.

    Args:
        plan: of a repairable log, from `plan_repair`.
        disk: has the log.
        now_ns: Unix time in nanoseconds.
        random_bytes: gives that many random bytes, for the lock.

    Returns:
        The folder, in the log's, with the originals.

    Raises:
        LogLocked: a writer has the log.
        RepairFailed: the log is not as it was when the plan was made, or the disk fails.
        LogUnavailable: this process cannot read it.
    """
    folder = plan.folder
    with _failing(folder):
        lock = WriterLock(disk, folder, random_bytes)
        try:
            again = plan_repair(folder, disk, plan.schema)
            if (again.diagnosis, again.steps) != (Diagnosis.REPAIRABLE, plan.steps):
                raise RepairFailed(folder, "it is not as it was when the plan was made")
            kept_in = _new_folder(disk, folder, now_ns())
            try:
                _keep_originals(disk, again, kept_in)
                for step in plan.steps:
                    _apply(disk, folder, again, step)
            except OSError:  # such as of a full disk: leave its room to the next attempt
                with suppress(OSError):
                    _remove_copies(disk, folder, kept_in)
                raise
        finally:
            lock.release()
    return kept_in


@contextmanager
def _failing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RepairFailed(folder, str(error.strerror)) from error


def _new_folder(disk: Disk, folder: Path, now_ns: int) -> Path:
    """Make the folder for the originals, durably."""
    names = disk.list(folder)
    at = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC)
    name = first_name = f"damaged-{at:%Y%m%dT%H%M%SZ}"
    number = 1
    while name in names:
        number += 1
        name = f"{first_name}-{number}"
    disk.make_folder(folder / name)
    disk.sync_folder(folder)
    return folder / name


def _keep_originals(disk: Disk, plan: RepairPlan, kept_in: Path) -> None:
    """Copy every file that a step changes; the copies are durable when this returns."""
    names = disk.list(plan.folder)
    for original in dict.fromkeys(step.name for step in plan.steps):
        if original in names:
            with opened(disk, plan.folder / original) as source:
                _write(disk, kept_in / original, b"", source, 0, disk.size(source))


def _remove_copies(disk: Disk, folder: Path, kept_in: Path) -> None:
    """Remove the copies of files that have not been changed, and the folder if that was all."""
    for name in {*disk.list(folder)}.intersection(disk.list(kept_in)):
        with opened(disk, folder / name) as original, opened(disk, kept_in / name) as copy:
            offsets = range(0, max(map(disk.size, (original, copy))), CHUNK_BYTES)
            is_same = all(
                disk.pread(original, CHUNK_BYTES, offset) == disk.pread(copy, CHUNK_BYTES, offset)
                for offset in offsets
            )
        if is_same:
            disk.unlink(kept_in / name)
    disk.remove_folder(kept_in)


def _apply(disk: Disk, folder: Path, plan: RepairPlan, step: Step) -> None:
    """Apply a step; durable on return."""
    path = folder / step.name
    if isinstance(step, RemoveFile):
        disk.unlink(path)
        disk.sync_folder(folder)
    elif isinstance(step, RewriteSnapshot):
        segments = [n for n in list_segments(disk, folder) if n <= step.position.segment]
        header = read_header(disk, path, plan.log_id)._replace(
            position=step.position, segments=segments_hash(disk, folder, segments)
        )
        with opened(disk, path) as source:
            end = disk.size(source)
            _write(disk, path, encode_snapshot_header(header), source, SNAPSHOT_HEADER_BYTES, end)
    elif step.source:
        with opened(disk, folder / step.source) as source:
            _write(disk, path, step.head, source, step.start, step.end, is_segment=True)
    else:
        _write(disk, path, step.head, None, 0, 0)


def _write(
    disk: Disk,
    path: Path,
    head: bytes,
    source: int | None,
    start: int,
    end: int,
    *,
    is_segment: bool = False,
) -> None:
    """Write a file that is a head and a part of another file, durably and in one step."""
    with new_file(disk, path) as fd:
        write_fully(disk, fd, head, 0)
        offset = start
        while source is not None and offset < end:
            data = disk.pread(source, min(CHUNK_BYTES, end - offset), offset)
            if not data:
                break
            if data.strip(b"\0"):  # a file that is extended has zeros there
                write_fully(disk, fd, data, len(head) + offset - start)
            offset += len(data)
        size_bytes = len(head) + offset - start
        if is_segment:  # a shorter file than its header says would count as broken off
            written = disk.pread(fd, SEGMENT_HEADER_BYTES, 0)
            size_bytes = max(size_bytes, decode_segment_header(written).size_bytes)
        disk.truncate(fd, size_bytes)
