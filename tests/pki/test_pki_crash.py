"""Crashes: at every operation of every opening, by every kind of loss.

Invariants, checked after each crash and the opening that follows it:

    1. the next opening succeeds
    2. the folder is then consistent: the leaves are the CA's, match their keys, have all names
    3. a CA certificate that was on the disk is still the same
    4. a key that was on the disk is still there: the CA's under its name, others under any
    5. no name that the server certificate had is lost
    6. nothing half written is left, and a third opening finds nothing to do
"""

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.files import OsFiles
from nc.pki.certificates import AuthorityKind
from nc.pki.errors import FolderUnusable
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.names import general_names
from nc.pki.pem import load_certificates, load_private_key, private_key_pem
from nc.pki.renewal import names_of

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
NAMES = ("localhost", "192.0.2.7")
MORE_NAMES = (*NAMES, "nc.example.com")
SERIALS = itertools.count(1)
KEYS = ("ca-key.pem", "server-key.pem", "client-key.pem")


class Crash(BaseException):
    """The power went: no handler runs."""


class CrashingFiles(OsFiles):
    """A disk that stops at one of its operations, and forgets what was not made durable.

    Args:
        at: which operation fails, from 0.
        stop: what it raises.
        done: how much of that operation happens before: 0 nothing, 0.5 half of a write, 1 all.
        forgets: the oldest rename that no sync of the folder has followed is undone.
    """

    def __init__(self, at: int, stop: BaseException, *, done: float, forgets: bool) -> None:
        self.operations = 0
        self.at = at
        self.stop = stop
        self.done = done
        self.forgets = forgets
        self.undo: list[Callable[[], object]] = []
        self.is_distinct = False  # with other choices it would not be the same crash

    def _operation(
        self, happen: Callable[[], object], half: Callable[[], object] | None = None
    ) -> None:
        number, self.operations = self.operations, self.operations + 1
        if number != self.at:
            happen()
            return
        if self.done == 1:
            happen()
        elif self.done and half is not None:
            half()
        self.is_distinct = half is not None or self.done in {0, 1}
        if self.forgets:
            self.is_distinct = self.is_distinct and bool(self.undo)
            if self.undo:
                self.undo[0]()
        raise self.stop

    def make_folder(self, path: Path) -> None:
        """Make a folder, as one operation."""
        self._operation(lambda: super(CrashingFiles, self).make_folder(path))

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Write a file, or half of it."""

        def write(size: int) -> None:
            super(CrashingFiles, self).write(path, data[:size], mode)

        self._operation(lambda: write(len(data)), lambda: write(len(data) // 2))

    def rename(self, source: Path, target: Path) -> None:
        """Rename, and remember how to undo it."""

        def rename() -> None:
            old = target.read_bytes() if target.exists() else None
            super(CrashingFiles, self).rename(source, target)
            self.undo.append(lambda: target.unlink() if old is None else target.write_bytes(old))

        self._operation(rename)

    def sync_folder(self, path: Path) -> None:
        """Make every rename so far durable."""

        def sync() -> None:
            super(CrashingFiles, self).sync_folder(path)
            self.undo.clear()

        self._operation(sync)


def opened(path: Path, now: datetime, files: OsFiles) -> PkiFolder:
    """Open the folder with more names than before."""
    return open_folder(path, AuthorityKind.GRPC, MORE_NAMES, now, SERIALS.__next__, files=files)


def contents(path: Path) -> dict[str, bytes]:
    """Give every file's bytes; none if there is no folder."""
    return {f.name: f.read_bytes() for f in path.iterdir()} if path.exists() else {}


def assert_recovers(path: Path, now: datetime, before: dict[str, bytes]) -> None:
    """Check the invariants; `before` is the folder before the opening that crashed."""
    crashed = contents(path)
    folder = opened(path, now, OsFiles())
    after = contents(path)
    for earlier in (before, crashed):
        for name in ("ca.pem", "ca-key.pem"):
            assert earlier.get(name) in (None, after[name]), name
        for name in KEYS:
            assert earlier.get(name) in (None, *after.values()), name
    paths = folder.paths
    ca = folder.authority.certificate
    for file, key in ((paths.server, paths.server_key), (paths.client, paths.client_key)):
        [leaf] = load_certificates(file.read_bytes())
        leaf.verify_directly_issued_by(ca)
        assert leaf.public_key() == load_private_key(key.read_bytes()).public_key()
        assert leaf.not_valid_after_utc > now
    had = names_of(load_certificates(before["server.pem"])[0]) if "server.pem" in before else ()
    names = names_of(load_certificates(after["server.pem"])[0])
    assert {*had, *general_names(MORE_NAMES)} == set(names)
    assert not [name for name in after if name.startswith(".")]
    assert opened(path, now, OsFiles()).made == ()


def _start_empty(path: Path) -> None:
    path.rmdir()


def _start_complete(path: Path) -> None:
    open_folder(path, AuthorityKind.GRPC, NAMES, NOW, SERIALS.__next__)


def _start_without(*names: str) -> Callable[[Path], None]:
    def start(path: Path) -> None:
        _start_complete(path)
        for name in names:
            (path / name).unlink()

    return start


def _start_mismatched(path: Path) -> None:
    _start_complete(path)
    for name in ("server-key.pem", "client-key.pem"):
        (path / name).write_bytes(private_key_pem(ec.generate_private_key(ec.SECP256R1())))


STARTS = {
    "empty": (_start_empty, 0),
    "a name is missing": (_start_complete, 0),
    "expired": (_start_complete, 400),
    "keys do not match": (_start_mismatched, 0),
    "no keys of leaves": (_start_without("server-key.pem", "client-key.pem"), 0),
    "no leaves": (_start_without("server.pem", "client.pem"), 0),
    "no CA certificate": (_start_without("ca.pem"), 0),
    "no CA": (_start_without("ca.pem", "ca-key.pem"), 0),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("forgets", [False, True], ids=["keeps", "forgets"])
@pytest.mark.parametrize("done", [0, 0.5, 1], ids=["before", "halfway", "after"])
def test_whatever_a_crash_leaves_the_next_opening_completes(
    tmp_path: Path, start: str, forgets: bool, done: float
) -> None:
    """A crash at operation k, for every k until none is left, breaks none of the invariants."""
    begin, days = STARTS[start]
    now = NOW + timedelta(days=days)
    original = tmp_path / "original"
    original.mkdir()
    begin(original)
    for at in itertools.count():
        path = tmp_path / f"crash-{at}" / "grpc"
        path.parent.mkdir()
        if original.exists():
            shutil.copytree(original, path)
        before = contents(path)
        files = CrashingFiles(at, Crash(), done=done, forgets=forgets)
        with contextlib.suppress(Crash):
            opened(path, now, files)
            break
        if files.is_distinct:
            assert_recovers(path, now, before)
    assert files.operations == at >= 4
    assert not files.undo, "what an opening did is durable when it returns"


@pytest.mark.parametrize("start", STARTS)
def test_whatever_a_failed_write_leaves_the_next_opening_completes(
    tmp_path: Path, start: str
) -> None:
    """An I/O error at operation k is one clear error, and breaks none of the invariants either."""
    begin, days = STARTS[start]
    now = NOW + timedelta(days=days)
    for at in itertools.count():
        path = tmp_path / f"failure-{at}"
        path.mkdir()
        begin(path)
        before = contents(path)
        failure = OSError(errno.EIO, os.strerror(errno.EIO))
        files = CrashingFiles(at, failure, done=0.5, forgets=False)
        try:
            opened(path, now, files)
        except FolderUnusable as error:
            assert error.__cause__ is failure  # noqa: PT017 - the last round raises nothing
        else:
            break
        assert not [name for name in contents(path) if name.startswith(".")]
        assert_recovers(path, now, before)
    assert at >= 4
