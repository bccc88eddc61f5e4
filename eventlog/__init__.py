"""An append-only event log: durable when `append` returns, checked whenever it is read."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from eventlog.api import (
    MAX_PAYLOAD_BYTES,
    AsyncLog,
    EventLog,
    Limits,
    LogPosition,
    NextRecords,
    ReadableLog,
    Record,
    Snapshot,
    SnapshotStore,
    SnapshotWriter,
)
from eventlog.disk import OS_DISK, Disk
from eventlog.errors import (
    FollowerBehind,
    LogBusy,
    LogDamaged,
    LogError,
    LogFull,
    LogLacking,
    LogLocked,
    LogMissing,
    LogRewound,
    LogUnavailable,
    LogUnreachable,
    RecordTooLarge,
    RepairFailed,
    SequenceConflict,
    SnapshotFailed,
    SyncFailed,
    WriterReplaced,
)
from eventlog.filelog import FileLog
from eventlog.format import SEGMENT_SIZE_BYTES
from eventlog.memory import MemoryLog
from eventlog.reader import LogReader
from eventlog.recovery import Recovery
from eventlog.spare import SparingDisk

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "SEGMENT_SIZE_BYTES",
    "AsyncLog",
    "Disk",
    "EventLog",
    "FileLog",
    "FollowerBehind",
    "Limits",
    "LogBusy",
    "LogDamaged",
    "LogError",
    "LogFull",
    "LogLacking",
    "LogLocked",
    "LogMissing",
    "LogPosition",
    "LogReader",
    "LogRewound",
    "LogUnavailable",
    "LogUnreachable",
    "MemoryLog",
    "NextRecords",
    "ReadableLog",
    "Record",
    "RecordTooLarge",
    "Recovery",
    "RepairFailed",
    "SequenceConflict",
    "Snapshot",
    "SnapshotFailed",
    "SnapshotStore",
    "SnapshotWriter",
    "SparingDisk",
    "SyncFailed",
    "WriterReplaced",
    "open",
]


def open(  # noqa: A001 - called as `eventlog.open`
    path: str | os.PathLike[str],
    *,
    now_ns: Callable[[], int] = time.time_ns,
    random_bytes: Callable[[int], bytes] = os.urandom,
    disk: Disk = OS_DISK,
    segment_size_bytes: int = SEGMENT_SIZE_BYTES,
) -> FileLog:
    """Lock, verify and recover the log in a folder, or make a new one there.

    Args:
        path: the folder; made if it is missing, but not the folder above it.
        now_ns: Unix time in nanoseconds, for the records.
        random_bytes: gives that many random bytes, for the log's and its segments' ids.
        disk: has the folder.
        segment_size_bytes: of new segments.

    Raises:
        LogLocked: another writer has it.
        LogDamaged: the log is not as it was written; nothing was changed.
        LogUnavailable: the disk or the permissions do not allow it.
    """
    return FileLog(
        Path(path),
        now_ns=now_ns,
        random_bytes=random_bytes,
        disk=disk,
        segment_size_bytes=segment_size_bytes,
    )
