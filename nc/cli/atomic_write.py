"""Atomic writing: a temporary file beside the target, synced, then renamed to it."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nc.cli.entrypoint import OperationFailed
from nc.files import new_file


@contextmanager
def whole_file(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Write a new file, readable by its owner only, that gets its name once it is complete.

    Args:
        path: where it goes.
        replace: also if there is a file; a device or a link is never replaced.

    Raises:
        OperationFailed: there is one, or it cannot be written; nothing is left behind.
    """
    with suppress(OSError):  # missing or not accessible: opening it reports that
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OperationFailed(
                f"{path} is there, and is no regular file: name another, or --out - for the "
                "standard output"
            )
        if not replace:
            raise OperationFailed(f"{path} is there already: name another file, or give --force")
    try:
        with new_file(path) as file:
            yield file
    except OSError as error:
        raise OperationFailed(f"{path} cannot be written: {error.strerror}") from error
