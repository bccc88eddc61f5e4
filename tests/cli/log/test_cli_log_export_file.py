"""The file that an export is written to: whole, and never in the place of something else."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.log_exports import log, refused
from tests.support.written_log import EVENTS


def test_a_file_that_is_there_is_not_replaced_unless_asked(data_dir: Path, tmp_path: Path) -> None:
    """Refused without --force; a failure leaves the old file and nothing beside it."""
    out = tmp_path / "out"
    out.write_bytes(b"precious")
    options = ["export", "--format", "jsonl", "--data-dir", data_dir, "--out", out]
    code, said = refused(*options)
    assert (code, "--force" in said, out.read_bytes()) == (1, True, b"precious")
    damaged = shutil.copytree(data_dir / "log", tmp_path / "damaged")
    segment = min(damaged.glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[190] ^= 1
    segment.write_bytes(data)
    code, said = refused(*options, "--log", damaged, "--force")
    assert (code, out.read_bytes()) == (3, b"precious")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "out"]
    log(*options, "--force")
    assert out.read_bytes().count(b"\n") == EVENTS


def identity(path: Path) -> tuple[int, ...]:
    """What changes if a file is replaced or written; reading it may change its access time."""
    status = path.lstat()
    return status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_only_a_regular_file_is_ever_replaced(
    data_dir: Path, tmp_path: Path, force: list[str]
) -> None:
    """A pipe, a folder, a link to a device or to a file stays what it is, also with --force."""
    places = {name: tmp_path / name for name in ("pipe", "folder", "device", "link", "nowhere")}
    os.mkfifo(places["pipe"])
    places["folder"].mkdir()
    (tmp_path / "file").write_bytes(b"precious")
    for name, target in (("device", "/dev/null"), ("link", "file"), ("nowhere", "gone")):
        places[name].symlink_to(target)
    before = {path: identity(path) for path in tmp_path.iterdir()}
    for out in places.values():
        options = ["--format", "jsonl", "--data-dir", data_dir, "--out", out, *force]
        code, said = refused("export", *options)
        assert (code, "no regular file" in said, "--out -" in said) == (1, True, True)
    assert {path: identity(path) for path in tmp_path.iterdir()} == before
    assert (tmp_path / "file").read_bytes() == b"precious"
