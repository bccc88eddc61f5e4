"""Opening a folder: what is made, who may read it, and what the operator is warned of."""

import itertools
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from nc.files import OS_FILES, OsFiles, replace_file, unfinished
from nc.pki.certificates import AUTHORITY_LIFETIME, LEAF_LIFETIME, AuthorityKind
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.identity import read_peer
from nc.pki.names import general_names, server_names
from nc.pki.pem import certificate_pem, load_private_key

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
NAMES = server_names(["192.0.2.7"], "10.1.1.1")
FILES = ["ca-key.pem", "ca.pem", "server-key.pem", "server.pem", "client-key.pem", "client.pem"]


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


def contents(path: Path) -> dict[str, tuple[bytes, int]]:
    """Give every file's bytes and inode."""
    return {f.name: (f.read_bytes(), f.stat().st_ino) for f in path.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    opened(tmp_path / "grpc")
    return tmp_path / "grpc"


def test_a_missing_folder_is_made_whole_and_closed_to_others(tmp_path: Path) -> None:
    """Folder 0700, keys 0600, nothing left over, and each file named as made, keys first."""
    path = tmp_path / "data" / "pki" / "grpc"
    folder = opened(path)
    assert [made.name for made in folder.made] == FILES
    assert {made.reason for made in folder.made} == {"made: it was missing"}
    assert str(folder.made[0]) == "ca-key.pem made: it was missing"
    assert folder.warnings == ()
    assert sorted(f.name for f in path.iterdir()) == sorted(FILES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for name in FILES:
        wanted = 0o600 if name.endswith("-key.pem") else 0o644
        assert stat.S_IMODE((path / name).stat().st_mode) & ~wanted == 0
    admin = read_peer(folder.paths.client.read_bytes())
    assert (admin.common_name, admin.organizations) == ("admin", ("nc:admin",))


def test_keys_are_closed_to_others_under_any_umask(tmp_path: Path) -> None:
    """Even with umask 0 nobody else can read a key, at any moment of its making."""
    modes = []

    class Watching(OsFiles):
        def rename(self, source: Path, target: Path) -> None:
            modes.append((target.name, stat.S_IMODE(source.stat().st_mode)))
            super().rename(source, target)

    before = os.umask(0)
    try:
        opened(tmp_path / "grpc", files=Watching())
    finally:
        os.umask(before)
    assert modes == [(name, 0o600 if "-key" in name else 0o644) for name in FILES]


def test_a_complete_folder_is_used_as_it_is(path: Path) -> None:
    """Opening a second time makes nothing and touches nothing."""
    before = contents(path)
    folder = opened(path, NOW + timedelta(days=300))
    assert (folder.made, folder.warnings) == ((), ())
    assert contents(path) == before


@pytest.mark.parametrize("kind", AuthorityKind)
def test_a_new_ca_is_named_after_its_network(tmp_path: Path, kind: AuthorityKind) -> None:
    """The two CAs can be told apart by their common names."""
    folder = open_folder(tmp_path / "pki", kind, NAMES, NOW, itertools.count(1).__next__)
    assert read_peer(folder.authority.certificate_pem).common_name == kind.value
    assert folder.paths.ca.read_bytes() == folder.authority.certificate_pem


@pytest.mark.parametrize("name", FILES)
def test_leftovers_of_a_crash_are_removed(path: Path, name: str) -> None:
    """A half-written file from before is gone after the next opening, and was never used."""
    (path / f".{name}.new").write_bytes(b"half a file")
    before = {n: c for n, c in contents(path).items() if n in FILES}
    assert opened(path).made == ()
    assert contents(path) == before


def test_a_leftover_never_blocks_the_next_write(tmp_path: Path) -> None:
    """Whoever replaces a single file after a crash succeeds, and gets the mode asked for."""
    path = tmp_path / "secret.key"
    unfinished(path).write_bytes(b"half a key that is longer than the whole one")
    unfinished(path).chmod(0o666)
    replace_file(OS_FILES, path, b"a key", 0o600)
    assert path.read_bytes() == b"a key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_two_first_starts_at_once_agree_on_one_ca(tmp_path: Path) -> None:
    """Whoever comes second finds a complete folder: the folder is locked while it is opened."""
    found: list[bytes] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait()
        found.append(opened(tmp_path / "grpc").authority.certificate_pem)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


@pytest.mark.parametrize("name", [n for n in FILES if n.endswith("-key.pem")])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_warned_of(path: Path, name: str, mode: int) -> None:
    """An open key is used, and the operator is told which file and what to run."""
    (path / name).chmod(mode)
    [warning] = opened(path).warnings
    assert str(path / name) in warning
    assert f"mode {mode:04o}" in warning
    assert "chmod 600" in warning
    assert stat.S_IMODE((path / name).stat().st_mode) == mode


def test_a_ca_near_its_end_is_warned_of(path: Path) -> None:
    """Half a year before a CA ends, and after, every opening says so."""
    end = NOW + AUTHORITY_LIFETIME
    assert not [w for w in opened(path, end - timedelta(days=181)).warnings if "the CA" in w]
    [warning] = opened(path, end - timedelta(days=179)).warnings
    assert f"the CA ends on {end:%Y-%m-%d}" in warning


def test_more_than_one_certificate_in_ca_pem_is_warned_of(path: Path, tmp_path: Path) -> None:
    """Only the first certificate of ca.pem is a CA here, and that is not kept quiet."""
    other = opened(tmp_path / "other").authority.certificate_pem
    ca = path / "ca.pem"
    own = ca.read_bytes()
    ca.write_bytes(own + other)
    folder = opened(path)
    assert folder.made == ()
    assert folder.authority.certificate_pem == own
    assert "2 certificates" in folder.warnings[0]


def test_a_client_certificate_of_another_subject_is_used_as_it_is(path: Path) -> None:
    """Whom client.pem names is not for the folder to judge: what this CA signed stays."""
    folder = opened(path)
    other = folder.authority.issue_client("someone", "lknm:register", NOW, 50)
    folder.paths.client.write_bytes(other.certificate_pem)
    folder.paths.client_key.write_bytes(other.key_pem)
    again = opened(path)
    assert (again.made, again.warnings) == ((), ())


def test_a_server_file_with_its_intermediate_is_used_as_it_is(path: Path) -> None:
    """A leaf that leads to ca.pem through the certificates in its own file is verifiable."""
    folder = opened(path)
    ca_key = load_private_key(folder.paths.ca_key.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "intermediate")])
    intermediate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(folder.authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(90)
        .not_valid_before(NOW)
        .not_valid_after(NOW + LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, SHA256())
    )
    server_key = load_private_key(folder.paths.server_key.read_bytes())
    server = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(name)
        .public_key(server_key.public_key())
        .serial_number(90)
        .not_valid_before(NOW)
        .not_valid_after(NOW + LEAF_LIFETIME)
        .add_extension(x509.SubjectAlternativeName(general_names(NAMES)), critical=True)
        .sign(key, SHA256())
    )
    folder.paths.server.write_bytes(certificate_pem(server) + certificate_pem(intermediate))
    assert opened(path).made == ()
    folder.paths.server.write_bytes(certificate_pem(server))
    kept, made = opened(path).made
    assert kept.name == "server.kept-1.pem"
    assert made.reason == "renewed: it was signed by another CA than ca.pem"
