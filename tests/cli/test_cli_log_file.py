"""The file of log lines: moved, truncated or too large, no line is lost and none is doubled."""

import errno
import os
import stat
from pathlib import Path

import pytest

from nc.cli.log_file import FILE_NAME, LogFile
from nc.data_folder import DataFolderError

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def test_a_renamed_file_is_followed_by_a_new_one(tmp_path: Path) -> None:
    """What logrotate does by default, with or without a reopening afterwards."""
    file = LogFile(tmp_path)
    file.write("one\n")
    (tmp_path / FILE_NAME).rename(tmp_path / "moved")
    file.write("two\n")
    (tmp_path / FILE_NAME).rename(tmp_path / "moved.2")
    file.reopen()
    file.write("three\n")
    found = [(tmp_path / name).read_text() for name in ("moved", "moved.2", FILE_NAME)]
    assert found == ["one\n", "two\n", "three\n"]


def test_a_truncated_file_has_no_hole(tmp_path: Path) -> None:
    """What logrotate's copytruncate does."""
    file = LogFile(tmp_path)
    file.write("one\n")
    os.truncate(tmp_path / FILE_NAME, 0)
    file.write("two\n")
    assert (tmp_path / FILE_NAME).read_text() == "two\n"


def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    """The newest lines are kept, in order, across a restart."""
    for number in range(60):
        LogFile(tmp_path, max_bytes=40, kept=3).write(f"line {number:04d}\n")
    names = [FILE_NAME, *(f"{FILE_NAME}.{number}" for number in (1, 2, 3))]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    text = "".join((tmp_path / name).read_text() for name in reversed(names))
    lines = text.splitlines()
    assert lines == [f"line {number:04d}" for number in range(60 - len(lines), 60)]
    assert len(lines) >= 12


def test_older_files_stay_while_no_newer_one_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without a descriptor: lines go to the file that was moved, which is not moved again."""

    def lacking(_file: LogFile) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    file = LogFile(tmp_path, max_bytes=40, kept=3)
    for number in range(9):
        file.write(f"line {number:04d}\n")
    with monkeypatch.context() as patched:
        patched.setattr(LogFile, "_open", lacking)
        for number in range(9, 18):
            file.write(f"line {number:04d}\n")
    file.write("line 0018\n")
    names = (*(f"{FILE_NAME}.{number}" for number in (3, 2, 1)), FILE_NAME)
    text = "".join((tmp_path / name).read_text() for name in names)
    assert text.splitlines() == [f"line {number:04d}" for number in range(19)]


def test_while_it_cannot_be_reopened_the_old_file_is_used(tmp_path: Path) -> None:
    """A folder that was moved away loses no line, and stops nothing."""
    folder = tmp_path / "log"
    file = LogFile(folder)
    folder.rename(tmp_path / "elsewhere")
    file.write("one\n")
    assert (tmp_path / "elsewhere" / FILE_NAME).read_text() == "one\n"
    folder.mkdir()
    file.write("two\n")
    assert (folder / FILE_NAME).read_text() == "two\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Who may write into the folder cannot have another file appended to."""
    (tmp_path / "other").write_text("")
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "other")
    with pytest.raises(DataFolderError, match=os.strerror(errno.ELOOP)):
        LogFile(tmp_path)
    assert (tmp_path / "other").read_text() == ""


@AS_ROOT
def test_root_gives_the_file_to_the_folders_owner(tmp_path: Path) -> None:
    """The service that runs as that user later can go on with it."""
    os.chown(tmp_path, 4711, 4712)
    LogFile(tmp_path, max_bytes=1).write("one\n")
    for path in tmp_path.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0


def test_a_line_behind_one_that_a_full_disk_cut_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that read the lines lose those that there was no room for, and no other."""
    file = LogFile(tmp_path)
    file.write("first\n")
    write = os.write

    def fill(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        return write(fd, data[:3])

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", fill)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            file.write("second\n")
    monkeypatch.setattr(os, "write", write)
    file.write("third\n")
    file.write("fourth\n")
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    assert lines == ["first", "sec", "third", "fourth"]
