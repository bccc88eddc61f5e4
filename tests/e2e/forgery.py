"""Certificates that the server never handed out: foreign, expired, odd."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tests.e2e.contract_peer import Tls


class Signer(NamedTuple):
    """Somebody with a CA's key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def stolen(cls, certificate_pem: str, key_pem: str) -> Self:
        """With the key of a CA that exists."""
        key = load_pem_private_key(key_pem.encode(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate(certificate_pem.encode()), key)

    @classmethod
    def like(cls, certificate_pem: str) -> Self:
        """A CA of the same name as another one, with a key of its own."""
        original = x509.load_pem_x509_certificate(certificate_pem.encode())
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(original.subject, original.subject, key.public_key(), timedelta(days=9))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        return cls(builder.sign(key, SHA256()), key)

    def sign(
        self,
        common_names: Sequence[str],
        organizations: Sequence[str],
        ends_in: timedelta = timedelta(days=1),
    ) -> Tls:
        """A client certificate with these names, to be used against the server of the real CA."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in organizations),
                *(x509.NameAttribute(NameOID.COMMON_NAME, text) for text in common_names),
            ]
        )
        builder = _builder(subject, self.certificate.subject, key.public_key(), ends_in)
        certificate = builder.sign(self.key, SHA256())
        return Tls(
            self.certificate.public_bytes(Encoding.PEM).decode(),
            key.private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            ).decode(),
            certificate.public_bytes(Encoding.PEM).decode(),
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, ends_in: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + ends_in)
    )
