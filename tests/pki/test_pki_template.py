"""Certificates from the template are those that the library's builder makes."""

import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from nc.pki.authority import CertificateAuthority
from nc.pki.certificates import Issuer, client_certificate, subject
from nc.pki.errors import InvalidName
from nc.pki.pem import PrivateKey
from nc.pki.template import ClientTemplate, pem

DAY = timedelta(days=1)
KINDS = ("P-256", "P-384", "RSA")
LEAF_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
POINT = LEAF_KEY.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
YEARS = (datetime(1971, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - Hypothesis adds UTC
SIGNS = x509.KeyUsage(
    key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False,
    key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
    decipher_only=False,
)  # fmt: skip
NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=16
)  # at most 64 bytes


@cache
def key_of(kind: str) -> PrivateKey:
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP384R1() if kind == "P-384" else ec.SECP256R1())


def founded(key: PrivateKey, start: datetime, end: datetime, serial: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a CA")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(SIGNS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


@given(
    kind=st.sampled_from(KINDS),
    common_name=NAMES,
    organization=NAMES,
    serial=st.integers(1, (1 << 159) - 1),
    start=st.datetimes(*YEARS, timezones=st.just(UTC)),
    age=st.timedeltas(timedelta(), 3649 * DAY),
)
def test_the_signed_part_is_the_builders(
    kind: str, common_name: str, organization: str, serial: int, start: datetime, age: timedelta
) -> None:
    """For each kind of CA, any names, serials and dates, the bytes to sign are the same."""
    key = key_of(kind)
    certificate = founded(key, start, start + 3650 * DAY, 7)
    issuer = Issuer.of(certificate, key.public_key())
    now = start + age
    name = subject(common_name, organization)
    built = client_certificate(name, LEAF_KEY, issuer, now, serial).sign(key, SHA256())
    template = ClientTemplate(key, issuer)
    assert template.tbs(common_name, organization, now, serial, POINT) == (
        built.tbs_certificate_bytes
    )


@pytest.mark.parametrize("year", [2026, 2049, 2050])
@pytest.mark.parametrize("kind", KINDS)
def test_openssl_verifies_what_is_signed(kind: str, year: int, tmp_path: Path) -> None:
    """OpenSSL accepts certificate and key, whatever the CA's key, before and after 2050."""
    start = datetime(year, 3, 1, tzinfo=UTC)
    certificate = founded(key_of(kind), start, start + 3650 * DAY, 7)
    authority = CertificateAuthority(certificate, key_of(kind))
    issued = authority.issue_client("1f" * 16, "lknm:register", start + DAY, 1 << 158)
    for name, data in (
        ("ca.pem", authority.certificate_pem),
        ("client.pem", issued.certificate_pem),
        ("key.pem", issued.key_pem),
    ):
        (tmp_path / name).write_bytes(data)

    def openssl(*arguments: str) -> str:
        return subprocess.run(
            ["openssl", *arguments],  # noqa: S607 - Debian's, wherever it is
            check=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        ).stdout

    at = str(int((start + 2 * DAY).timestamp()))
    purpose = ("-purpose", "sslclient", "-attime", at)
    assert "OK" in openssl("verify", "-x509_strict", *purpose, "-CAfile", "ca.pem", "client.pem")
    public = openssl("x509", "-in", "client.pem", "-noout", "-pubkey")
    assert public == openssl("ec", "-in", "key.pem", "-pubout")
    parsed = x509.load_pem_x509_certificate(issued.certificate_pem)
    assert issued.not_after_ms == int(parsed.not_valid_after_utc.timestamp()) * 1000
    assert issued.certificate_pem == parsed.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_a_serial_out_of_range_is_refused(serial: int) -> None:
    """No certificate is made with it."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    key = key_of("P-256")
    authority = CertificateAuthority(founded(key, start, start + DAY, 7), key)
    with pytest.raises(ValueError, match="serial"):
        authority.issue_client("n", "o", start, serial)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb"])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    """As by the builder."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    key = key_of("P-256")
    authority = CertificateAuthority(founded(key, start, start + DAY, 7), key)
    for names in ((name, "o"), ("n", name)):
        with pytest.raises(InvalidName):
            authority.issue_client(*names, start, 1)


@given(st.binary(max_size=500))
def test_pem_holds_the_bytes(der: bytes) -> None:
    """What is decoded from the PEM is what was encoded."""
    import ssl  # noqa: PLC0415 - for this test alone

    text = pem("CERTIFICATE", der).decode()
    assert all(len(line) <= 64 for line in text.splitlines())
    if der:
        assert ssl.PEM_cert_to_DER_cert(text) == der
