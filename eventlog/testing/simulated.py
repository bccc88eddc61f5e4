"""A simulated disk: files in memory, a power that fails, and what is left of them then.

What a program reads is what it wrote. What a crash leaves is what was synced, and of everything
else any part (`unsynced.py`). A file is synced by its descriptor, a name by its folder.

For tests of anything that uses a `Disk`; nothing in here looks at the time or at real files.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from eventlog.testing.unsynced import (
    Chance,
    CrashOutcome,
    File,
    FileChange,
    HardLink,
    NameChange,
    Names,
    Rename,
    Resize,
    Unlink,
    Write,
    apply,
    change_data,
)

__all__ = ["Chance", "CrashOutcome", "PowerLoss", "SimulatedDisk"]


class PowerLoss(BaseException):
    """The power is gone: not an error that a program could handle."""


class SimulatedDisk:
    """A `Disk` in memory. The folder above all others, `/`, is there.

    Attributes:
        steps: operations so far that change something, or make something durable.
        power_fails_at: which of them is the last; it may have happened in part, or as a whole.
        sync_fails_at: which of them fails, if it is the sync of a file. As with a real kernel, what
            it should have made durable can still be read, and is not tried again.
        is_full: there is no room for anything; writes stop halfway.
        misdirect_at: which write goes to another place, told by `misdirect_to`.
    """

    def __init__(self, names: Names | None = None) -> None:
        self.steps = 0
        self.power_fails_at: int | None = None
        self.sync_fails_at: int | None = None
        self.is_full = False
        self.misdirect_at: int | None = None
        self.misdirect_to: tuple[Path, int] = (Path("/"), 0)
        self._has_power = True
        self._names: Names = names or {Path("/"): None}
        self._durable_names: Names = dict(self._names)
        self._unsynced: list[NameChange] = []
        self._open: dict[int, tuple[File, Path]] = {}
        self._locks: dict[int, File] = {}
        self._next_fd = 3

    def crash(self, fate: CrashOutcome) -> Self:
        """The disk as it is found when the power is back."""
        names = dict(self._durable_names)
        for change in self._unsynced:
            if fate.keeps():
                apply(names, change)
        files: dict[int, File] = {}
        found: Names = {}
        for path, file in names.items():
            if all(folder in names for folder in path.parents):  # or it is lost with its folder
                if file is not None and id(file) not in files:
                    files[id(file)] = file.after_crash(fate)
                found[path] = None if file is None else files[id(file)]
        return type(self)(found)

    def kill(self) -> Self:
        """The process dies and the power stays: nothing is lost yet, and all locks are free."""
        self._open.clear()
        self._locks.clear()
        self._has_power, self.power_fails_at = True, None
        return self

    def files(self) -> Iterator[tuple[Path, bytearray]]:
        """Every file and its bytes, which may be changed: damage that no crash explains."""
        for path, file in sorted(self._names.items()):
            if file is not None:
                yield path, file.data

    def _step(self) -> bool:
        """Whether the power holds for one more operation."""
        if not self._has_power:
            raise PowerLoss
        self.steps += 1
        self._has_power = self.steps != self.power_fails_at
        return self._has_power

    def _change_names(self, change: NameChange) -> None:
        holds = self._step()
        apply(self._names, change)
        self._unsynced.append(change)
        if not holds:
            raise PowerLoss

    def _change_file(self, file: File, change: FileChange) -> None:
        holds = self._step()
        file.unsynced.append(change)
        change_data(file.data, change)
        if not holds:
            raise PowerLoss

    def _file(self, path: Path) -> File:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        file = self._names[path]
        if file is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return file

    def _need_room(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path: Path, /, *, write: bool = False, create: bool = False) -> int:
        """See `Disk.open`."""
        del write
        if create and path not in self._names:
            self._need_room()
            self._change_names(HardLink(path, File()))
        self._next_fd += 1
        self._open[self._next_fd] = (self._file(path), path)
        return self._next_fd

    def close(self, fd: int, /) -> None:
        """See `Disk.close`."""
        del self._open[fd]
        self._locks.pop(fd, None)

    def size(self, fd: int, /) -> int:
        """See `Disk.size`."""
        return len(self._open[fd][0].data)

    def is_at(self, fd: int, path: Path, /) -> bool:
        """See `Disk.is_at`."""
        return self._file(path) is self._open[fd][0]

    def pread(self, fd: int, size_bytes: int, offset: int, /) -> bytes:
        """See `Disk.pread`."""
        return bytes(self._open[fd][0].data[offset : offset + size_bytes])

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        """See `Disk.pwrite`."""
        file, _ = self._open[fd]
        if self.is_full:
            if len(data) > 1:
                self._change_file(file, Write(offset, data[: len(data) // 2]))
            self._need_room()
        if self.steps + 1 == self.misdirect_at:
            path, offset = self.misdirect_to
            file = self._file(path)
        self._change_file(file, Write(offset, bytes(data)))
        return len(data)

    def fdatasync(self, fd: int, /) -> None:
        """See `Disk.fdatasync`."""
        self.fsync(fd)

    def fsync(self, fd: int, /) -> None:
        """See `Disk.fsync`."""
        if not self._step():
            raise PowerLoss
        file, _ = self._open[fd]
        if self.steps == self.sync_fails_at:
            file.unsynced = []
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        file.sync()

    def fallocate(self, fd: int, size_bytes: int, /) -> None:
        """See `Disk.fallocate`."""
        file, _ = self._open[fd]
        if size_bytes > len(file.data):
            self._need_room()
            self._change_file(file, Resize(size_bytes, allocates=True))

    def truncate(self, fd: int, size_bytes: int, /) -> None:
        """See `Disk.truncate`."""
        self._change_file(self._open[fd][0], Resize(size_bytes, allocates=False))

    def lock(self, fd: int, /) -> bool:
        """See `Disk.lock`."""
        file, _ = self._open[fd]
        if any(held is file for held in self._locks.values()):
            return False
        self._locks[fd] = file
        return True

    def rename(self, old: Path, new: Path, /) -> None:
        """See `Disk.rename`."""
        self._change_names(Rename(old, new, self._file(old)))

    def unlink(self, path: Path, /) -> None:
        """See `Disk.unlink`."""
        self._file(path)
        self._change_names(Unlink(path))

    def list(self, folder: Path, /) -> list[str]:
        """See `Disk.list`."""
        if folder not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        return [path.name for path in self._names if path.parent == folder and path != folder]

    def make_folder(self, folder: Path, /) -> None:
        """See `Disk.make_folder`."""
        if folder not in self._names:
            self._change_names(HardLink(folder, None))

    def sync_folder(self, folder: Path, /) -> None:
        """See `Disk.sync_folder`."""
        if not self._step():
            raise PowerLoss
        others = []
        for change in self._unsynced:
            path = change.new if isinstance(change, Rename) else change.path
            if path.parent == folder:
                apply(self._durable_names, change)
            else:
                others.append(change)
        self._unsynced = others
