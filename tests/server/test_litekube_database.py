"""An upstream database is read whole, as it is, and never written."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nc.server.litekube.database import DatabaseInUse, DatabaseUnusable, read_database
from tests.support.upstream_server import write_database

ROWS = [("a" * 16, "10.1.1.3"), ("b" * 16, None)]


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.is_file()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    database = tmp_path / "db" / "litekube-nc.db"
    write_database(database, ROWS, [("c" * 16, "-1")])
    return database


def test_processes_that_end_meanwhile_are_passed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has the database open is searched for among processes that come and go."""

    def listing(listed: Callable[..., Any]) -> Callable[..., Any]:
        def of(folder: Any) -> Any:
            if str(folder).endswith("/fd"):
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), str(folder))
            return listed(folder)

        return of

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, listing(getattr(os, name)))
    assert read_database(path, may_be_in_use=False).used_by == ""


def test_all_rows_are_read_and_nothing_is_written(path: Path) -> None:
    """Also where the files and the folder are read-only."""
    path.chmod(0o400)
    path.parent.chmod(0o500)
    before = files(path.parent)
    read = read_database(path, may_be_in_use=False)
    assert [row[1:] for row in read.nodes] == [("reserverd", "10.1.1.1"), *ROWS]
    assert [row[1:] for row in read.tokens] == [("c" * 16, "-1")]
    assert read_database(path, may_be_in_use=False) == read
    assert files(path.parent) == before
    path.parent.chmod(0o700)


# Writes, and ends without a word to SQLite, as in a crash.
CRASH = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
os.kill(os.getpid(), 9)
"""


def crash(path: Path, *statements: str) -> None:
    subprocess.run([sys.executable, "-c", CRASH, str(path), *statements], check=False)


def test_what_a_crash_left_in_the_write_ahead_log_counts(path: Path) -> None:
    """It is committed, though not in the file itself; the hash is of both."""
    before = read_database(path, may_be_in_use=False)
    crash(path, "PRAGMA journal_mode=WAL", "INSERT INTO network_mgr (token) VALUES ('late')")
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0
    left = files(path.parent)
    read = read_database(path, may_be_in_use=False)
    assert [row[1] for row in read.nodes] == ["reserverd", "a" * 16, "b" * 16, "late"]
    assert read.sha256 != before.sha256
    link = path.parent.parent / "link.db"
    link.symlink_to(path)
    assert read_database(link, may_be_in_use=False).nodes == read.nodes
    assert files(path.parent) == left


def test_what_a_crash_left_uncommitted_is_rolled_back(path: Path) -> None:
    """The journal beside the file undoes what was written of a transaction."""
    crash(
        path,
        "PRAGMA cache_size=1",
        "BEGIN IMMEDIATE",
        "UPDATE network_mgr SET token = 'changed'",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "INSERT INTO network_mgr (token, bind_ip) SELECT 'new', hex(randomblob(200)) FROM n",
    )
    assert path.with_name(f"{path.name}-journal").exists()
    assert b"changed" in path.read_bytes()
    left = files(path.parent)
    read = read_database(path, may_be_in_use=False)
    assert [row[1:] for row in read.nodes] == [("reserverd", "10.1.1.1"), *ROWS]
    assert files(path.parent) == left


def _not_sqlite(path: Path) -> None:
    path.write_text("mode: server\n" * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _change(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(statement)
        connection.close()

    return change


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (Path.unlink, "cannot be read: No such file"),
        (_not_sqlite, "is not an SQLite database"),
        (_empty, "is not an SQLite database"),
        (_cut, "is damaged"),
        (_folder, "is not an SQLite database"),
        (_pipe, "is not an SQLite database"),
        (_change("DROP TABLE token_mgr"), "has no table token_mgr"),
        (_change("DROP TABLE network_mgr"), "has no table network_mgr"),
        (_change("ALTER TABLE network_mgr DROP COLUMN bind_ip"), "has no column bind_ip"),
        (_change("ALTER TABLE token_mgr RENAME COLUMN token TO t"), "has no column token in token"),
    ],
)
def test_another_file_is_refused(path: Path, spoil: Callable[[Path], None], says: str) -> None:
    """With one line that names the file and says what is expected."""
    spoil(path)
    with pytest.raises(DatabaseUnusable, match=says) as refused:
        read_database(path, may_be_in_use=False)
    assert str(path) in str(refused.value)


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2]).fetchall()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("statement", "may_be_read"), [("SELECT * FROM token_mgr", True), ("BEGIN EXCLUSIVE", False)]
)
def test_a_database_that_is_in_use_is_refused(
    path: Path, statement: str, may_be_read: bool
) -> None:
    """The process is named; a dry run reads it all the same, unless it is being written."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), statement],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        with pytest.raises(DatabaseInUse, match=f"process {holder.pid} .*stop the upstream server"):
            read_database(path, may_be_in_use=False)
        if may_be_read:
            assert f"process {holder.pid} " in read_database(path, may_be_in_use=True).used_by
        else:
            with pytest.raises(DatabaseInUse, match="is locked"):
                read_database(path, may_be_in_use=True)
        holder.communicate()
    assert read_database(path, may_be_in_use=False).used_by == ""


def test_texts_that_are_not_utf_8_are_read(path: Path) -> None:
    """They are no tokens, which the plan says; reading goes on."""
    _change("INSERT INTO network_mgr (token) VALUES (CAST(x'ff61' AS TEXT))")(path)
    assert read_database(path, may_be_in_use=False).nodes[-1][1] == "\udcffa"


def test_the_copy_is_closed_to_others_and_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds tokens."""
    folder = path.parent.parent / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    modes: list[int] = []
    connect = sqlite3.connect

    def noting(database: Path) -> sqlite3.Connection:
        modes.append(stat.S_IMODE(database.parent.stat().st_mode))
        return connect(database)

    monkeypatch.setattr("nc.server.litekube.database.sqlite3.connect", noting)
    read_database(path, may_be_in_use=False)
    assert modes == [0o700]
    assert list(folder.iterdir()) == []
