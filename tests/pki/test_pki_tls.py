"""The certificates at work: real TLS handshakes, in memory, checked as strictly as OpenSSL can."""

import itertools
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.pki.authority import CertificateAuthority, IssuedCertificate, self_signed
from nc.pki.certificates import NODE_ORGANIZATION, AuthorityKind
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.identity import read_peer
from nc.pki.names import server_names

NOW = datetime.now(UTC)  # OpenSSL checks against the real clock
NAMES = server_names(["nc.example.com"], "10.1.1.1")


@pytest.fixture
def folder(tmp_path: Path) -> PkiFolder:
    """A complete folder of a gRPC network."""
    serials = itertools.count(1000).__next__
    return open_folder(tmp_path / "grpc", AuthorityKind.GRPC, NAMES, NOW, serials)


def node_of(authority: CertificateAuthority) -> IssuedCertificate:
    """A node's certificate, as GetToken makes it."""
    return authority.issue_client("2b" * 16, NODE_ORGANIZATION, NOW, 7)


def server_side(folder: PkiFolder) -> ssl.SSLContext:
    """A server of this folder that wants a client certificate from the folder's CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.paths.server, folder.paths.server_key)
    context.load_verify_locations(folder.paths.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def client_side(
    trusted: CertificateAuthority, own: IssuedCertificate | None, folder: Path
) -> ssl.SSLContext:
    """A client that trusts one CA and shows one certificate, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=trusted.certificate_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if own is not None:
        pair = folder / "pair.pem"
        pair.write_bytes(own.key_pem + own.certificate_pem)
        context.load_cert_chain(pair)
    return context


def shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str
) -> tuple[bytes | None, bytes | None]:
    """Carry a handshake to its end and a byte each way; the DER that each side saw of the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    at_server = server.wrap_bio(to_server, to_client, server_side=True)
    at_client = client.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = [at_client.do_handshake, at_server.do_handshake]
    while waiting:
        for step in list(waiting):
            try:
                step()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(step)
    at_client.write(b"?")
    assert at_server.read(1) == b"?"
    at_server.write(b"!")
    assert at_client.read(1) == b"!"
    return at_server.getpeercert(binary_form=True), at_client.getpeercert(binary_form=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_node_and_the_server_accept_each_other_by_every_name(
    folder: PkiFolder, tmp_path: Path, name: str
) -> None:
    """Mutual TLS works under each of the server's names, and the server sees who the node is."""
    node = node_of(folder.authority)
    client = client_side(folder.authority, node, tmp_path)
    seen, _ = shake_hands(server_side(folder), client, name)
    assert seen is not None
    peer = read_peer(ssl.DER_cert_to_PEM_cert(seen).encode())
    assert peer == read_peer(node.certificate_pem)
    assert (peer.common_name, peer.organizations) == ("2b" * 16, (NODE_ORGANIZATION,))


def test_the_admins_set_in_the_folder_opens_the_server(folder: PkiFolder) -> None:
    """The folder's own client pair is accepted by the folder's own server."""
    client = client_side(folder.authority, None, folder.paths.ca.parent)
    client.load_cert_chain(folder.paths.client, folder.paths.client_key)
    seen, _ = shake_hands(server_side(folder), client, "localhost")
    assert seen is not None
    peer = read_peer(ssl.DER_cert_to_PEM_cert(seen).encode())
    assert (peer.common_name, peer.organizations) == ("admin", ("nc:admin",))


def test_an_issued_server_pair_serves(folder: PkiFolder, tmp_path: Path) -> None:
    """`issue_server` gives a pair that clients of the CA accept."""
    issued = folder.authority.issue_server(["192.0.2.7"], NOW, 9)
    pair = tmp_path / "server-pair.pem"
    pair.write_bytes(issued.key_pem + issued.certificate_pem)
    server = server_side(folder)
    server.load_cert_chain(pair)
    client = client_side(folder.authority, node_of(folder.authority), tmp_path)
    _, seen = shake_hands(server, client, "192.0.2.7")
    assert seen == ssl.PEM_cert_to_DER_cert(issued.certificate_pem.decode())


def test_a_name_that_the_certificate_lacks_is_refused(folder: PkiFolder, tmp_path: Path) -> None:
    """A client that asks for another name does not talk to this server."""
    client = client_side(folder.authority, node_of(folder.authority), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example"):
        shake_hands(server_side(folder), client, "other.example")


def test_a_client_of_a_ca_with_the_same_name_is_refused(folder: PkiFolder, tmp_path: Path) -> None:
    """What counts is the CA's key, not what it is called."""
    namesake = self_signed(AuthorityKind.GRPC, ec.generate_private_key(ec.SECP256R1()), NOW, 3)
    client = client_side(folder.authority, node_of(namesake), tmp_path)
    with pytest.raises(ssl.SSLError):
        shake_hands(server_side(folder), client, "localhost")


def test_a_server_of_a_foreign_ca_is_refused(folder: PkiFolder, tmp_path: Path) -> None:
    """A client trusts the servers of its own CA only."""
    foreign = self_signed(AuthorityKind.NETWORK, ec.generate_private_key(ec.SECP256R1()), NOW, 3)
    client = client_side(foreign, node_of(folder.authority), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server_side(folder), client, "localhost")


def test_a_client_without_a_certificate_is_refused(folder: PkiFolder, tmp_path: Path) -> None:
    """The control port is closed to whoever shows nothing."""
    client = client_side(folder.authority, None, tmp_path)
    with pytest.raises(ssl.SSLError):
        shake_hands(server_side(folder), client, "localhost")


def test_a_node_cannot_pose_as_the_server(folder: PkiFolder, tmp_path: Path) -> None:
    """A client certificate does not serve as a server's, even to those that trust the CA."""
    node = node_of(folder.authority)
    pair = tmp_path / "posing.pem"
    pair.write_bytes(node.key_pem + node.certificate_pem)
    server = server_side(folder)
    server.load_cert_chain(pair)
    client = client_side(folder.authority, node, tmp_path)
    client.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|usage"):
        shake_hands(server, client, "localhost")
