"""Folders that OpenSSL made before we came: used as they are, down to the byte."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from nc.pki.certificates import AuthorityKind
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.identity import read_peer
from nc.pki.pem import load_certificates

OPENSSL = shutil.which("openssl") or ""
pytestmark = pytest.mark.skipif(not OPENSSL, reason="needs the openssl program")

NAMES = ("localhost", "127.0.0.1", "192.0.2.7", "10.1.1.1")

CONFIGURATION = """
[req]
distinguished_name = subject
[subject]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[server]
subjectAltName = DNS:localhost,DNS:*.edge.example,IP:127.0.0.1,IP:192.0.2.7,IP:10.1.1.1
extendedKeyUsage = serverAuth
[client]
extendedKeyUsage = clientAuth
"""


def now() -> datetime:
    """A moment that openssl, which goes by the real clock, takes for past its CAs' beginning."""
    return datetime.now(UTC) + timedelta(minutes=2)


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [OPENSSL, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def make_legacy(folder: Path, new_key: Callable[[str], None]) -> None:
    """Make a complete folder the way that an administrator does by hand."""
    (folder / "openssl.cnf").write_text(CONFIGURATION)
    subjects = {"ca": "/C=DE/O=Edge/CN=Edge CA", "server": "/CN=edge", "client": "/O=nc:admin/CN=a"}
    for name, subject in subjects.items():
        new_key(f"{name}-key.pem")
        (folder / f"{name}-key.pem").chmod(0o600)
        common = ["-new", "-key", f"{name}-key.pem", "-subj", subject, "-config", "openssl.cnf"]
        if name == "ca":
            openssl(
                folder, "req", "-x509", *common, "-days", "3000", "-extensions", "ca", "-text",
                "-out", "ca.pem",
            )  # fmt: skip
            continue
        openssl(folder, "req", *common, "-out", "request.pem")
        openssl(
            folder, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
            "-set_serial", "7", "-days", "800", "-extfile", "openssl.cnf", "-extensions", name,
            "-out", f"{name}.pem",
        )  # fmt: skip
    for name in ("openssl.cnf", "request.pem"):
        (folder / name).unlink()


@pytest.fixture(scope="session")
def rsa_pkcs1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RSA 2048 throughout, keys as `RSA PRIVATE KEY`."""
    folder = tmp_path_factory.mktemp("rsa-pkcs1")

    def new_key(name: str) -> None:
        openssl(folder, "genrsa", "-traditional", "-out", name, "2048")
        assert (folder / name).read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")

    make_legacy(folder, new_key)
    return folder


@pytest.fixture(scope="session")
def rsa_pkcs8(tmp_path_factory: pytest.TempPathFactory, rsa_pkcs1: Path) -> Path:
    """The same, keys as `PRIVATE KEY`."""
    folder = tmp_path_factory.mktemp("rsa-pkcs8")
    shutil.copytree(rsa_pkcs1, folder, dirs_exist_ok=True)
    for key in folder.glob("*-key.pem"):
        openssl(
            folder, "pkcs8", "-topk8", "-nocrypt", "-in", str(rsa_pkcs1 / key.name),
            "-out", key.name,
        )  # fmt: skip
        assert key.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    return folder


@pytest.fixture(scope="session")
def ec_sec1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EC throughout, keys as `EC PRIVATE KEY` after a block of `EC PARAMETERS`."""
    folder = tmp_path_factory.mktemp("ec-sec1")

    def new_key(name: str) -> None:
        openssl(folder, "ecparam", "-name", "secp384r1", "-genkey", "-out", name)
        assert (folder / name).read_text().startswith("-----BEGIN EC PARAMETERS-----")

    make_legacy(folder, new_key)
    return folder


@pytest.fixture(params=["rsa_pkcs1", "rsa_pkcs8", "ec_sec1"])
def legacy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one of the legacy folders."""
    made: Path = request.getfixturevalue(request.param)
    return Path(shutil.copytree(made, tmp_path / "grpc"))


def opened(path: Path, names: tuple[str, ...] = NAMES) -> PkiFolder:
    return open_folder(path, AuthorityKind.GRPC, names, now(), lambda: 0xC0FFEE)


def contents(path: Path) -> dict[str, tuple[bytes, int, int]]:
    """Give every file's bytes, inode and time of change."""
    return {
        file.name: (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns)
        for file in path.iterdir()
    }


def test_a_legacy_folder_is_used_as_it_is(legacy: Path) -> None:
    """Nothing in it is made, renewed, rewritten or warned of."""
    before = contents(legacy)
    folder = opened(legacy)
    assert (folder.made, folder.warnings) == ((), ())
    assert contents(legacy) == before
    assert read_peer(folder.authority.certificate_pem) == read_peer(before["ca.pem"][0])


def test_a_legacy_ca_signs_nodes_that_openssl_verifies(legacy: Path) -> None:
    """New nodes get P-256 keys under the old CA, and the chain holds in OpenSSL's eyes."""
    authority = opened(legacy).authority
    node = authority.issue_client("3c" * 16, "lknm:register", now(), 99)
    server = authority.issue_server(NAMES, now(), 100)
    assert node.key_pem.startswith(b"-----BEGIN EC PRIVATE KEY-----")
    for issued, purpose in ((node, "sslclient"), (server, "sslserver")):
        (legacy / "leaf.pem").write_bytes(issued.certificate_pem)
        said = openssl(legacy, "verify", "-purpose", purpose, "-CAfile", "ca.pem", "leaf.pem")
        assert said == "leaf.pem: OK\n"


def test_a_legacy_server_is_renewed_for_its_own_key(legacy: Path) -> None:
    """A new name changes server.pem alone: the old key, RSA or EC, and the old names stay."""
    before = contents(legacy)
    folder = opened(legacy, (*NAMES, "198.51.100.4"))
    assert [made.name for made in folder.made] == ["server.pem"]
    after = contents(legacy)
    assert {name for name in after if after[name] != before[name]} == {"server.pem"}
    said = openssl(
        legacy, "verify", "-purpose", "sslserver", "-CAfile", "ca.pem",
        "-verify_ip", "198.51.100.4", "-verify_hostname", "site.edge.example", "server.pem",
    )  # fmt: skip
    assert said == "server.pem: OK\n"
    old = load_certificates(before["server.pem"][0])[0].public_key()
    assert isinstance(old, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    assert load_certificates(after["server.pem"][0])[0].public_key() == old


def test_missing_leaves_are_made_under_a_legacy_ca(legacy: Path) -> None:
    """A folder with only a CA is completed, and the CA's two files are not touched."""
    for name in ("server.pem", "server-key.pem", "client.pem", "client-key.pem"):
        (legacy / name).unlink()
    before = contents(legacy)
    folder = opened(legacy)
    assert len(folder.made) == 4
    assert {name: c for name, c in contents(legacy).items() if name in before} == before
    for name, purpose in (("server.pem", "sslserver"), ("client.pem", "sslclient")):
        said = openssl(legacy, "verify", "-purpose", purpose, "-CAfile", "ca.pem", name)
        assert said == f"{name}: OK\n"
