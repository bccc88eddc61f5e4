"""The file operations that a log needs, as a protocol, and the operating system's.

Tests replace the disk by a simulated one that loses what was not synced (`eventlog.testing`).
`README.md` says what a log relies on.
"""

import ctypes
import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

# What a file system answers that cannot allocate room before it is written to.
_NOT_OFFERED: Final = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)

_PUNCH_HOLE_KEEP_SIZE: Final = 0x02 | 0x01  # FALLOC_FL_PUNCH_HOLE, FALLOC_FL_KEEP_SIZE


class Disk(Protocol):
    """Files and folders. Every method may raise OSError.

    A crash may lose any part of what was written to a file since its last sync, and any name that
    was made, renamed or removed since its folder's last sync.
    """

    def open(self, path: Path, /, *, write: bool = False, create: bool = False) -> int:
        """Open a file for reading, or for both; `create` makes an empty one if it is not there."""

    def close(self, fd: int, /) -> None:
        """Close a descriptor, which releases its lock."""

    def size(self, fd: int, /) -> int:
        """The file's length in bytes."""

    def is_at(self, fd: int, path: Path, /) -> bool:
        """Whether the path still leads to this open file. Opens nothing."""

    def pread(self, fd: int, size_bytes: int, offset: int, /) -> bytes:
        """Up to `size_bytes` bytes from `offset`; fewer at the end of the file."""

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        """Write at `offset`; returns how many bytes were written."""

    def fdatasync(self, fd: int, /) -> None:
        """Make the file's bytes, and what is needed to read them back, durable."""

    def fsync(self, fd: int, /) -> None:
        """As `fdatasync`, and the rest of the metadata."""

    def fallocate(self, fd: int, size_bytes: int, /) -> None:
        """Make the file at least that long, with room on the disk; new bytes are zeros."""

    def truncate(self, fd: int, size_bytes: int, /) -> None:
        """Cut the file to that length."""

    def clear(self, fd: int, offset: int, /) -> None:
        """Make everything from `offset` on zeros, and free its room; the length stays."""

    def lock(self, fd: int, /) -> bool:
        """Take the file's exclusive lock until the descriptor is closed; False if it is taken."""

    def rename(self, old: Path, new: Path, /) -> None:
        """Give a file another name in its folder, in one step."""

    def unlink(self, path: Path, /) -> None:
        """Remove a file."""

    def list(self, folder: Path, /) -> list[str]:
        """The names in a folder."""

    def make_folder(self, folder: Path, /) -> None:
        """Make a folder, for its owner only, unless it is there; the one above has to exist."""

    def remove_folder(self, folder: Path, /) -> None:
        """Remove a folder that is empty."""

    def sync_folder(self, folder: Path, /) -> None:
        """Make the names in a folder durable."""


def _regular(fd: int, path: Path) -> int:
    """The descriptor, if it is that of a regular file."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is no regular file", str(path))


def _give_to_owner_of(folder: Path, made: int) -> None:
    """Give what root makes to the folder's owner, whose service could not open it otherwise."""
    if os.geteuid() == 0:
        owner = folder.stat()
        if owner.st_uid:
            os.fchown(made, owner.st_uid, owner.st_gid)


class OsDisk:
    """The operating system's files. Those made are for their owner only (0600, folders 0700).

    What root makes belongs to the owner of the folder. Making a file follows no symbolic link.
    """

    close = staticmethod(os.close)
    pread = staticmethod(os.pread)

    def open(self, path: Path, /, *, write: bool = False, create: bool = False) -> int:
        # O_NONBLOCK: a pipe in a file's place is not waited for.
        flags = os.O_CLOEXEC | os.O_NONBLOCK | (os.O_RDWR if write or create else os.O_RDONLY)
        if not create:
            return _regular(os.open(path, flags), path)
        flags |= os.O_NOFOLLOW
        with suppress(FileExistsError):
            fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            _give_to_owner_of(path.parent, fd)
            return fd
        return _regular(os.open(path, flags | os.O_CREAT, 0o600), path)

    def size(self, fd: int, /) -> int:
        return os.fstat(fd).st_size

    def is_at(self, fd: int, path: Path, /) -> bool:
        # By device and inode, which no other file has while this one is open.
        return os.path.samestat(path.lstat(), os.fstat(fd))

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        return os.pwrite(fd, data, offset)

    def fdatasync(self, fd: int, /) -> None:
        os.fdatasync(fd)

    def fsync(self, fd: int, /) -> None:
        os.fsync(fd)

    def fallocate(self, fd: int, size_bytes: int, /) -> None:
        try:
            os.posix_fallocate(fd, 0, size_bytes)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
            if os.fstat(fd).st_size < size_bytes:  # no room is kept for it, but it has its length
                os.ftruncate(fd, size_bytes)

    def truncate(self, fd: int, size_bytes: int, /) -> None:
        os.ftruncate(fd, size_bytes)

    def clear(self, fd: int, offset: int, /) -> None:
        size_bytes = os.fstat(fd).st_size
        if size_bytes > offset and not _punch_hole(fd, offset, size_bytes - offset):
            os.ftruncate(fd, offset)
            os.ftruncate(fd, size_bytes)

    def lock(self, fd: int, /) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def rename(self, old: Path, new: Path, /) -> None:
        old.rename(new)

    def unlink(self, path: Path, /) -> None:
        path.unlink()

    def list(self, folder: Path, /) -> list[str]:
        return [path.name for path in folder.iterdir()]

    def make_folder(self, folder: Path, /) -> None:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            made = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                _give_to_owner_of(folder.parent, made)
            finally:
                os.close(made)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))

    def remove_folder(self, folder: Path, /) -> None:
        folder.rmdir()

    def sync_folder(self, folder: Path, /) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _punch_hole(fd: int, offset: int, size_bytes: int) -> bool:
    """Free a part of a file; whether the system can. At no moment is the file shorter."""
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):  # not Linux
        return False
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return bool(fallocate(fd, _PUNCH_HOLE_KEEP_SIZE, offset, size_bytes) == 0)


OS_DISK: Final[Disk] = OsDisk()
