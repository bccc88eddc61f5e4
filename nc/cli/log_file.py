"""The file of log lines in `logDir`: reopened after it was moved, and bounded in size.

logrotate may rename it, with or without a SIGHUP afterwards, or copy and truncate it. Without
logrotate it is moved to `….log.1` at MAX_BYTES, and that to `….log.2`, up to KEPT_FILES.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from nc.data_folder import DataFolderError
from nc.files import give_to_owner_of

FILE_NAME: Final = "network-controller.log"

# A call is a line of some 300 bytes: this is several days of ten calls a second, and a disk that
# the files do not fill.
MAX_BYTES: Final = 64 * 1024 * 1024
KEPT_FILES: Final = 5

# Appending, so that a file that another program truncates has no hole. A link that somebody put
# there is not followed.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class LogFile:
    """Written in batches of lines. While it cannot be reopened the old one is used.

    Raises:
        DataFolderError: it cannot be written.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> None:
        self._path = folder / FILE_NAME
        self._max_bytes = max_bytes
        self._kept = kept
        self._is_torn = False  # the last line is not whole: none may begin behind it
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = self._open()
        except OSError as error:
            raise DataFolderError(
                f"logDir {folder} cannot be written: {error.strerror}; choose another"
            ) from error

    def write(self, text: str) -> None:
        """Append to the file that has the name now; raises OSError."""
        if self._was_moved():
            self.reopen()
        data = memoryview((b"\n" if self._is_torn else b"") + text.encode())
        while data:
            data = data[os.write(self._fd, data) :]
            self._is_torn = bool(data)  # a full disk takes a part of it
        if os.fstat(self._fd).st_size >= self._max_bytes and not self._was_moved():
            self._rotate()

    def reopen(self) -> None:
        """Open the file by its name again."""
        with contextlib.suppress(OSError):
            fd, old = self._open(), self._fd
            self._fd, self._is_torn = fd, False
            os.close(old)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        return False

    def _open(self) -> int:
        with contextlib.suppress(FileExistsError):
            fd = os.open(self._path, _FLAGS | os.O_EXCL, 0o644)
            give_to_owner_of(self._path.parent, fd)
            return fd
        return os.open(self._path, _FLAGS, 0o644)

    def _was_moved(self) -> bool:
        try:
            return not os.path.samestat(self._path.lstat(), os.fstat(self._fd))
        except OSError:
            return True

    def _rotate(self) -> None:
        with contextlib.suppress(OSError):
            for number in range(self._kept - 1, 0, -1):
                older = self._numbered(number)
                if older.exists():
                    older.replace(self._numbered(number + 1))
            self._path.replace(self._numbered(1))
        self.reopen()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{FILE_NAME}.{number}")
