"""The lock: a log has one writer, and a writer that has lost the log notices.

The kernel keeps the lock (flock) and drops it with the process. But a lock file can be removed by a
program or a person, and the locks of some network file systems do not hold. So each writer also
writes a signature into the file. Before each write to the log, it compares the file at the path
with the one that it holds open, and reads the signature in it.

The check opens no file: a process that has no descriptor left, as when many clients connect, can
still write to its log.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.errors import LogLocked, WriterReplaced
from eventlog.lacks import refusing
from eventlog.segments import close, opened, write_fully

LOCK_NAME: Final = "lock"
_SIGNATURE_BYTES: Final = 8
_LONGEST_BYTES: Final = 64  # more than a process id and a signature take
_GONE: Final = (errno.ENOENT, errno.ENOTDIR)


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
            close(disk, self._fd)
            raise

    def _claim(self) -> None:
        if not self._disk.lock(self._fd):
            holder = _pid(self._disk.pread(self._fd, _LONGEST_BYTES, 0))
            raise LogLocked(self._folder, holder)
        self._disk.truncate(self._fd, 0)
        write_fully(self._disk, self._fd, self._text, 0)

    def check(self) -> None:
        """Check that the lock file is still the one that this writer holds and signed.

        Raises:
            WriterReplaced: it is not.
            LogLacking: that cannot be known now; nothing was written.
            OSError: the disk fails.
        """
        try:
            with refusing(self._folder):
                is_ours = self._disk.is_at(self._fd, self._path)
                found = self._disk.pread(self._fd, _LONGEST_BYTES, 0) if is_ours else b""
        except OSError as error:
            if error.errno in _GONE:
                raise WriterReplaced(self._folder, "the lock file is gone") from None
            raise
        if not is_ours:
            found = self._read_other()
        if not is_ours or found != self._text:
            pid = _pid(found)
            holder = "another process" if pid is None else f"process {pid}"
            raise WriterReplaced(self._folder, f"{holder} has signed the lock file")

    def _read_other(self) -> bytes:
        """The content of the file that replaced the lock file; empty if it cannot be read."""
        try:
            with opened(self._disk, self._path) as fd:
                return self._disk.pread(fd, _LONGEST_BYTES, 0)
        except OSError:
            return b""

    def release(self) -> None:
        """Release the lock. The file stays, with the process id of its last writer."""
        close(self._disk, self._fd)


def _pid(text: bytes) -> int | None:
    """The process id in a lock file; None until it has been written."""
    first, *_ = text.split(b"\n")
    return int(first) if first.isdigit() else None
