"""Renewing a server: it gains the names that it lacks and loses none that it had."""

import shutil
from pathlib import Path

from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from nc.pki.folder import PkiFolder
from nc.pki.names import general_names
from nc.pki.pem import certificate_pem, load_certificates, load_private_key
from nc.pki.renewal import flaws_of_names, missing_names, names_of
from tests.support.pki_folders import DAY, NAMES, NOW, SERIALS, opened


def server_of(folder: PkiFolder) -> x509.Certificate:
    """Read the server's certificate."""
    return load_certificates(folder.paths.server.read_bytes())[0]


def test_a_missing_name_is_added_and_no_name_is_lost(path: Path) -> None:
    """A server that moves keeps its old names, so clients that use them go on working."""
    folder = opened(path, ("nc.example.com", "10.9.9.1"))
    assert [str(made) for made in folder.made] == [
        "server.pem renewed: it did not name nc.example.com and 10.9.9.1"
    ]
    assert names_of(server_of(folder)) == general_names((*NAMES, "nc.example.com", "10.9.9.1"))
    assert opened(path, ("NC.example.com",)).made == ()


def test_names_that_were_added_by_hand_survive_every_renewal(path: Path) -> None:
    """Wildcards, URIs and whatever else a user's certificate carried are in its successor."""
    by_hand = (
        x509.DNSName("*.Example.com"),
        x509.DNSName("LocalHost"),
        x509.UniformResourceIdentifier("spiffe://example/nc"),
        x509.RFC822Name("ops@example.com"),
        *general_names(["203.0.113.9"]),
    )
    folder = opened(path)
    key = load_private_key(folder.paths.server_key.read_bytes()).public_key()
    signed = folder.authority.sign_server(by_hand, key, NOW, next(SERIALS))
    folder.paths.server.write_bytes(certificate_pem(signed))
    for now in (NOW, NOW + 340 * DAY, NOW + 900 * DAY):
        assert "server.pem" in {made.name for made in opened(path, now=now).made}
        assert names_of(server_of(folder)) == (*by_hand, *general_names(["192.0.2.7"]))


def test_names_survive_a_lost_key_and_a_foreign_ca(path: Path, tmp_path: Path) -> None:
    """Whyever a server certificate is replaced, its names are kept."""
    other = opened(tmp_path / "other", (*NAMES, "added.example"))
    shutil.copy(other.paths.server, path / "server.pem")
    (path / "server-key.pem").unlink()
    folder = opened(path)
    assert names_of(server_of(folder)) == general_names((*NAMES, "added.example"))
    server_of(folder).verify_directly_issued_by(folder.authority.certificate)


NAME_LISTS = st.lists(
    st.sampled_from(["a.example", "A.example", "b.example", "::1", "10.1.1.1", "10.1.1.2"])
).map(general_names)


@given(NAME_LISTS, NAME_LISTS)
def test_present_and_missing_names_together_are_all_that_is_required(
    present: tuple[x509.GeneralName, ...], required: tuple[x509.GeneralName, ...]
) -> None:
    """No required name is forgotten, none is added twice, and a flaw is told only if one lacks."""
    missing = missing_names(present, required)
    assert set(required) <= {*present, *missing}
    assert not set(present) & set(missing)
    assert set(missing) <= set(required)
    assert bool(flaws_of_names(missing)) == bool(missing)
