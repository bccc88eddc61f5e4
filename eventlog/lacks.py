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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eventlog.errors import LogFull, LogLacking, SyncFailed

__all__ = ["PASSING", "ROOM", "lack_of", "refusing", "synced"]

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
    **dict.fromkeys(("lock", "rename", "unlink", "list", "make_folder"), _ANY),
}


def lack_of(log: Path, error: OSError | MemoryError) -> LogLacking | None:
    """The refusal for an error of an operation that syncs nothing; None if it does not pass."""
    if isinstance(error, MemoryError):
        return LogLacking(log, "no memory is left")
    if error.errno in ROOM:
        return LogFull(log, f"the disk has no room: {error}")
    return LogLacking(log, f"{error}") if error.errno in _ANY else None


@contextmanager
def refusing(log: Path) -> Iterator[None]:
    """Around operations that sync nothing: an error that passes becomes its refusal."""
    try:
        yield
    except (OSError, MemoryError) as error:
        lack = lack_of(log, error)
        if lack is None:
            raise
        raise lack from error


@contextmanager
def synced(path: Path, operation: str = "fsync") -> Iterator[None]:
    """Around the sync of a file or a folder: an error that does not pass becomes SyncFailed."""
    try:
        yield
    except OSError as error:
        if error.errno in PASSING[operation]:
            raise
        raise SyncFailed(path.parent, f"an fsync of {path.name} failed: {error}") from error
