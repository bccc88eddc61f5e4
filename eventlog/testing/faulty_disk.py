"""Disks that do not sync, that tell of each operation, and that fail.

A faulty disk followed by a good one on the same files is what a crash of the process leaves: all
operations up to the one that failed, of which a part may have happened.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventlog.disk import Disk, OsDisk
from eventlog.errors import LogUnavailable
from eventlog.filelog import FileLog

# The operations that change a file or a folder, or make a change durable.
_CHANGES = {
    *("create", "rename", "unlink", "sync_folder"),
    *("pwrite", "fallocate", "truncate", "clear", "fdatasync", "fsync"),
}


def abandon(log: FileLog) -> None:
    """Release a log as the end of its process does: no marker is written, and the lock is free."""
    log._closed = LogUnavailable(log.folder, "abandoned")  # noqa: SLF001 - so that it writes nothing
    log.close()


class NoSyncDisk(OsDisk):
    """The operating system's files, whose syncs do nothing."""

    def fdatasync(self, _fd: int, /) -> None: ...

    def fsync(self, _fd: int, /) -> None: ...

    def sync_folder(self, _folder: Path, /) -> None: ...


def _operation(name: str) -> Any:
    def operation(self: "InterceptedDisk", *arguments: Any, **options: Any) -> Any:
        self.before("create" if options.get("create") else name, *arguments)
        return getattr(self.disk, name)(*arguments, **options)

    return operation


class InterceptedDisk:
    """Another disk, with a hook that is called before each operation.

    Args:
        before: gets the operation's name and its arguments (an `open` that may make the file is
            `create`); an error that it raises is the operation's. Subclasses override the method.
        disk: does the operations; a `NoSyncDisk` by default.
    """

    def __init__(
        self, before: Callable[..., object] | None = None, disk: Disk | None = None
    ) -> None:
        self.disk = disk or NoSyncDisk()
        self._before = before

    def before(self, operation: str, *arguments: Any) -> None:
        if self._before is not None:
            self._before(operation, *arguments)

    open = _operation("open")
    close = _operation("close")
    size = _operation("size")
    is_at = _operation("is_at")
    pread = _operation("pread")
    pwrite = _operation("pwrite")
    fdatasync = _operation("fdatasync")
    fsync = _operation("fsync")
    fallocate = _operation("fallocate")
    truncate = _operation("truncate")
    clear = _operation("clear")
    lock = _operation("lock")
    rename = _operation("rename")
    unlink = _operation("unlink")
    list = _operation("list")
    make_folder = _operation("make_folder")
    remove_folder = _operation("remove_folder")
    sync_folder = _operation("sync_folder")


class FaultyDisk(InterceptedDisk):
    """A disk of which chosen operations fail, by their names or from some change on.

    Args:
        changes: how many operations that change something succeed before all fail; None: no limit.
        once: whether only the first of these fails.
        partial: the share of a failing write that is done; with `changes`, of the first one only.
        disk: as for `InterceptedDisk`.

    Attributes:
        errors: the operations that fail, by name, with the error number of each.
        failed: the first operation that failed.
    """

    def __init__(
        self,
        changes: int | None = None,
        *,
        once: bool = False,
        partial: float = 0,
        disk: Disk | None = None,
    ) -> None:
        super().__init__(disk=disk)
        self.errors: dict[str, int] = {}
        self.partial = partial
        self.failed: str | None = None
        self._left = changes
        self._once = once

    def before(self, operation: str, *arguments: Any) -> None:
        number = self.errors.get(operation)
        if self._left is not None and operation in _CHANGES:
            self._left -= 1
            if self._left < 0 and not (self._once and self.failed):
                number = errno.EIO
        if number is None:
            return
        if operation == "pwrite" and (self.errors or not self.failed):
            fd, data, offset = arguments
            self.disk.pwrite(fd, data[: int(len(data) * self.partial)], offset)
        self.failed = self.failed or operation
        raise OSError(number, os.strerror(number))
