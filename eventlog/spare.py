"""A disk with spare descriptors: a process that may open no more files still starts a segment.

A spare is closed to make place for a file, and the place becomes a spare again when that file is
closed, in one step, so that no other thread takes it. If another
thread is faster to take a place that was made, the next spare is closed.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from eventlog.disk import OsDisk

T = TypeVar("T")

_NONE_LEFT: Final = (errno.EMFILE, errno.ENFILE)


def _open_null() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


class SparingDisk(OsDisk):
    """The operating system's files, with `count` descriptors in reserve until the block ends."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._spare: list[int] = []  # several threads take from it, each in one step

    def __enter__(self) -> Self:
        self._null = _open_null()
        self._refill()
        return self

    def __exit__(self, *_: object) -> None:
        self._count = 0
        while self._give_one_up():
            pass
        os.close(self._null)

    def _refill(self) -> None:
        with suppress(OSError):
            while len(self._spare) < self._count:
                self._spare.append(_open_null())

    def _give_one_up(self) -> bool:
        with suppress(IndexError):
            os.close(self._spare.pop())
            return True
        return False

    def _with_place(self, call: Callable[[], T]) -> T:
        """Call, and again with a spare descriptor given up while there is no other."""
        while True:
            try:
                return call()
            except OSError as error:
                if error.errno not in _NONE_LEFT or not self._give_one_up():
                    raise

    def open(self, path: Path, /, *, write: bool = False, create: bool = False) -> int:
        return self._with_place(partial(super().open, path, write=write, create=create))

    def close(self, fd: int, /) -> None:
        if len(self._spare) < self._count:
            os.dup2(self._null, fd, inheritable=False)
            self._spare.append(fd)
        else:
            os.close(fd)

    def list(self, folder: Path, /) -> list[str]:
        try:
            return self._with_place(partial(super().list, folder))
        finally:
            self._refill()

    def sync_folder(self, folder: Path, /) -> None:
        try:
            self._with_place(partial(super().sync_folder, folder))
        finally:
            self._refill()
