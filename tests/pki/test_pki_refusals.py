"""What a CA refuses: to sign outside its time, to sign nonsense, and to be no CA at all."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from nc.pki.authority import CertificateAuthority, self_signed
from nc.pki.certificates import CLOCK_SKEW, LEAF_LIFETIME, AuthorityKind
from nc.pki.errors import (
    AuthorityExpired,
    AuthorityNotYetValid,
    CertificateUnreadable,
    InvalidName,
    KeyMismatch,
    NotAnAuthority,
)

NOW = datetime(2026, 5, 17, 12, 0, 0, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = ec.generate_private_key(ec.SECP256R1())
AUTHORITY = self_signed(AuthorityKind.GRPC, KEY, NOW, 1)
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


@pytest.mark.parametrize("late", [timedelta(0), SECOND, timedelta(days=4000)])
def test_an_expired_ca_signs_nothing(late: timedelta) -> None:
    """From its last second on, a CA refuses and says what to do."""
    now = AUTHORITY.not_after + late
    with pytest.raises(AuthorityExpired, match="every node must join again"):
        AUTHORITY.issue_client("n", "o", now, 3)
    with pytest.raises(AuthorityExpired, match="every node must join again"):
        AUTHORITY.issue_server(["localhost"], now, 3)


def test_a_ca_from_the_future_signs_nothing() -> None:
    """A clock that reads a time before the CA was made would date certificates wrongly."""
    with pytest.raises(AuthorityNotYetValid, match="set this machine's clock"):
        AUTHORITY.issue_client("n", "o", NOW - CLOCK_SKEW - 2 * SECOND, 3)


@pytest.mark.parametrize("text", ["", "a" * 65, "é" * 33, "a\0b", "a\nb", "\ud800"])
def test_an_impossible_subject_is_refused(text: str) -> None:
    """What no certificate can carry as a name is one clear error."""
    with pytest.raises(InvalidName):
        AUTHORITY.issue_client(text, "o", NOW, 3)
    with pytest.raises(InvalidName):
        AUTHORITY.issue_client("n", text, NOW, 3)


def test_a_server_without_names_is_refused() -> None:
    """A server certificate that no client could accept is not signed."""
    with pytest.raises(InvalidName):
        AUTHORITY.issue_server([], NOW, 3)


@pytest.mark.parametrize("serial", [0, -1, 2**159])
def test_a_serial_out_of_range_is_refused(serial: int) -> None:
    """RFC 5280: a serial number is positive and fits into 20 bytes."""
    with pytest.raises(ValueError, match="serial"):
        AUTHORITY.issue_client("n", "o", NOW, serial)


def test_a_damaged_ca_certificate_is_refused() -> None:
    """One wrong byte in a self-signed CA is found before nodes are given it."""
    whole = AUTHORITY.certificate.public_bytes(Encoding.DER)
    year = AUTHORITY.not_after.strftime("%y%m%d").encode()
    longer = x509.load_der_x509_certificate(whole.replace(year, b"4" + year[1:]))
    assert longer.not_valid_after_utc > AUTHORITY.not_after
    with pytest.raises(CertificateUnreadable, match="damaged"):
        CertificateAuthority(longer, KEY)


def test_a_key_of_another_ca_is_refused() -> None:
    """A CA never signs with a key that its certificate does not vouch for."""
    with pytest.raises(KeyMismatch):
        CertificateAuthority(AUTHORITY.certificate, ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    "parts",
    [[], [x509.BasicConstraints(ca=False, path_length=None)], [LEAF_USAGE], [IS_CA, LEAF_USAGE]],
    ids=["says nothing", "says no", "usage only", "may not sign"],
)
def test_a_certificate_that_may_not_sign_is_no_authority(parts: list[x509.ExtensionType]) -> None:
    """Clients refuse what a non-CA signed, so it is refused here first."""
    with pytest.raises(NotAnAuthority):
        CertificateAuthority(ca_like(*parts), KEY)
