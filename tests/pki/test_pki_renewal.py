"""Renewal: which certificates are signed anew, and what of the old ones survives."""

import errno
import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from nc.files import OsFiles
from nc.pki import AuthorityKind, PkiFolder, open_folder, read_peer
from nc.pki.certificates import AUTHORITY_LIFETIME, LEAF_LIFETIME, milliseconds
from nc.pki.errors import FolderUnusable
from nc.pki.pem import certificate_pem, load_certificates, load_private_key

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
NAMES = ("localhost", "192.0.2.7")
DAY = timedelta(days=1)
SERIALS = itertools.count(1)


def opened(
    path: Path,
    names: tuple[str, ...] = NAMES,
    now: datetime = NOW,
    files: OsFiles | None = None,
) -> PkiFolder:
    """Open a gRPC folder; serial numbers are never given twice."""
    return open_folder(
        path, AuthorityKind.GRPC, names, now, SERIALS.__next__, files=files or OsFiles()
    )


def contents(path: Path) -> dict[str, bytes]:
    """Give every file's bytes."""
    return {file.name: file.read_bytes() for file in path.iterdir()}


def leaf(path: Path) -> x509.Certificate:
    """Read the first certificate of a file."""
    return load_certificates(path.read_bytes())[0]


def assert_consistent(folder: PkiFolder) -> None:
    """Both leaves are signed by the CA and match their keys."""
    paths = folder.paths
    for file, key in ((paths.server, paths.server_key), (paths.client, paths.client_key)):
        leaf(file).verify_directly_issued_by(folder.authority.certificate)
        assert load_private_key(key.read_bytes()).public_key() == leaf(file).public_key()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    opened(tmp_path / "grpc")
    return tmp_path / "grpc"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A complete folder of another CA with the same name."""
    opened(tmp_path / "other")
    return tmp_path / "other"


Damage = Callable[[Path, Path], None]


def _nothing(_path: Path, _other: Path) -> None:
    pass


def _foreign(*names: str) -> Damage:
    def damage(path: Path, other: Path) -> None:
        for name in names:
            shutil.copy(other / name, path / name)

    return damage


def _missing(*names: str) -> Damage:
    def damage(path: Path, _other: Path) -> None:
        for name in names:
            (path / name).unlink()

    return damage


def _swapped(path: Path, _other: Path) -> None:
    for end in (".pem", "-key.pem"):
        (path / f"server{end}").rename(path / "aside")
        (path / f"client{end}").rename(path / f"server{end}")
        (path / "aside").rename(path / f"client{end}")


OTHER_CA = "it was signed by another CA than ca.pem"
MISMATCH = "it did not match its private key"
USAGE = "its extended key usage was for something else"
MADE = "made: it was missing"


def kept(name: str) -> dict[str, str]:
    """The line of a file that is kept under another name."""
    stem = name.removesuffix(".pem")
    return {f"{stem}.kept-1.pem": f"kept: the old {name}"}


def new_pair(which: str) -> dict[str, str]:
    """The lines of a key that was not its certificate's."""
    return {
        f"{which}-key.pem": f"made: the old one was not the key of {which}.pem",
        **kept(f"{which}-key.pem"),
    }


TABLE = [
    ("complete", _nothing, 0, {}),
    ("31 days before the end", _nothing, 334, {}),
    (
        "30 days before the end",
        _nothing,
        335,
        dict.fromkeys(("server.pem", "client.pem"), "renewed: it was to end on 2027-05-17"),
    ),
    (
        "expired",
        _nothing,
        366,
        dict.fromkeys(("server.pem", "client.pem"), "renewed: it ended on 2027-05-17"),
    ),
    (
        "another CA's server",
        _foreign("server.pem", "server-key.pem"),
        0,
        {"server.pem": f"renewed: {OTHER_CA}", **kept("server.pem")},
    ),
    (
        "another CA's client",
        _foreign("client.pem", "client-key.pem"),
        0,
        {"client.pem": f"renewed: {OTHER_CA}", **kept("client.pem")},
    ),
    (
        "another server key",
        _foreign("server-key.pem"),
        0,
        {"server.pem": f"renewed: {MISMATCH}", **kept("server.pem"), **new_pair("server")},
    ),
    (
        "another client key",
        _foreign("client-key.pem"),
        0,
        {"client.pem": f"renewed: {MISMATCH}", **kept("client.pem"), **new_pair("client")},
    ),
    (
        "another CA's server without its key",
        _foreign("server.pem"),
        0,
        {
            "server.pem": f"renewed: {OTHER_CA}, {MISMATCH}",
            **kept("server.pem"),
            **new_pair("server"),
        },
    ),
    (
        "no server key",
        _missing("server-key.pem"),
        0,
        {"server-key.pem": MADE, "server.pem": f"renewed: {MISMATCH}", **kept("server.pem")},
    ),
    ("no server certificate", _missing("server.pem"), 0, {"server.pem": MADE}),
    (
        "no client certificate",
        _missing("client.pem"),
        0,
        {"client.pem": MADE, **new_pair("client")},
    ),
    (
        "no client",
        _missing("client.pem", "client-key.pem"),
        0,
        {"client-key.pem": MADE, "client.pem": MADE},
    ),
    (
        "server and client swapped",
        _swapped,
        0,
        {
            "server.pem": f"renewed: {USAGE}, it did not name localhost and 192.0.2.7",
            "client.pem": f"renewed: {USAGE}",
        },
    ),
    (
        "no CA",
        _missing("ca.pem", "ca-key.pem"),
        0,
        {
            "ca-key.pem": MADE,
            "ca.pem": MADE,
            "server.pem": f"renewed: {OTHER_CA}",
            "client.pem": f"renewed: {OTHER_CA}",
            **kept("server.pem"),
            **kept("client.pem"),
        },
    ),
]


@pytest.mark.parametrize(
    ("damage", "days", "made"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_does_not_serve_is_signed_anew_and_nothing_else_is_touched(
    path: Path, other: Path, damage: Damage, days: int, made: dict[str, str]
) -> None:
    """Each flaw renews exactly its own files, says why, and the next opening finds all well."""
    damage(path, other)
    before = contents(path)
    now = NOW + days * DAY
    folder = opened(path, now=now)
    assert {m.name: m.reason for m in folder.made} == made
    after = contents(path)
    assert {name for name in after if after[name] != before.get(name)} == made.keys()
    assert_consistent(folder)
    assert opened(path, now=now).made == ()


def test_a_renewed_client_keeps_its_subject_if_this_ca_signed_it(path: Path, other: Path) -> None:
    """Our own client stays who it was; what a foreign CA called somebody counts for nothing."""
    folder = opened(path)
    key = load_private_key(folder.paths.client_key.read_bytes()).public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operations")])
    signed = folder.authority.sign_client(name, key, NOW, next(SERIALS))
    folder.paths.client.write_bytes(certificate_pem(signed))
    opened(path, now=NOW + 340 * DAY)
    renewed = leaf(folder.paths.client)
    assert renewed.subject == name
    assert renewed.not_valid_after_utc == NOW + 340 * DAY + LEAF_LIFETIME

    shutil.copy(folder.paths.client, other / "client.pem")
    folder = opened(other, now=NOW + 340 * DAY)
    assert read_peer(folder.paths.client.read_bytes()).organizations == ("nc:admin",)


def test_a_renewed_certificate_has_a_new_serial_and_a_full_year(path: Path) -> None:
    """Renewal is a new certificate, not an old one made longer."""
    before = read_peer((path / "server.pem").read_bytes())
    now = NOW + 350 * DAY
    after = read_peer(opened(path, now=now).paths.server.read_bytes())
    assert after.serial != before.serial
    assert after.not_after_ms == milliseconds(now + LEAF_LIFETIME)


def test_towards_the_end_of_the_ca_nothing_is_renewed_in_vain(path: Path) -> None:
    """A leaf that already ends with its CA could not end later, so it is left alone."""
    now = NOW + AUTHORITY_LIFETIME - 20 * DAY
    folder = opened(path, now=now)
    assert {made.name for made in folder.made} == {"server.pem", "client.pem"}
    assert leaf(folder.paths.server).not_valid_after_utc == folder.authority.not_after
    assert opened(path, now=now + DAY).made == ()


class ReadOnly(OsFiles):
    """A folder mounted read-only."""

    def write(self, path: Path, data: bytes, mode: int) -> None:  # noqa: ARG002 - Disk's signature
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_read_only_folder_serves_until_its_certificates_end(path: Path) -> None:
    """What still works is used with a warning; what has ended is an error."""
    before = contents(path)
    folder = opened(path, now=NOW + 340 * DAY, files=ReadOnly())
    assert folder.made == ()
    assert len(folder.warnings) == 2
    assert "server.pem: cannot be used: Read-only file system" in folder.warnings[0]
    assert "it was to end on 2027-05-17" in folder.warnings[0]
    assert contents(path) == before
    with pytest.raises(FolderUnusable, match="Read-only"):
        opened(path, now=NOW + LEAF_LIFETIME, files=ReadOnly())
    with pytest.raises(FolderUnusable, match="Read-only"):
        opened(path, ("new.example",), files=ReadOnly())


@pytest.mark.parametrize("certificate", [True, False], ids=["with client.pem", "without"])
def test_nothing_is_signed_for_a_nodes_key_in_the_admins_place(
    path: Path, certificate: bool
) -> None:
    """An upstream server leaves a node's key as client-key.pem: that node is no administrator."""
    folder = opened(path)
    if not certificate:
        folder.paths.client.unlink()
    node = folder.authority.issue_client("ab" * 16, "lknm:register", NOW, next(SERIALS))
    folder.paths.client_key.write_bytes(node.key_pem)
    [warning] = opened(path).warnings
    assert "client-key.kept-1.pem" in warning
    assert (path / "client-key.kept-1.pem").read_bytes() == node.key_pem
    stranger = load_private_key(node.key_pem).public_key()
    assert leaf(folder.paths.client).public_key() != stranger
    for file in path.glob("client*.pem"):
        if b"CERTIFICATE" in file.read_bytes():
            assert leaf(file).public_key() != stranger
