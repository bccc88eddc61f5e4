"""A log on disk whose segments hold a few records."""

from collections.abc import Callable
from pathlib import Path

import eventlog
from eventlog import Disk, FileLog
from eventlog.testing import NoSyncDisk


def open_small(
    folder: Path, disk: Disk | None = None, *, now_ns: Callable[[], int] = lambda: 0
) -> FileLog:
    disk = disk or NoSyncDisk()
    return eventlog.open(folder, now_ns=now_ns, disk=disk, segment_size_bytes=500)
