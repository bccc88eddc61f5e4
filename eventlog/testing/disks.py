"""For tests: a disk that does not wait for the platter, one that fails, a writer that is gone.

A failing disk followed by a good one is what a crash of the process leaves: everything up to the
operation that failed, of which a part may have happened.
"""

import errno
from pathlib import Path

from eventlog.disk import OsDisk
from eventlog.errors import LogUnavailable
from eventlog.filelog import FileLog

__all__ = ["FailingDisk", "FastDisk", "InterceptedDisk", "abandon"]


def abandon(log: FileLog) -> None:
    """Let go of a log as a killed process does: nothing is written, and the lock is free."""
    log._closed = LogUnavailable(log.folder, "abandoned")  # noqa: SLF001 - so that it writes nothing
    log.close()


class FastDisk(OsDisk):
    """The operating system's files, never synced: for tests that crash nothing."""

    def fdatasync(self, _fd: int, /) -> None:
        """Nothing."""

    def fsync(self, _fd: int, /) -> None:
        """Nothing."""

    def sync_folder(self, _folder: Path, /) -> None:
        """Nothing."""


class InterceptedDisk(FastDisk):
    """A disk whose operations first ask whether they may, by name."""

    def _do(self, name: str) -> None:
        """Raise OSError if the operation is to fail; a file that is made is `create`."""

    def _written_all_the_same(self, _size_bytes: int) -> int:
        """How many bytes the write that comes next, and fails, leaves behind."""
        return 0

    def open(self, path: Path, /, *, write: bool = False, create: bool = False) -> int:
        """See `Disk.open`."""
        self._do("create" if create else "open")
        return super().open(path, write=write, create=create)

    def is_at(self, fd: int, path: Path, /) -> bool:
        """See `Disk.is_at`."""
        self._do("stat")
        return super().is_at(fd, path)

    def pread(self, fd: int, size_bytes: int, offset: int, /) -> bytes:
        """See `Disk.pread`."""
        self._do("pread")
        return super().pread(fd, size_bytes, offset)

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        """See `Disk.pwrite`."""
        written = self._written_all_the_same(len(data))
        if written:
            super().pwrite(fd, data[:written], offset)
        self._do("pwrite")
        return super().pwrite(fd, data, offset)

    def fdatasync(self, _fd: int, /) -> None:
        """See `Disk.fdatasync`."""
        self._do("fdatasync")

    def fsync(self, _fd: int, /) -> None:
        """See `Disk.fsync`."""
        self._do("fsync")

    def sync_folder(self, _folder: Path, /) -> None:
        """See `Disk.sync_folder`."""
        self._do("sync_folder")

    def fallocate(self, fd: int, size_bytes: int, /) -> None:
        """See `Disk.fallocate`."""
        self._do("fallocate")
        super().fallocate(fd, size_bytes)

    def truncate(self, fd: int, size_bytes: int, /) -> None:
        """See `Disk.truncate`."""
        self._do("truncate")
        super().truncate(fd, size_bytes)

    def rename(self, old: Path, new: Path, /) -> None:
        """See `Disk.rename`."""
        self._do("rename")
        super().rename(old, new)

    def unlink(self, path: Path, /) -> None:
        """See `Disk.unlink`."""
        self._do("unlink")
        super().unlink(path)


class FailingDisk(InterceptedDisk):
    """A disk that can do so many operations that change something; then they fail.

    Args:
        operations: how many succeed.
        partial: whether the first write to fail does half of its work.
        once: whether all is well again after the first failure, as disks pretend.
    """

    def __init__(self, operations: int, *, partial: bool = False, once: bool = False) -> None:
        self.left = operations
        self.failed: str | None = None  # the name of the first operation that failed
        self._partial = partial
        self._once = once

    def _do(self, name: str) -> None:
        if name in {"open", "pread", "stat"}:  # they change nothing
            return
        self.left -= 1
        if self.left < 0 and not (self._once and self.failed):
            self.failed = self.failed or name
            raise OSError(errno.EIO, f"{name} fails, as told")

    def _written_all_the_same(self, size_bytes: int) -> int:
        return size_bytes // 2 if self.left == 0 and self._partial else 0
