"""Renewal: what a certificate that is signed anew keeps of the old one, and when none is signed."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from nc.files import OsFiles
from nc.pki.certificates import AUTHORITY_LIFETIME, LEAF_LIFETIME, milliseconds
from nc.pki.errors import FolderUnusable
from nc.pki.identity import read_peer
from nc.pki.pem import certificate_pem, load_private_key
from tests.support.pki_folders import DAY, NOW, SERIALS, contents, leaf, opened


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
