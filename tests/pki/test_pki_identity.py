"""Reading a peer's certificate: what is odd grants nothing, what is garbage is one error."""

import contextlib
import hashlib
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from nc.pki.authority import self_signed
from nc.pki.certificates import AuthorityKind
from nc.pki.errors import CertificateUnreadable
from nc.pki.identity import PeerCertificate, read_peer

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
AUTHORITY = self_signed(AuthorityKind.GRPC, KEY, NOW, 1)


def certificate(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Certificate:
    """Sign a certificate about a subject of these parts."""
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, text) for oid, text in parts]))
        .issuer_name(AUTHORITY.certificate.subject)
        .public_key(KEY.public_key())
        .serial_number(0xABCDEF)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(KEY, SHA256())
    )


WHOLE = certificate((NameOID.COMMON_NAME, "n1"), (NameOID.ORGANIZATION_NAME, "o")).public_bytes(
    Encoding.DER
)


def test_a_certificate_reads_back_as_it_was_signed() -> None:
    """Every field is the certificate's own; times in milliseconds, fingerprint over the DER."""
    node = certificate((NameOID.ORGANIZATION_NAME, "lknm:register"), (NameOID.COMMON_NAME, "n1"))
    spki = node.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert read_peer(node.public_bytes(Encoding.PEM)) == PeerCertificate(
        common_name="n1",
        organizations=("lknm:register",),
        serial=0xABCDEF,
        not_before_ms=1_779_019_200_000,
        not_after_ms=1_779_105_600_000,
        fingerprint_sha256=hashlib.sha256(node.public_bytes(Encoding.DER)).hexdigest(),
        key_sha256=hashlib.sha256(spki).hexdigest(),
    )


@pytest.mark.parametrize(
    ("parts", "common_name", "organizations"),
    [
        ([], "", ()),
        ([(NameOID.ORGANIZATION_NAME, "o")], "", ("o",)),
        ([(NameOID.COMMON_NAME, "a"), (NameOID.COMMON_NAME, "b")], "", ()),
        (
            [(NameOID.ORGANIZATION_NAME, "x"), (NameOID.ORGANIZATION_NAME, "nc:admin")],
            "",
            ("x", "nc:admin"),
        ),
        ([(NameOID.COMMON_NAME, "nc:admin,O=x")], "nc:admin,O=x", ()),
    ],
    ids=["empty", "no CN", "two CNs", "two Os", "a CN that looks like more"],
)
def test_an_odd_subject_is_read_and_never_guessed_at(
    parts: list[tuple[x509.ObjectIdentifier, str]],
    common_name: str,
    organizations: tuple[str, ...],
) -> None:
    """A missing or ambiguous CN is no CN, and organizations stay apart."""
    peer = read_peer(certificate(*parts).public_bytes(Encoding.PEM))
    assert (peer.common_name, peer.organizations) == (common_name, organizations)


def test_a_subject_in_a_broken_encoding_names_nobody() -> None:
    """Text that is not the UTF-8 it claims to be is no name, and no exception either."""
    whole = certificate((NameOID.COMMON_NAME, "nodename")).public_bytes(Encoding.DER)
    broken = x509.load_der_x509_certificate(whole.replace(b"nodename", b"node\xff\xfeme"))
    peer = read_peer(broken.public_bytes(Encoding.PEM))
    assert (peer.common_name, peer.organizations) == ("", ())


@given(st.binary(max_size=200))
def test_garbage_is_one_clear_error(data: bytes) -> None:
    """Bytes that are no certificate raise CertificateUnreadable, whatever they are."""
    for pem in (data, b"-----BEGIN CERTIFICATE-----\n" + data + b"\n-----END CERTIFICATE-----\n"):
        with pytest.raises(CertificateUnreadable, match="cannot be read"):
            read_peer(pem)


@pytest.mark.filterwarnings("ignore")  # the library's, of serial numbers and lengths that are odd
@example(11, 1)  # version 4
@example(14, 128)  # a negative serial number
@example(112, 15)  # a common name that is a string of bits
@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_damaged_certificate_reads_or_is_one_clear_error(position: int, change: int) -> None:
    """Changing any byte of a certificate never raises anything but CertificateUnreadable."""
    der = bytearray(WHOLE)
    der[position % len(der)] ^= change
    with contextlib.suppress(CertificateUnreadable):
        read_peer(ssl.DER_cert_to_PEM_cert(bytes(der)).encode())
