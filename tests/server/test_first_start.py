"""A start is a first one only where nothing of an earlier one is left."""

import gzip
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import eventlog
from eventlog import LogReader
from eventlog.disk import OS_DISK
from eventlog.repair import plan_repair, repair
from nc.data_folder import DataFolderError, DataLost
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA
from nc.errors import DAMAGED
from tests.support.whole_server import Lines, running

CERTIFICATES = ("ca.pem", "ca-key.pem", "server.pem", "server-key.pem")


async def log_id(folder: Path, **more: object) -> bytes:
    """Start, stop, and tell which log that was."""
    async with running(folder, **more):  # type: ignore[arg-type]  # settings
        pass
    return LogReader(folder / "log").log_id


def everything(folder: Path) -> dict[str, bytes]:
    """All files below a folder but the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _moved_log(data: Path) -> None:
    (data / "log").rename(data / "log.volume")
    (data / "log").mkdir()


def _gzipped(data: Path) -> None:
    for path in (data / "log").glob("*.seg"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def _renamed(data: Path) -> None:
    for path in (data / "log").glob("*.seg"):
        path.rename(path.with_name(f"{path.name}.bak"))


def _emptied(data: Path) -> None:
    shutil.rmtree(data / "log")
    (data / "log").mkdir()


def _only(*names: str) -> Callable[[Path], None]:
    """Of the data folder only these are left."""

    def damage(data: Path) -> None:
        for path in data.iterdir():
            if path.name not in names:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def _only_file(name: str) -> Callable[[Path], None]:
    """Of the data folder nothing is left but a file that was not there before."""

    def damage(data: Path) -> None:
        _only()(data)
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_text("")

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _moved_log,
        _gzipped,
        _renamed,
        _emptied,
        _only("secret.key"),
        _only("pki"),
        _only_file("links.sock"),
        _only_file("node.json"),
        _only_file("yesterday.zip"),
        _only_file("backup.tar.gz"),
        _only_file("log/00000000000000000009.snapshot"),
        _only_file("log/00000000000000000001.seg.torn-96"),
    ],
)
async def test_what_is_absent_is_not_made_anew(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Without the log a start is refused for as long as anything else is there.

    Nothing is changed; with `new_cluster` a new log is begun, and all that was there is kept.
    """
    data = tmp_path / "data"
    before = await log_id(data)
    damage(data)
    left = everything(data)
    for _ in range(2):
        with pytest.raises(DataLost, match=r"not a first start.*\.seg is missing") as caught:
            await log_id(data)
        assert caught.value.exit_code == DAMAGED
        assert everything(data) == left
    lines = Lines()
    assert await log_id(data, new_cluster=True, lines=lines) != before
    assert "is kept in" in lines.named("server.new_cluster")[0]["message"]
    kept = everything(data)
    for name, content in left.items():
        parent, _, own = name.rpartition("/")
        hidden = [k for k in kept if k.endswith(f"/{own}") and "replaced-" in k and parent in k]
        assert kept.get(name) == content or content in [kept[k] for k in hidden], name
    assert await log_id(data) == await log_id(data, new_cluster=True)


async def test_certificates_elsewhere_know_their_log(tmp_path: Path) -> None:
    """An empty work folder with marked certificates elsewhere is a volume that is not mounted."""
    data, folders = tmp_path / "data", {}
    for kind in ("grpc", "network"):
        folders[f"{kind}_cert_dir"] = tmp_path / kind
    before = await log_id(data, **folders)
    data.rename(tmp_path / "volume")
    data.mkdir()
    with pytest.raises(DataLost, match=r"seg is missing.*grpc/log-id"):
        await log_id(data, **folders)
    assert list(data.iterdir()) == []
    data.rmdir()
    (tmp_path / "volume").rename(data)
    assert await log_id(data, **folders) == before


async def test_certificates_of_another_program_are_taken_over(tmp_path: Path) -> None:
    """Certificates without a mark are a first start, which is said, and marks them."""
    source, lines = tmp_path / "source", Lines()
    await log_id(source)
    for kind in ("grpc", "network"):
        (tmp_path / kind).mkdir()
        for name in CERTIFICATES:
            shutil.copy(source / "pki" / kind / name, tmp_path / kind / name)
    folders = {f"{kind}_cert_dir": tmp_path / kind for kind in ("grpc", "network")}
    ca = (tmp_path / "grpc" / "ca.pem").read_bytes()
    new = await log_id(tmp_path / "data", lines=lines, **folders)
    assert (tmp_path / "grpc" / "ca.pem").read_bytes() == ca
    assert "another server has left" in lines.named("server.new_cluster")[0]["message"]
    assert (tmp_path / "grpc" / "log-id").read_text().strip() == new.hex()
    again = Lines()
    await log_id(tmp_path / "data", lines=again, **folders)
    assert again.named("server.new_cluster") == []


async def test_files_of_the_operator_are_no_earlier_start(tmp_path: Path) -> None:
    """A configuration file, a log folder and an empty file system are not refused."""
    data = tmp_path / "data"
    for name in ("lost+found", "logs"):
        (data / name).mkdir(parents=True)
    (data / "config.yml").write_text("mode: server\n")
    (data / "logs" / "network-controller.log").write_text("")
    await log_id(data)


async def test_a_first_start_that_was_killed_is_completed(tmp_path: Path) -> None:
    """An empty log, with or without a key, is a first start's."""
    data = tmp_path / "data"
    for has_key in (False, True):
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        eventlog.open(data / "log").close()
        if has_key:
            (data / "secret.key").write_bytes(bytes(32))
            (data / "secret.key").chmod(0o600)
        await log_id(data)


async def test_a_log_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    """Where it is unknown what there is, nothing is made."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "log").write_text("a file in its place")
    with pytest.raises(DataFolderError, match="cannot be read: Not a directory"):
        await log_id(data)


async def test_a_log_that_lost_its_ca_may_be_begun_anew(tmp_path: Path) -> None:
    """With `new_cluster` the log, its key and the other CA are kept aside, too."""
    data = tmp_path / "data"
    before = await log_id(data)
    key = (data / "secret.key").read_bytes()
    for name in ("ca.pem", "ca-key.pem"):
        (data / "pki" / "network" / name).unlink()
    with pytest.raises(DataLost, match=r"network/ca-key.pem is missing"):
        await log_id(data)
    assert await log_id(data, new_cluster=True) != before
    (kept,) = (data / "log").glob("replaced-*")
    assert LogReader(kept).log_id == before
    assert [path.read_bytes() for path in data.glob("replaced-*/secret.key")] == [key]
    assert list((data / "pki" / "grpc").glob("replaced-*/ca-key.pem"))
    assert list((data / "pki" / "network").glob("replaced-*/log-id"))


async def test_an_older_log_gets_its_marks(tmp_path: Path) -> None:
    """A folder of a version without marks starts as it is, and has them from then on."""
    data = tmp_path / "data"
    before = await log_id(data)
    for path in data.glob("pki/*/log-id"):
        path.unlink()
    assert await log_id(data) == before
    assert len(list(data.glob("pki/*/log-id"))) == 2


async def test_a_broken_copy_is_refused_and_repaired(tmp_path: Path) -> None:
    """`log repair` cuts a segment that broke off, and the server starts with what is left."""
    data = tmp_path / "data"
    await log_id(data)
    for path in data.glob("log/*.snapshot"):
        path.unlink()
    (segment,) = data.glob("log/*.seg")
    size = segment.stat().st_size
    with segment.open("r+b") as file:
        file.truncate(len(segment.read_bytes().rstrip(b"\0")) - 40)
    with pytest.raises(eventlog.LogDamaged, match="the end of the file"):
        await log_id(data)
    plan = plan_repair(data / "log", OS_DISK, SNAPSHOT_SCHEMA)
    repair(plan, OS_DISK, now_ns=time.time_ns, random_bytes=os.urandom)
    assert segment.stat().st_size == size
    await log_id(data)
