"""Which errors pass: nothing happened, the append is refused, and a later one may succeed.

    operation                     passes                                      the writer stops
    fdatasync, fsync              none                                        any error
    sync_folder                   EMFILE, ENFILE (it opens the folder)        any other
    close                         any: what matters was synced before         none
    every other                   room, resources, rights (the sets below)    any other

Where the writer stops, the outcome of a write is unknown: EIO may have left half of it. A record
that was written in part passes as well: it is cut off again before the next one is written.
"""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from eventlog.errors import LogFull, LogLacking, SyncFailed

# The disk, a quota, or the largest size of a file.
ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Descriptors of the process or the machine, memory, a call that a signal ended before it began.
_RESOURCES: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.EINTR}
)

# A file system that was made read-only, a folder whose owner or mode was changed.
_RIGHTS: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

_ANY: Final = ROOM | _RESOURCES | _RIGHTS

PASSING: Final[Mapping[str, frozenset[int]]] = {
    "fdatasync": frozenset(),
    "fsync": frozenset(),
    "sync_folder": frozenset({errno.EMFILE, errno.ENFILE}),
    "close": frozenset(errno.errorcode),
    **dict.fromkeys(
        ("open", "size", "is_at", "pread", "pwrite", "fallocate", "truncate", "clear"), _ANY
    ),
    **dict.fromkeys(("lock", "rename", "unlink", "list", "make_folder", "remove_folder"), _ANY),
}


def lack_of(log: Path, error: OSError | MemoryError) -> LogLacking | None:
    """The refusal for an error of an operation that syncs nothing; None if it does not pass."""
    if isinstance(error, MemoryError):
        return LogLacking(log, "no memory is left")
    if error.errno in ROOM:
        return LogFull(log, f"the disk has no room: {error}")
    return LogLacking(log, f"{error}") if error.errno in _ANY else None


# These two are around every write: as classes they take a third of a generator's time.


class refusing:  # noqa: N801 - used like a function
    """Around operations that sync nothing: an error that passes becomes its refusal."""

    __slots__ = ("_log",)

    def __init__(self, log: Path) -> None:
        self._log = log

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError | MemoryError):
            lack = lack_of(self._log, error)
            if lack is not None:
                raise lack from error


class synced:  # noqa: N801 - used like a function
    """Around the sync of a file or a folder: an error that does not pass becomes SyncFailed."""

    __slots__ = ("_operation", "_path")

    def __init__(self, path: Path, operation: str = "fsync") -> None:
        self._path = path
        self._operation = operation

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError) and error.errno not in PASSING[self._operation]:
            path = self._path
            raise SyncFailed(path.parent, f"an fsync of {path.name} failed: {error}") from error
