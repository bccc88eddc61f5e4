"""Files that are replaced atomically: a crash leaves the old content or the new.

    write a new file beside it, fsync ──▶ rename it over the old one ──▶ fsync the folder

Each step is an operation of a protocol, so that tests can fail or stop between any two.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from nc.small_files import read_small

FOLDER_MODE = 0o700  # for the one user that runs the controller
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Files(Protocol):
    """File operations; each may raise OSError."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and its missing parents, durably, for the owner only. It may exist."""

    def locked(self, path: Path) -> AbstractContextManager[None]:
        """Exclude other processes from a folder until the context ends."""

    def read(self, path: Path) -> bytes | None:
        """A file's content, or None where there is no such file."""

    def mode(self, path: Path) -> int:
        """A file's permission bits."""

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Make a new file with this content, durably; none may exist there."""

    def keep_owner(self, path: Path, beside: Path) -> None:
        """Give what is to replace `path` its owner, group and mode, as far as is allowed."""

    def rename(self, source: Path, target: Path) -> None:
        """Replace `target` with `source`, atomically."""

    def sync_folder(self, path: Path) -> None:
        """Make the renames in a folder durable."""

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""


def give_to_owner_of(folder: Path, made: int) -> None:
    """Give what root makes to the folder's owner, whose service could not use it otherwise.

    Args:
        folder: where it was made.
        made: its descriptor.
    """
    if os.geteuid() == 0:
        owner = folder.stat()
        if owner.st_uid:
            os.fchown(made, owner.st_uid, owner.st_gid)


class OsFiles:
    """The operating system's files. What root makes belongs to the owner of the folder."""

    def make_folder(self, path: Path) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            made = os.open(folder, _FOLDER)
            try:
                give_to_owner_of(folder.parent, made)
            finally:
                os.close(made)
            self.sync_folder(folder.parent)
        os.scandir(path).close()  # raises for a file in its place, or a folder closed to us

    @contextlib.contextmanager
    def locked(self, path: Path) -> Iterator[None]:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # It only orders two first starts: a file system without locks is no error.
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def read(self, path: Path) -> bytes | None:
        try:
            return read_small(path)
        except FileNotFoundError:
            return None

    def mode(self, path: Path) -> int:
        return path.stat().st_mode & 0o777

    def write(self, path: Path, data: bytes, mode: int) -> None:
        # With its mode from the start: other users can read it at no moment.
        with os.fdopen(os.open(path, _NEW_FILE, mode), "wb") as file:
            give_to_owner_of(path.parent, file.fileno())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def keep_owner(self, path: Path, beside: Path) -> None:
        # By descriptors: the folder's owner may put something else in the name's place meanwhile.
        with contextlib.suppress(OSError):  # there is no old file, or it is another user's
            old, fd = path.lstat(), os.open(beside, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb"):
                new = os.fstat(fd)
                if not (stat.S_ISREG(old.st_mode) and stat.S_ISREG(new.st_mode)):
                    return
                if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid) and new.st_nlink == 1:
                    os.fchown(fd, old.st_uid, old.st_gid)
                # never opened to all other users where a new file would not be
                others = stat.S_IRWXO & ~new.st_mode
                os.fchmod(fd, stat.S_IMODE(old.st_mode) & 0o777 & ~others)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def sync_folder(self, path: Path) -> None:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, path: Path) -> None:
        # On a read-only file system even removing nothing is refused.
        if os.path.lexists(path):
            path.unlink()


OS_FILES: Files = OsFiles()


def unfinished(path: Path) -> Path:
    """Where a file's next content is written before it takes the file's place."""
    return path.with_name(f".{path.name}.new")


def replace_file(files: Files, path: Path, data: bytes, mode: int) -> None:
    """Give a file new content atomically; it keeps its owner, group and mode.

    Args:
        files: does it.
        path: the file.
        data: its content.
        mode: of a file that is not there yet.

    Raises:
        OSError: the old content is still in place, or the new one is but may not be durable.
    """
    beside = unfinished(path)
    files.remove(beside)  # what a crash left half written
    with _renamed(files, beside, path):
        files.write(beside, data, mode)
        files.keep_owner(path, beside)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file for its owner only, written as a stream, that appears at `path` at the end.

    An error or an interrupt in the context leaves `path` as it was, and nothing beside it.

    Raises:
        OSError: as `replace_file`.
    """
    beside = path.with_name(f".{path.name[:99]}.{os.getpid()}.tmp")
    OS_FILES.remove(beside)  # of a process that crashed
    file = os.fdopen(os.open(beside, _NEW_FILE, 0o600), "wb")
    with _renamed(OS_FILES, beside, path), file:
        give_to_owner_of(path.parent, file.fileno())
        yield file
        file.flush()
        os.fsync(file.fileno())
        OS_FILES.keep_owner(path, beside)


@contextlib.contextmanager
def _renamed(files: Files, beside: Path, path: Path) -> Iterator[None]:
    """Rename a file that was written in the context, durably; remove it after an error."""
    try:
        yield
        files.rename(beside, path)
    except (Exception, KeyboardInterrupt):
        with contextlib.suppress(OSError):
            files.remove(beside)
        raise
    files.sync_folder(path.parent)
