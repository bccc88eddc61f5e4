"""The few file operations that a certificate folder needs, as a protocol, and the real ones.

A file is replaced in three steps, each an operation of its own so that tests can stop between any
two: write a new file beside it and fsync it, rename it over the old one, fsync the folder.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

FOLDER_MODE = 0o700  # for the one user that runs the controller
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Disk(Protocol):
    """What can be done to a folder of certificates; everything may raise OSError."""

    def make_folder(self, path: Path) -> None:
        """Make a folder, and those above it, durably and closed to others; one may exist."""

    def locked(self, path: Path) -> AbstractContextManager[None]:
        """Keep other processes from opening the same folder until the context ends."""

    def read(self, path: Path) -> bytes | None:
        """Give a file's content, or None where there is no such file."""

    def mode(self, path: Path) -> int:
        """Give the permission bits of a file."""

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Make a new file with this content, durably; none may exist there."""

    def rename(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target`, all at once."""

    def sync_folder(self, path: Path) -> None:
        """Make the renames in a folder durable."""

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""


class RealDisk:
    """The operating system's files."""

    def make_folder(self, path: Path) -> None:
        """Make each missing folder from the top down, each durable in the one above it."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            self.sync_folder(folder.parent)
        os.scandir(path).close()  # a file in its place, or a folder closed to us, speaks up here

    @contextlib.contextmanager
    def locked(self, path: Path) -> Iterator[None]:
        """Hold the folder's flock: the system lets go of it when a process dies."""
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # It only orders two first starts; a file system without locks is no reason to stop.
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def read(self, path: Path) -> bytes | None:
        """Read it whole; these files are a few kilobytes."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def mode(self, path: Path) -> int:
        """Follow links: what counts is who can read the content."""
        return path.stat().st_mode & 0o777

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Create with the mode at once, so that no moment exists in which others can read it."""
        with os.fdopen(os.open(path, _NEW_FILE, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Rename within one file system."""
        source.replace(target)

    def sync_folder(self, path: Path) -> None:
        """Fsync the folder itself."""
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, path: Path) -> None:
        """Look first: on a read-only file system even removing nothing is refused."""
        if os.path.lexists(path):
            path.unlink()


REAL_DISK: Disk = RealDisk()


def unfinished(path: Path) -> Path:
    """Where a file's next content is written before it takes the file's place."""
    return path.with_name(f".{path.name}.new")


def replace_file(disk: Disk, path: Path, data: bytes, mode: int) -> None:
    """Give a file new content, so that a crash leaves the old or the new and nothing between.

    Raises:
        OSError: the old content is still in place, or the new one is but may not be durable.
    """
    beside = unfinished(path)
    disk.remove(beside)  # what a crash left half written
    try:
        disk.write(beside, data, mode)
        disk.rename(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            disk.remove(beside)
        raise
    disk.sync_folder(path.parent)
