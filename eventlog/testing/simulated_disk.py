"""A simulated disk: files in memory, power that fails, and what is left then.

Reads give what was written. A crash leaves what was synced, and any part of everything else
(`crash.py`). A file is synced by its descriptor, a name by its folder. Nothing in here reads the
time or a real file.
"""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from eventlog.testing.crash import (
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


class PowerLoss(BaseException):
    """The power has failed. Not an Exception, since no program can handle it."""


def _is_reachable(path: str, names: Names) -> bool:
    """Whether all folders above a path are there."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        if path not in names:
            return False
    return True


class SimulatedDisk:
    """A `Disk` in memory, with the folder `/`.

    Args:
        names: the files and folders.
        ignores_sync: gets the name of a sync (`fdatasync`, `fsync`, `sync_folder`) and the path;
            whether that sync does nothing, although it succeeds.

    Attributes:
        steps: the number of operations so far that changed something, or synced.
        power_fails_at: the step that is the last one; any part of it may have happened.
        sync_fails_at: the step that fails, if it syncs a file. As with a real kernel, reads still
            give what it should have made durable, and the next sync does not try again.
        is_full: nothing has room; writes stop halfway.
        misdirect_at: the step whose write goes to `misdirect_to`, a path and an offset.
    """

    def __init__(
        self,
        names: Names | None = None,
        ignores_sync: Callable[[str, Path], bool] = lambda _operation, _path: False,
    ) -> None:
        self.steps = 0
        self.power_fails_at: int | None = None
        self.sync_fails_at: int | None = None
        self.is_full = False
        self.misdirect_at: int | None = None
        self.misdirect_to: tuple[Path, int] = (Path("/"), 0)
        self._ignores_sync = ignores_sync
        self._has_power = True
        self._names: Names = names or {"/": None}
        self._durable_names: Names = dict(self._names)
        self._unsynced: list[NameChange] = []
        self._open: dict[int, tuple[File, str]] = {}
        self._locks: dict[int, File] = {}
        self._next_fd = 3

    def crash(self, outcome: CrashOutcome) -> "SimulatedDisk":
        """The disk after a power failure."""
        names = dict(self._durable_names)
        for change in self._unsynced:
            if outcome.keeps():
                apply(names, change)
        files: dict[int, File] = {}
        found: Names = {}
        for path, file in names.items():
            if _is_reachable(path, names):  # or it is lost with its folder
                if file is not None and id(file) not in files:
                    files[id(file)] = file.after_crash(outcome)
                found[path] = None if file is None else files[id(file)]
        return SimulatedDisk(found, self._ignores_sync)

    def kill(self) -> "SimulatedDisk":
        """End the process, not the power: nothing is lost, and all locks are free."""
        self._open.clear()
        self._locks.clear()
        self._has_power, self.power_fails_at = True, None
        return self

    def files(self) -> Iterator[tuple[Path, bytearray]]:
        """Every file and its bytes, which may be changed: damage that no crash explains."""
        for path, file in sorted(self._names.items()):
            if file is not None:
                yield Path(path), file.data

    def _step(self) -> bool:
        """Count an operation; whether the power holds until its end."""
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

    def _file(self, path: str) -> File:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        file = self._names[path]
        if file is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return file

    def _need_room(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path: Path, /, *, write: bool = False, create: bool = False) -> int:
        del write
        name = str(path)
        if create and name not in self._names:
            self._need_room()
            self._change_names(HardLink(name, File()))
        self._next_fd += 1
        self._open[self._next_fd] = (self._file(name), name)
        return self._next_fd

    def close(self, fd: int, /) -> None:
        del self._open[fd]
        self._locks.pop(fd, None)

    def size(self, fd: int, /) -> int:
        return len(self._open[fd][0].data)

    def is_at(self, fd: int, path: Path, /) -> bool:
        return self._file(str(path)) is self._open[fd][0]

    def pread(self, fd: int, size_bytes: int, offset: int, /) -> bytes:
        return bytes(self._open[fd][0].data[offset : offset + size_bytes])

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        file, _ = self._open[fd]
        if self.is_full:
            if len(data) > 1:
                self._change_file(file, Write(offset, data[: len(data) // 2]))
            self._need_room()
        if self.steps + 1 == self.misdirect_at:
            path, offset = self.misdirect_to
            file = self._file(str(path))
        self._change_file(file, Write(offset, bytes(data)))
        return len(data)

    def fdatasync(self, fd: int, /) -> None:
        self._sync("fdatasync", fd)

    def fsync(self, fd: int, /) -> None:
        self._sync("fsync", fd)

    def _sync(self, operation: str, fd: int) -> None:
        file, path = self._open[fd]
        if self._ignores_sync(operation, Path(path)):
            return
        if not self._step():
            raise PowerLoss
        if self.steps == self.sync_fails_at:
            file.unsynced = []
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        file.sync()

    def fallocate(self, fd: int, size_bytes: int, /) -> None:
        file, _ = self._open[fd]
        if size_bytes > len(file.data):
            self._need_room()
            self._change_file(file, Resize(size_bytes, allocates=True))

    def truncate(self, fd: int, size_bytes: int, /) -> None:
        self._change_file(self._open[fd][0], Resize(size_bytes, allocates=False))

    def clear(self, fd: int, offset: int, /) -> None:
        file, _ = self._open[fd]
        self._change_file(file, Write(offset, bytes(max(0, len(file.data) - offset))))

    def shorten(self, path: Path, size_bytes: int) -> None:
        """End a file early, durably, as a copy that broke off does."""
        file = self._file(str(path))
        del file.data[size_bytes:]
        file.sync()

    def lock(self, fd: int, /) -> bool:
        file, _ = self._open[fd]
        if any(held is file for held in self._locks.values()):
            return False
        self._locks[fd] = file
        return True

    def rename(self, old: Path, new: Path, /) -> None:
        self._change_names(Rename(str(old), str(new), self._file(str(old))))

    def unlink(self, path: Path, /) -> None:
        self._file(str(path))
        self._change_names(Unlink(str(path)))

    def list(self, folder: Path, /) -> list[str]:
        above = str(folder)
        if above not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), above)
        parts = (path.rpartition("/") for path in self._names)
        return [name for parent, _, name in parts if name and (parent or "/") == above]

    def make_folder(self, folder: Path, /) -> None:
        if str(folder) not in self._names:
            self._change_names(HardLink(str(folder), None))

    def remove_folder(self, folder: Path, /) -> None:
        if self.list(folder):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(folder))
        self._change_names(Unlink(str(folder)))

    def sync_folder(self, folder: Path, /) -> None:
        if self._ignores_sync("sync_folder", folder):
            return
        if not self._step():
            raise PowerLoss
        others = []
        for change in self._unsynced:
            path = change.new if isinstance(change, Rename) else change.path
            if os.path.dirname(path) == str(folder):  # noqa: PTH120 - names are text here
                apply(self._durable_names, change)
            else:
                others.append(change)
        self._unsynced = others
