"""Reads an upstream server's database, which is SQLite.

A copy is read, since what a crash left (`-wal`, `-journal`) has to be applied, and the original
must not be written. SQLite's lock is held while it is copied, so that no writer changes it.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from nc.errors import OperatorError
from nc.text import printable

NODES: Final = "network_mgr"
TOKENS: Final = "token_mgr"
_COLUMNS: Final = {NODES: ("id", "token", "bind_ip"), TOKENS: ("id", "token", "expire_time")}

_MAGIC: Final = b"SQLite format 3\0"
# Files beside it: what a crash or a running server has not brought into the file itself.
_BESIDE: Final = ("-wal", "-journal")
# The bytes whose locks are SQLite's, from its pending byte on (sqlite.org/lockingv3.html).
_LOCKS_AT: Final = 0x40000000
_LOCKS: Final = 512


class DatabaseUnusable(OperatorError):
    """The database cannot be read, or is not an upstream server's."""


class DatabaseInUse(DatabaseUnusable):
    """Another process has the database open."""


@dataclass(frozen=True, slots=True)
class UpstreamDatabase:
    """What a database holds; the values as SQLite gives them, of any type.

    Attributes:
        sha256: hex, of the files that were read.
        nodes: id, token and address of each row.
        tokens: id, token and expiry of each row.
        used_by: the process that has it open, for people; "": none is known.
    """

    path: Path
    sha256: str
    nodes: tuple[tuple[Any, Any, Any], ...]
    tokens: tuple[tuple[Any, Any, Any], ...]
    used_by: str


def read_database(path: Path, *, may_be_in_use: bool) -> UpstreamDatabase:
    """Read a whole database.

    Raises:
        DatabaseInUse: a process writes to it, or has it open and it may not be in use.
        DatabaseUnusable: it cannot be read, is not SQLite, is damaged, or lacks a table or column.
    """
    used_by = _require_file(path)
    if used_by and not may_be_in_use:
        raise DatabaseInUse(
            f"{path} is open in {used_by}, and what it writes later would be lost; stop the "
            "upstream server, then import"
        )
    with tempfile.TemporaryDirectory(prefix="import-litekube-") as folder:  # for its owner only
        copy = Path(folder, "copy.db")
        try:
            digest = _copied(path, copy)
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            with contextlib.closing(sqlite3.connect(copy)) as connection:
                nodes, tokens = _rows(connection, path)
        except sqlite3.Error as error:
            raise DatabaseUnusable(
                f"{path} is damaged, or was written while it was read: {printable(str(error))}; "
                "stop the upstream server, or take the file from a backup"
            ) from error
    return UpstreamDatabase(path, digest, nodes, tokens, used_by)


def _require_file(path: Path) -> str:
    """Check that it is an SQLite file; returns who has it open."""
    try:
        found = path.stat()
        magic = b""
        if stat.S_ISREG(found.st_mode):  # reading a pipe would wait
            with path.open("rb") as file:
                magic = file.read(len(_MAGIC))
    except (OSError, ValueError) as error:  # a NUL in the name
        raise _unreadable(path, error) from error
    if magic != _MAGIC:
        raise DatabaseUnusable(
            f"{path} is not an SQLite database; name the upstream server's, db/litekube-nc.db in "
            "its work folder"
        )
    return _user_of(found)


def _user_of(file: os.stat_result) -> str:
    """The process that has a file open, as far as this user may see it: `process 17 (name)`."""
    with contextlib.suppress(OSError):  # there is no /proc
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # it has ended, or is another user's
                pid = process.name
                if pid.isdecimal() and int(pid) != os.getpid() and _has_open(process, file):
                    name = (process / "comm").read_text(encoding="utf-8", errors="replace")
                    return f"process {pid} ({printable(name.strip())})"
    return ""


def _has_open(process: Path, file: os.stat_result) -> bool:
    """Whether a process, by its folder of /proc, has a file open; raises OSError."""
    for fd in (process / "fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed
            if os.path.samestat(fd.stat(), file):
                return True
    return False


def _copied(path: Path, copy: Path) -> str:
    """Copy a database, with what belongs to it; returns the hash of all of it."""
    # What is beside it lies where a link leads to.
    with _locked(path) as file, copy.open("wb") as target:
        shutil.copyfileobj(file, target)  # another descriptor would end the lock when it is closed
        for suffix in _BESIDE:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{path.resolve()}{suffix}", f"{copy}{suffix}")
    digest = sha256()
    for suffix in ("", *_BESIDE):
        with contextlib.suppress(FileNotFoundError), Path(f"{copy}{suffix}").open("rb") as copied:
            while part := copied.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The open file, with a lock that keeps other processes from writing to it."""
    with path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, _LOCKS, _LOCKS_AT)
        except (BlockingIOError, PermissionError) as error:  # EAGAIN or EACCES: it is locked
            raise DatabaseInUse(
                f"{path} is locked: a process writes to it; stop the upstream server, then import"
            ) from error
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):  # a file system without locks
                raise
        yield file


def _rows(connection: sqlite3.Connection, path: Path) -> Any:
    """The rows of both tables, in the order of their ids."""
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    (checked,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if checked != "ok":
        raise sqlite3.DatabaseError(checked)
    return tuple(_table(connection, path, name) for name in (NODES, TOKENS))


def _table(connection: sqlite3.Connection, path: Path, name: str) -> tuple[Any, ...]:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
    missing = [column for column in _COLUMNS[name] if column not in columns]
    if missing:
        what = f"table {name}" if not columns else f"column {', '.join(missing)} in {name}"
        raise DatabaseUnusable(
            f"{path} has no {what}: it is not the database of an upstream server that is known "
            "here; name db/litekube-nc.db in its work folder"
        )
    select = f"SELECT {', '.join(_COLUMNS[name])} FROM {name} ORDER BY id"  # noqa: S608 - constants
    return tuple(connection.execute(select))


def _unreadable(path: Path, error: OSError | ValueError) -> DatabaseUnusable:
    reason = getattr(error, "strerror", None) or str(error)
    return DatabaseUnusable(
        f"database {path} cannot be read: {reason}; name the upstream server's with --db, and run "
        "this as a user that may read it"
    )
