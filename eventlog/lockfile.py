"""The lock: a log has one writer, and a writer that has lost the log notices.

The kernel keeps the lock (flock) and drops it with the process. But a lock file can be removed by a
careless hand, and there are network file systems whose locks do not hold. So each writer also
signs the file, and looks whether its signature still stands before it writes anything.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.errors import LogLocked, WriterReplaced
from eventlog.segments import opened, write_fully

__all__ = ["WriterLock"]

LOCK_NAME: Final = "lock"
_SIGNATURE_BYTES: Final = 8
_LONGEST_BYTES: Final = 64  # more than a process id and a signature take


class WriterLock:
    """The lock of a log's folder, held from the start until `release`.

    Args:
        disk: what the folder is on.
        folder: the log's.
        random_bytes: gives that many random bytes, for the signature.

    Raises:
        LogLocked: another writer has it.
        OSError: the disk fails.
    """

    def __init__(self, disk: Disk, folder: Path, random_bytes: Callable[[int], bytes]) -> None:
        self._disk = disk
        self._folder = folder
        self._path = folder / LOCK_NAME
        # Process id, for people; signature, so that two processes with one id differ.
        self._text = b"%d\n%s\n" % (os.getpid(), random_bytes(_SIGNATURE_BYTES).hex().encode())
        self._fd = disk.open(self._path, create=True)
        try:
            self._claim()
        except BaseException:
            disk.close(self._fd)
            raise

    def _claim(self) -> None:
        if not self._disk.lock(self._fd):
            holder = _pid(self._disk.pread(self._fd, _LONGEST_BYTES, 0))
            raise LogLocked(self._folder, holder)
        self._disk.truncate(self._fd, 0)
        write_fully(self._disk, self._fd, self._text, 0)

    def check(self) -> None:
        """See that the lock file is still the one that this writer signed.

        Raises:
            WriterReplaced: it is not.
            OSError: the disk fails.
        """
        try:
            with opened(self._disk, self._path) as fd:
                found = self._disk.pread(fd, _LONGEST_BYTES, 0)
        except FileNotFoundError:
            raise WriterReplaced(self._folder, "the lock file is gone") from None
        if found != self._text:
            pid = _pid(found)
            holder = "somebody" if pid is None else f"process {pid}"
            raise WriterReplaced(self._folder, f"{holder} has signed the lock file")

    def release(self) -> None:
        """Let the next writer in. The file stays: it says who was the last one."""
        self._disk.close(self._fd)


def _pid(text: bytes) -> int | None:
    """Whose process id a lock file has; None in the moment before it is written down."""
    first, *_ = text.split(b"\n")
    return int(first) if first.isdigit() else None
