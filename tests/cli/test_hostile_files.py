"""Files that are not what they should be: one line that names them, in little time and memory.

Every place that reads a file, with everything that can stand in its place.
"""

import contextlib
import itertools
import os
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import eventlog
from nc.agent.certificates import node_tls
from nc.agent.state import StateFolder
from nc.certificate_files import FolderPaths
from nc.cli import config_file
from nc.cli.log.source import open_reader
from nc.cli.ncadm.certificates import read_pair, read_trusted
from nc.cli.token_args import secret_text
from nc.data_folder import DataFolder
from nc.errors import OperatorError
from nc.pki.certificates import AuthorityKind
from nc.pki.folder import open_folder
from nc.pki.pem import private_key_pem
from nc.secrets import SystemSecrets
from nc.small_files import read_json_object, read_small

MOST_BYTES = 32 * 1024 * 1024
PATIENCE_S = 60
GIB = 1024**3
SEGMENT = "00000000000000000001.seg"


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * GIB)  # a line of 10 GiB


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


ALIASES = "\n".join(["a0: &a0 {}", *(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 12))])

HOSTILE: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "gigabytes": _sparse,
    "loop": lambda path: path.symlink_to(path),
    "empty": _bytes(b""),
    "nul": _bytes(bytes(4096)),
    "not utf-8": _bytes(b"\xff\xfe\x00m" * 1000),
    "bom": _bytes(b"\xef\xbb\xbf"),
    "long line": _bytes(b"a" * 1_000_000),
    "deep brackets": _bytes(b"[" * 60_000),
    "deep objects": _bytes(b'{"a":' * 10_000),
    "deep yaml": _bytes(b"".join(b" " * n + b"a:\n" for n in range(300))),
    "aliases": _bytes(ALIASES.encode()),
    "huge number": _bytes(b"mode: server\nserver: {port: " + b"9" * 60_000 + b"}"),
    "huge json number": _bytes(b'{"token":"t","host":"h","port":' + b"9" * 60_000 + b"}"),
    "pem of nothing": _bytes(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 900_000),
    "nul in a path": _bytes(b'mode: server\nserver: {workDir: "a\\0b"}'),
    "nul in a json path": _bytes(
        b'{"token":"t","host":"h","port":1,"certificates":"a\\u0000b","joined_with":""}'
    ),
    "zip of nothing": _bytes(b"PK\x03\x04" + bytes(1000)),
}


def _key() -> bytes:
    return private_key_pem(ec.generate_private_key(ec.SECP256R1()))


def _open_pki(path: Path) -> object:
    serials = itertools.count(1)
    now = datetime.now(UTC)
    return open_folder(path.parent, AuthorityKind.GRPC, ["h"], now, lambda: next(serials))


def _pair(path: Path) -> object:
    (path.parent / "other").write_bytes(_key())
    return read_pair(path.parent / "other", path)


def _node_tls(path: Path) -> object:
    paths = FolderPaths.within(path.parent)
    for each in (paths.ca, paths.client_key):
        each.write_bytes(_key())
    return node_tls(paths)


def _log(path: Path) -> object:
    return open_reader(None, str(path.parent))


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "configuration": ("nc.yaml", config_file.load),
    "ncadm --cacert": ("ca.pem", read_trusted),
    "ncadm --key": ("key.pem", lambda path: read_pair(path, path)),
    "ncadm --cert": ("cert.pem", _pair),
    "server's CA": ("ca.pem", _open_pki),
    "server's key": ("ca-key.pem", _open_pki),
    "node's certificate": ("client.pem", _node_tls),
    "node.json": ("node.json", lambda path: StateFolder(path.parent).load()),
    "secret.key": (
        "secret.key",
        lambda path: DataFolder(path.parent).load_secret_key(SystemSecrets()),
    ),
    "log export": ("log.zip", lambda path: open_reader(None, str(path))),
    "segment": (SEGMENT, _log),
}

# What is not hostile to a reader: an empty folder, or nothing yet, where a log may be.
FINE = {("log export", "folder"), ("segment", "empty")}


@contextmanager
def bounds() -> Iterator[None]:
    """Fail, where the block takes more time or memory than it may."""

    def too_long(*_: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(PATIENCE_S)
    tracemalloc.start()
    try:
        yield
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert peak_bytes < MOST_BYTES


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_a_hostile_file_is_one_line(tmp_path: Path, reader: str, hostile: str) -> None:
    """The error names the file, in one printable line; no reader waits or fills the memory."""
    if (reader, hostile) in FINE:
        pytest.skip("this is nothing hostile there")
    name, read = READERS[reader]
    path = tmp_path / name
    HOSTILE[hostile](path)
    with bounds(), pytest.raises((OperatorError, eventlog.LogError)) as caught:
        read(path)
    text = str(caught.value)
    assert name in text
    assert text.isprintable()
    assert len(text) < 1000


@pytest.mark.parametrize("hostile", ["pipe", "device", "folder", "gigabytes"])
def test_a_hostile_lock_or_snapshot_is_no_wait(tmp_path: Path, hostile: str) -> None:
    """A log with something else in the place of its lock is refused; such a snapshot is skipped."""
    eventlog.open(tmp_path).close()
    HOSTILE[hostile](tmp_path / "00000000000000000009.snapshot")
    with bounds(), contextlib.closing(eventlog.open(tmp_path)) as log:
        assert log.last_seq == 0
    lock = tmp_path / "lock"
    lock.unlink()
    HOSTILE[hostile](lock)
    if hostile == "gigabytes":
        return  # nothing reads its content
    with bounds(), pytest.raises(eventlog.LogError, match="lock"):
        eventlog.open(tmp_path)


@pytest.mark.parametrize("hostile", ["device", "folder", "gigabytes", "empty", "not utf-8", "loop"])
def test_a_hostile_token_file_is_one_line(tmp_path: Path, hostile: str) -> None:
    """A pipe is none: a shell gives one for `<(…)`."""
    path = tmp_path / "token"
    HOSTILE[hostile](path)
    with bounds(), pytest.raises(OperatorError, match="token"):
        secret_text(None, path, "", "")
    reading, writing = os.pipe()
    os.write(writing, b"0123456789abcdef\n")
    os.close(writing)
    assert secret_text(None, Path(f"/dev/fd/{reading}"), "", "") == "0123456789abcdef\n"
    os.close(reading)


def test_an_ordinary_file_is_read_through_a_link(tmp_path: Path) -> None:
    """As configurations and mounted secrets are; JSON may begin with a byte order mark."""
    (tmp_path / "file").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    (tmp_path / "link").symlink_to("file")
    assert read_json_object(tmp_path / "link") == {"a": 1}
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_small(tmp_path / "link", 3)
    with pytest.raises(OSError, match="NUL"):
        read_small(Path("a\0b"))
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "none")


@pytest.mark.parametrize("start", ["mode: server\n", "mode: server\r\nserver:\r\n  ip: h\r\n"])
def test_a_configuration_from_another_system_is_read(tmp_path: Path, start: str) -> None:
    """A byte order mark and CRLF, as editors write them, change nothing."""
    path = tmp_path / "nc.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + start.encode())
    assert config_file.load(path).mode == "server"
