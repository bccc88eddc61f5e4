"""A program: runs another one, with the event log on a disk that is slow, or that fails.

    on_odd_disk.py slow:MILLISECONDS PROGRAM …
    on_odd_disk.py failing:FILE:ERRNO PROGRAM …   while FILE exists, writes fail

PROGRAM is `serve` and its options, or a script and its arguments.
"""

import contextlib
import functools
import os
import runpy
import sys
import time
from typing import Any

import eventlog
from eventlog.disk import Disk, OsDisk
from nc.cli.main import main


class SlowDisk(OsDisk):
    """A disk that writes half, takes its time, and writes the rest: whoever looks may see half.

    On a fast disk a record is written before an answer could be read anywhere else, so that a kill
    would never show that the answer had come too early.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        """As the real one, in two steps."""
        half = len(data) // 2
        written = super().pwrite(fd, data[:half], offset)
        time.sleep(self._pause_s)
        return written + super().pwrite(fd, data[half:], offset + half)


class FailingDisk(OsDisk):
    """A disk on which no write succeeds while a file exists."""

    def __init__(self, file: str, error: int) -> None:
        self._file = file
        self._error = error

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        """As the real one, or an error."""
        if os.path.exists(self._file):  # noqa: PTH110 - looked at before each write
            raise OSError(self._error, os.strerror(self._error))
        return super().pwrite(fd, data, offset)


def disk_called(name: str) -> Disk:
    """The disk that the command line asks for."""
    kind, *numbers = name.split(":")
    if kind == "slow":
        return SlowDisk(int(numbers[0]) / 1000)
    return FailingDisk(numbers[0], int(numbers[1]))


if __name__ == "__main__":
    disk = disk_called(sys.argv[1])
    eventlog.open = functools.partial(eventlog.open, disk=disk)
    odd: Any = lambda _count: contextlib.nullcontext(disk)  # noqa: E731 - what a server opens
    eventlog.SparingDisk = odd  # type: ignore[misc]  # its disk is the odd one
    del sys.argv[:2]
    if sys.argv[0].endswith(".py"):
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        sys.argv.insert(0, "network-controller")
        main()
