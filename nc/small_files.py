"""Reads files that an operator names, or that lie in a folder of ours, within bounds.

A configuration, a certificate, a key and a state file are small and regular. Anything else in such
a place (a pipe, a device, a folder, a file of gigabytes) is an OSError at once, whose `strerror`
says what is wrong: memory and time are bounded whatever is there. Links are followed.
"""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, Final

SMALL_FILE_BYTES: Final = 1024 * 1024  # more than any bundle of certificates

_KINDS: Final = (
    (stat.S_ISDIR, errno.EISDIR, "it is a folder"),
    (stat.S_ISFIFO, errno.EINVAL, "it is a pipe"),
    (stat.S_ISCHR, errno.EINVAL, "it is a device"),
    (stat.S_ISBLK, errno.EINVAL, "it is a device"),
    (stat.S_ISSOCK, errno.EINVAL, "it is a socket"),
)


def read_small(
    path: Path, limit_bytes: int = SMALL_FILE_BYTES, *, may_be_pipe: bool = False
) -> bytes:
    """A whole file.

    Args:
        path: its name.
        limit_bytes: how much it may hold.
        may_be_pipe: whether a pipe is read too, which may wait for its other end.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is no regular file, too large, or refused by the operating system.
    """
    try:
        _require_regular(path, path.stat().st_mode, may_be_pipe=may_be_pipe)
    except ValueError:  # what `stat` makes of a NUL
        raise OSError(errno.EINVAL, "its name holds a NUL character", str(path)) from None
    # Without O_NONBLOCK a pipe that takes the file's place right now could be waited for.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | (0 if may_be_pipe else os.O_NONBLOCK)
    with os.fdopen(os.open(path, flags), "rb") as file:
        _require_regular(path, os.fstat(file.fileno()).st_mode, may_be_pipe=may_be_pipe)
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(errno.EFBIG, f"it has more than {limit_bytes:,} bytes", str(path))
    return data


def _require_regular(path: Path, mode: int, *, may_be_pipe: bool) -> None:
    if may_be_pipe and stat.S_ISFIFO(mode):
        return
    for is_kind, number, what in _KINDS:
        if is_kind(mode):
            raise OSError(number, f"{what}, and a regular file is expected", str(path))


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        OSError: as `read_small`.
        ValueError: it is no JSON, or nested too deeply, or no object.
    """
    data = read_small(path)
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - of the content, not an argument
    return value
