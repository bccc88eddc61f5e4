"""Damaged folders: every way a folder can be bad is one sentence that says what to do."""

import base64
import errno
import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from nc.files import OsFiles
from nc.pki.certificates import AUTHORITY_LIFETIME, CLOCK_SKEW, AuthorityKind
from nc.pki.errors import (
    AuthorityExpired,
    AuthorityNotYetValid,
    CertificateUnreadable,
    FolderUnusable,
    InvalidName,
    KeyMismatch,
    KeyMissing,
    KeyUnreadable,
    NotAnAuthority,
    PkiError,
)
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.names import server_names
from nc.pki.pem import load_certificates

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
NAMES = server_names(["192.0.2.7"], "10.1.1.1")
KEYS = ["ca-key.pem", "server-key.pem", "client-key.pem"]
CERTIFICATES = ["ca.pem", "server.pem", "client.pem"]
FILES = KEYS + CERTIFICATES


def opened(path: Path, now: datetime = NOW, files: OsFiles | None = None) -> PkiFolder:
    """Open a gRPC folder with the usual names."""
    return open_folder(
        path,
        AuthorityKind.GRPC,
        NAMES,
        now,
        itertools.count(1).__next__,
        files=files or OsFiles(),
    )


def contents(path: Path) -> dict[str, bytes | None]:
    """Give every entry's bytes, None for a folder."""
    return {f.name: f.read_bytes() if f.is_file() else None for f in path.iterdir()}


def private_lines(path: Path) -> set[str]:
    """Give every line of every key file."""
    texts = (file.read_text() for file in path.glob("*-key.pem") if file.is_file())
    return {line for text in texts for line in text.splitlines() if line}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    opened(tmp_path / "grpc")
    return tmp_path / "grpc"


def _remove(name: str) -> Callable[[Path], object]:
    return lambda path: (path / name).unlink()


def _copy(source: str, target: str) -> Callable[[Path], object]:
    return lambda path: shutil.copy(path / source, path / target)


def _fill(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda path: (path / name).write_bytes(data)


def _folder_instead(name: str) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        (path / name).unlink()
        (path / name).mkdir()

    return damage


PRIVATE = ec.generate_private_key(ec.SECP256R1())
ENCRYPTED = [
    PRIVATE.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"canary"))
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
]
ED25519 = ed25519.Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
BAD_CERTIFICATES = [
    b"",
    b"garbage",
    b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
]

DAMAGE: list[tuple[Callable[[Path], object], type[PkiError], str, str]] = [
    (_remove("ca-key.pem"), KeyMissing, "ca-key.pem", "from a backup"),
    (_copy("client.pem", "ca.pem"), NotAnAuthority, "ca.pem", "CA:TRUE"),
    (_copy("server-key.pem", "ca-key.pem"), KeyMismatch, "ca.pem", "matching pair"),
    *(
        (_fill(name, pem), CertificateUnreadable, name, "restore it")
        for name in CERTIFICATES
        for pem in BAD_CERTIFICATES
    ),
    *((_copy("ca.pem", name), KeyUnreadable, name, "restore it") for name in KEYS),
    *((_fill(name, b""), KeyUnreadable, name, "restore it") for name in KEYS),
    *((_fill(name, pem), KeyUnreadable, name, "decrypt it") for name in KEYS for pem in ENCRYPTED),
    *((_fill(name, ED25519), KeyUnreadable, name, "EC nor RSA") for name in KEYS),
    *((_folder_instead(name), FolderUnusable, name, "move away the folder") for name in FILES),
]


@pytest.mark.parametrize(("damage", "kind", "name", "hint"), DAMAGE)
def test_damage_is_one_clear_sentence_and_changes_nothing(
    path: Path, damage: Callable[[Path], object], kind: type[PkiError], name: str, hint: str
) -> None:
    """The error names the file and what to do, quotes no key, and leaves the folder as it was."""
    damage(path)
    before = contents(path)
    with pytest.raises(kind) as caught:
        opened(path)
    error = caught.value
    assert error.path == path / name
    assert str(error) == f"{path / name}: {error.problem}; {error.remedy}"
    assert hint in str(error)
    assert "\n" not in str(error)
    said = "".join(show(e) for show in (str, repr) for e in (error, error.__cause__))
    assert not [line for line in private_lines(path) if line in said]
    assert contents(path) == before


def test_an_expired_ca_is_named_when_something_must_be_signed(path: Path) -> None:
    """After the CA's end nothing can be renewed: the error names ca.pem and the way out."""
    with pytest.raises(AuthorityExpired, match="a new cluster is made") as caught:
        opened(path, NOW + AUTHORITY_LIFETIME + timedelta(days=1))
    assert caught.value.path == path / "ca.pem"


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=350), timedelta(days=7305)])
def test_a_folder_from_the_future_is_signed_anew(path: Path, ahead: timedelta) -> None:
    """What a clock that was ahead has dated is signed for the same keys, and lasts as long.

    Certificates that were handed out stay good: the CA's name and key are the same.
    """
    before = opened(path)
    issued = before.authority.issue_client("n", "o", NOW, 77)
    early = NOW - CLOCK_SKEW - ahead
    after = opened(path, early)
    assert [made.name for made in after.made] == ["ca.pem", "server.pem", "client.pem"]
    assert "wrong clock" in after.made[0].reason
    assert after.authority.not_after == before.authority.not_after
    assert after.authority.not_before <= early
    for file in (after.paths.server, after.paths.client):
        (leaf,) = load_certificates(file.read_bytes())
        assert leaf.not_valid_before_utc <= early < leaf.not_valid_after_utc
        leaf.verify_directly_issued_by(before.authority.certificate)
    (node,) = load_certificates(issued.certificate_pem)
    node.verify_directly_issued_by(after.authority.certificate)
    assert opened(path, early).made == ()


def test_another_programs_ca_from_the_future_is_left_alone(path: Path) -> None:
    """We sign anew only what we made: the error names the clock."""
    theirs = open_folder(path, AuthorityKind.NETWORK, ["localhost"], NOW, lambda: 1)
    assert theirs.authority.certificate_pem == (path / "ca.pem").read_bytes()
    before = (path / "ca.pem").read_bytes()
    with pytest.raises(AuthorityNotYetValid, match="set this machine's clock"):
        open_folder(path, AuthorityKind.NETWORK, ["localhost"], NOW - timedelta(days=9), lambda: 1)
    assert (path / "ca.pem").read_bytes() == before


def test_a_ca_that_ended_before_this_release_is_signed_anew(tmp_path: Path) -> None:
    """A first start in 1970 made it; without that nothing could be signed any more."""
    in_1970 = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=2)
    before = opened(tmp_path / "pki", in_1970)
    after = opened(tmp_path / "pki", NOW)
    assert [made.name for made in after.made] == ["ca.pem", "server.pem", "client.pem"]
    key = before.authority.certificate.public_key()
    assert after.authority.certificate.public_key() == key


@pytest.mark.filterwarnings("ignore")  # the library's, of serial numbers and lengths that are odd
@given(st.sampled_from(FILES), st.integers(0, 5000), st.integers(1, 255))
def test_any_changed_byte_is_harmless_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, position: int, change: int
) -> None:
    """Whatever byte of whatever file is wrong, PEM or DER, the folder opens or says what is."""
    path = tmp_path_factory.mktemp("byte") / "grpc"
    opened(path)
    begin, *body, end = (path / name).read_text().splitlines()
    der = bytearray(base64.b64decode("".join(body)))
    der[position % len(der)] ^= change
    (path / name).write_text(f"{begin}\n{base64.encodebytes(der).decode()}{end}\n")
    try:
        folder = opened(path)
    except PkiError as error:
        assert error.path in {path / name, path / "ca.pem"}  # noqa: PT017 - both ends are lawful
        return
    assert opened(path).made == ()
    ca = folder.authority.certificate
    for file in (folder.paths.server, folder.paths.client):
        load_certificates(file.read_bytes())[0].verify_directly_issued_by(ca)


def test_a_bad_server_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """A mistyped advertised address leaves no folder behind."""
    with pytest.raises(InvalidName):
        open_folder(tmp_path / "pki", AuthorityKind.GRPC, ["192.0.2.300"], NOW, lambda: 1)
    assert not (tmp_path / "pki").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_may_not_be_read_is_named(path: Path, name: str) -> None:
    """No permission: the file, the system's words, and whom to give the right."""

    class Forbidding(OsFiles):
        def read(self, path: Path) -> bytes | None:
            if path.name == name:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return super().read(path)

    with pytest.raises(FolderUnusable, match=r"Permission denied; give the user") as caught:
        opened(path, files=Forbidding())
    assert caught.value.path == path / name


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way of the folder is said to be in the way."""
    (tmp_path / "pki").write_text("a file")
    for path in (tmp_path / "pki", tmp_path / "pki" / "grpc"):
        with pytest.raises(FolderUnusable, match="move away the file") as caught:
            opened(path)
        assert caught.value.path == path


def test_a_full_disk_says_so_and_leaves_no_half_file(tmp_path: Path) -> None:
    """A write that fails is named with its file, and what was begun is removed."""

    class Full(OsFiles):
        def write(self, path: Path, data: bytes, mode: int) -> None:
            super().write(path, data[: len(data) // 2], mode)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(FolderUnusable, match=r"No space left.*; free some space"):
        opened(tmp_path / "pki", files=Full())
    assert list((tmp_path / "pki").iterdir()) == []
