"""Replaced files keep owner, group and mode; what root makes belongs to the folder's owner."""

import os
import stat
from pathlib import Path

import pytest

import eventlog
from nc.files import OS_FILES, new_file, replace_file

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def attributes(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.mark.parametrize(
    ("before", "made", "after"),
    [(0o640, 0o600, 0o640), (0o600, 0o644, 0o600), (0o644, 0o600, 0o640), (0o664, 0o644, 0o664)],
)
def test_a_replaced_file_keeps_its_mode(tmp_path: Path, before: int, made: int, after: int) -> None:
    """But never becomes readable for all where a new one would not be."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(before)
    replace_file(OS_FILES, path, b"new", made)
    assert path.read_bytes() == b"new"
    assert attributes(path)[2] == after


@AS_ROOT
def test_a_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    """By both writers, in a folder of another user's."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 4711, 4712)
    replace_file(OS_FILES, path, b"new", 0o600)
    assert attributes(path)[:2] == (4711, 4712)
    with new_file(path) as file:
        file.write(b"newer")
    assert attributes(path)[:2] == (4711, 4712)


@AS_ROOT
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    """Files, folders, and everything in a log: its service is not locked out."""
    os.chown(tmp_path, 4711, 4712)
    OS_FILES.make_folder(tmp_path / "a" / "b")
    replace_file(OS_FILES, tmp_path / "a" / "b" / "file", b"new", 0o600)
    log = eventlog.open(tmp_path / "log", segment_size_bytes=500)
    for seq in range(3):
        log.append(b"x" * 300, 1, seq)
    snapshot = log.snapshots.begin(log.write_sync_marker(), 1)
    snapshot.write(b"state")
    snapshot.finish()
    log.close()
    made = [path for path in tmp_path.rglob("*") if path != tmp_path]
    assert len(made) >= 8
    assert {attributes(path)[:2] for path in made} == {(4711, 4712)}


def test_the_lock_of_a_log_is_no_link(tmp_path: Path) -> None:
    """A link in its place is refused, and what it leads to stays as it is."""
    (tmp_path / "log").mkdir()
    (tmp_path / "other").write_bytes(b"kept")
    (tmp_path / "log" / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(eventlog.LogUnavailable, match="symbolic link"):
        eventlog.open(tmp_path / "log")
    assert (tmp_path / "other").read_bytes() == b"kept"
