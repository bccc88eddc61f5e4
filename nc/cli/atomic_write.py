"""A file that is there as a whole or not at all: written beside its place, synced, then renamed."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nc.cli.entrypoint import OperationFailed
from nc.files import new_file


@contextmanager
def whole_file(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """A new file for its owner only, which gets its name when everything is in it.

    Args:
        path: where it goes.
        replace: also if there is a file; a device or a link is never replaced.

    Raises:
        OperationFailed: there is one, or it cannot be written; nothing is left behind.
    """
    with suppress(OSError):  # nothing there, or nothing that can be written: seen below
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
