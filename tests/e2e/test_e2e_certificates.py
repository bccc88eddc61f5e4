"""The certificates that GetToken hands out: what is in them, and what they are good for."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.e2e.contract_peer import Tls
from tests.e2e.deployment import Deployment, Node

SETS = ("grpc", "network")


@pytest.fixture(scope="module")
def node(deployment: Deployment) -> Node:
    """One node, asked for once."""
    return deployment.register()


def _set(node: Node, name: str) -> Tls:
    return node.grpc_tls if name == "grpc" else node.network_tls


def _certificate(pem: str | None) -> x509.Certificate:
    assert pem is not None
    return x509.load_pem_x509_certificate(pem.encode())


def test_all_six_are_base64_of_pem(node: Node) -> None:
    """Strict base64 on one line, of one PEM block each; keys are `EC PRIVATE KEY`."""
    for field in ("grpcCaCert", "grpcClientCert", "NetworkCaCert", "NetworkClientCert"):
        pem = base64.b64decode(node.response[field], validate=True)
        assert pem.startswith(b"-----BEGIN CERTIFICATE-----\n")
        assert pem.endswith(b"-----END CERTIFICATE-----\n")
        assert pem.count(b"-----BEGIN") == 1
    for field in ("grpcClientKey", "NetworkClientKey"):
        pem = base64.b64decode(node.response[field], validate=True)
        assert pem.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
        assert pem.count(b"-----BEGIN") == 1


@pytest.mark.parametrize("name", SETS)
def test_the_key_is_on_p256_and_the_certificates(node: Node, name: str) -> None:
    """The client key is P-256, and the certificate is for that key and no other."""
    tls = _set(node, name)
    assert tls.key is not None
    key = load_pem_private_key(tls.key.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert _certificate(tls.certificate).public_key() == key.public_key()


@pytest.mark.parametrize("name", SETS)
def test_usage_is_a_clients_alone(node: Node, name: str) -> None:
    """KeyUsage critical, digitalSignature and keyEncipherment alone; EKU clientAuth alone."""
    extensions = _certificate(_set(node, name).certificate).extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value == x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.parametrize("name", SETS)
def test_it_lives_a_year(node: Node, name: str) -> None:
    """Valid now, and for one year from now."""
    certificate = _certificate(_set(node, name).certificate)
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc <= now
    left = certificate.not_valid_after_utc - now
    assert timedelta(days=364, hours=23) < left <= timedelta(days=366)


def test_both_name_the_node_and_differ_in_serial(node: Node) -> None:
    """CN: the node's id in both, never its token; O: `lknm:register`; no serial twice."""
    certificates = [_certificate(_set(node, name).certificate) for name in SETS]
    subjects = {certificate.subject for certificate in certificates}
    assert len(subjects) == 1
    (subject,) = subjects
    (organization,) = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    (common_name,) = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert organization.value == "lknm:register"
    assert node.token not in str(common_name.value)
    assert len({certificate.serial_number for certificate in certificates}) == 2


@pytest.mark.parametrize("name", SETS)
def test_it_chains_to_its_own_ca_and_to_no_other(
    deployment: Deployment, node: Node, name: str
) -> None:
    """Each certificate is signed by the CA that came with it, which is the one in the folder."""
    tls, other = _set(node, name), _set(node, SETS[SETS.index(name) - 1])
    certificate = _certificate(tls.certificate)
    certificate.verify_directly_issued_by(_certificate(tls.ca))
    with pytest.raises(ValueError, match="does not match"):
        certificate.verify_directly_issued_by(_certificate(other.ca))
    folder = deployment.server.data_dir / "pki" / name
    assert tls.ca == (folder / "ca.pem").read_text()


def test_no_private_key_stays_behind(deployment: Deployment, node: Node) -> None:
    """The keys were made, sent once, and are nowhere in the data folder; nor is any token."""
    wanted = [secret.encode() for secret in deployment.secrets]
    assert len(wanted) > 4
    for path in deployment.server.data_dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [secret for secret in wanted if secret in content], path
    assert node.token.encode() in wanted
