"""What a CA and the certificates that it signs contain."""

import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from nc.pki.authority import CertificateAuthority, IssuedCertificate, self_signed
from nc.pki.certificates import (
    ADMIN_COMMON_NAME,
    ADMIN_ORGANIZATION,
    AUTHORITY_LIFETIME,
    CLOCK_SKEW,
    LEAF_LIFETIME,
    NODE_ORGANIZATION,
    AuthorityKind,
    ca_cert_hash,
    milliseconds,
)
from nc.pki.identity import read_peer
from nc.pki.pem import load_certificates, load_private_key

NOW = datetime(2026, 5, 17, 12, 0, 0, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = ec.generate_private_key(ec.SECP256R1())
AUTHORITY = self_signed(AuthorityKind.GRPC, KEY, NOW, 1)
SERIALS = st.integers(min_value=1, max_value=2**159 - 1)
NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"], max_codepoint=0x2FFF), min_size=1, max_size=21
)

LEAF_USAGE = x509.KeyUsage(
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


def parsed(issued: IssuedCertificate) -> x509.Certificate:
    """Read an issued certificate back."""
    return load_certificates(issued.certificate_pem)[0]


def extensions(certificate: x509.Certificate) -> dict[type, tuple[bool, object]]:
    """Give every extension by its type: whether it is critical, and its value."""
    return {type(e.value): (e.critical, e.value) for e in certificate.extensions}


@pytest.mark.parametrize("kind", AuthorityKind)
def test_a_ca_says_which_network_it_is_for_and_signs_leaves_only(kind: AuthorityKind) -> None:
    """A CA is self-signed on P-256, for ten years, and may sign leaves and lists, nothing else."""
    certificate = self_signed(kind, KEY, NOW, 77).certificate
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject.rfc4514_string() == f"CN={kind.value}"
    assert certificate.serial_number == 77
    assert certificate.not_valid_before_utc == (NOW - CLOCK_SKEW).replace(microsecond=0)
    assert certificate.not_valid_after_utc == (NOW + AUTHORITY_LIFETIME).replace(microsecond=0)
    public_key = certificate.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    assert public_key.curve.name == "secp256r1"
    found = extensions(certificate)
    assert found.keys() == {x509.BasicConstraints, x509.KeyUsage, x509.SubjectKeyIdentifier}
    assert found[x509.BasicConstraints] == (True, x509.BasicConstraints(ca=True, path_length=0))
    critical, usage = found[x509.KeyUsage]
    assert critical
    assert isinstance(usage, x509.KeyUsage)
    assert usage.key_cert_sign
    assert usage.crl_sign
    assert not usage.digital_signature


@given(NAMES, NAMES, SERIALS)
def test_a_client_certificate_carries_exactly_what_was_asked(
    common_name: str, organization: str, serial: int
) -> None:
    """CONTRACT: KeyUsage critical signature+encipherment, EKU clientAuth, one year, P-256, SEC1."""
    issued = AUTHORITY.issue_client(common_name, organization, NOW, serial)
    certificate = parsed(issued)
    certificate.verify_directly_issued_by(AUTHORITY.certificate)
    assert issued.serial == certificate.serial_number == serial
    assert certificate.not_valid_before_utc == (NOW - CLOCK_SKEW).replace(microsecond=0)
    assert certificate.not_valid_after_utc == (NOW + LEAF_LIFETIME).replace(microsecond=0)
    assert issued.not_after_ms == milliseconds(certificate.not_valid_after_utc)
    assert [(a.oid, a.value) for a in certificate.subject] == [
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.COMMON_NAME, common_name),
    ]
    identifier = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key())
    assert extensions(certificate) == {
        x509.KeyUsage: (True, LEAF_USAGE),
        x509.ExtendedKeyUsage: (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        x509.AuthorityKeyIdentifier: (
            False,
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
        ),
    }
    assert issued.key_pem.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    key = load_private_key(issued.key_pem)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == certificate.public_key()


def test_the_contract_names_nodes_and_the_admin() -> None:
    """CONTRACT §4: nodes are O=lknm:register, the admin is O=nc:admin and CN=admin."""
    node = read_peer(
        AUTHORITY.issue_client("1f" * 16, NODE_ORGANIZATION, NOW, 5).certificate_pem,
    )
    admin = read_peer(
        AUTHORITY.issue_client(ADMIN_COMMON_NAME, ADMIN_ORGANIZATION, NOW, 6).certificate_pem,
    )
    assert (node.common_name, node.organizations) == ("1f" * 16, ("lknm:register",))
    assert (admin.common_name, admin.organizations) == ("admin", ("nc:admin",))


@given(st.lists(st.ip_addresses().map(str), min_size=1, max_size=8, unique=True), SERIALS)
def test_a_server_certificate_carries_exactly_its_names(names: list[str], serial: int) -> None:
    """A server certificate has all names asked for, EKU serverAuth, and both key identifiers."""
    certificate = parsed(AUTHORITY.issue_server([*names, "nc.example.com"], NOW, serial))
    certificate.verify_directly_issued_by(AUTHORITY.certificate)
    found = extensions(certificate)
    assert found.pop(x509.SubjectAlternativeName) == (
        False,
        x509.SubjectAlternativeName(
            [
                *(x509.IPAddress(ipaddress.ip_address(name)) for name in names),
                x509.DNSName("nc.example.com"),
            ]
        ),
    )
    assert found[x509.KeyUsage] == (True, LEAF_USAGE)
    assert found[x509.ExtendedKeyUsage] == (
        False,
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    )
    assert found.keys() == {
        x509.KeyUsage,
        x509.ExtendedKeyUsage,
        x509.AuthorityKeyIdentifier,
        x509.SubjectKeyIdentifier,
    }


def test_every_issued_certificate_has_its_own_key() -> None:
    """No two nodes ever share a private key."""
    keys = {AUTHORITY.issue_client("n", "o", NOW, n).key_pem for n in range(1, 20)}
    assert len(keys) == 19


@example(-CLOCK_SKEW)
@given(st.timedeltas(min_value=-CLOCK_SKEW, max_value=AUTHORITY_LIFETIME - 2 * SECOND))
def test_no_leaf_outlives_its_ca(age: timedelta) -> None:
    """At any moment of a CA's life, what it signs begins and ends within that life."""
    certificate = parsed(AUTHORITY.issue_client("n", "o", NOW + age, 3))
    assert certificate.not_valid_before_utc >= AUTHORITY.certificate.not_valid_before_utc
    assert certificate.not_valid_after_utc <= AUTHORITY.not_after
    assert certificate.not_valid_after_utc <= NOW + age + LEAF_LIFETIME


def ca_like(*parts: x509.ExtensionType) -> x509.Certificate:
    """Sign a certificate with these extensions by its own key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "by hand")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(9)
        .not_valid_before(NOW)
        .not_valid_after(NOW + LEAF_LIFETIME)
    )
    for part in parts:
        builder = builder.add_extension(part, critical=True)
    return builder.sign(KEY, SHA256())


IS_CA = x509.BasicConstraints(ca=True, path_length=None)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([], x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()).digest),
        ([x509.SubjectKeyIdentifier(b"by hand")], b"by hand"),
    ],
    ids=["none", "its own"],
)
def test_leaves_point_to_the_key_identifier_of_their_ca(
    own: list[x509.ExtensionType], expected: bytes
) -> None:
    """A CA without key usage may sign, and whatever key identifier it has, its leaves repeat."""
    authority = CertificateAuthority(ca_like(IS_CA, *own), KEY)
    leaf = parsed(authority.issue_client("n", "o", NOW, 3))
    assert extensions(leaf)[x509.AuthorityKeyIdentifier] == (
        False,
        x509.AuthorityKeyIdentifier(expected, None, None),
    )


def test_a_ca_is_named_by_the_hash_of_its_public_key() -> None:
    """The hash is kubeadm's: SHA-256 over the SubjectPublicKeyInfo, the same for a renewed CA."""
    der = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    expected = "sha256:" + hashlib.sha256(der).hexdigest()
    assert ca_cert_hash(AUTHORITY.certificate_pem) == expected
    again = self_signed(AuthorityKind.NETWORK, KEY, NOW + LEAF_LIFETIME, 2)
    assert ca_cert_hash(again.certificate_pem) == expected


def test_what_holds_a_key_never_shows_it() -> None:
    """Neither repr nor str of anything that holds a private key contains any of it."""
    issued = AUTHORITY.issue_client("n", "o", NOW, 4)
    issued_key = load_private_key(issued.key_pem)
    assert isinstance(issued_key, ec.EllipticCurvePrivateKey)
    texts = "".join(show(o) for show in (repr, str) for o in (issued, AUTHORITY))
    for key in (KEY, issued_key):
        number = key.private_numbers().private_value
        assert str(number) not in texts
        assert f"{number:x}" not in texts
    for line in issued.key_pem.decode().splitlines():
        assert line not in texts
