"""From PEM to certificates and keys, and back. Pure: paths are for errors only."""

from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from nc.pki.errors import CertificateUnreadable, KeyUnreadable

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""All that the library raises for a certificate that it cannot read, or a part of it."""


def load_certificates(pem: bytes, path: Path | None = None) -> tuple[x509.Certificate, ...]:
    """Read every certificate in a PEM file, at least one, in their order; other text is skipped.

    Raises:
        CertificateUnreadable: there is none, or one of them is damaged.
    """
    try:
        certificates = tuple(x509.load_pem_x509_certificates(pem))
        for certificate in certificates:
            # Most parts are parsed on first access: access them where errors are caught.
            _ = (certificate.subject, certificate.issuer, certificate.extensions)
            _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except UNREADABLE as error:
        raise CertificateUnreadable(
            path,
            "does not hold a readable PEM certificate",
            "restore it from a backup, or move it away and see what is made in its place",
        ) from error
    return certificates


def load_private_key(pem: bytes, path: Path | None = None) -> PrivateKey:
    """Read an unencrypted EC or RSA key: SEC1 (`EC PRIVATE KEY`), PKCS#1 or PKCS#8.

    Raises:
        KeyUnreadable: no key, a damaged one, an encrypted one, or one of another kind.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:  # the library's error for a missing password
        raise KeyUnreadable(
            path,
            "the private key is encrypted",
            'decrypt it with "openssl pkey -in FILE -out FILE.plain", give it mode 0600, '
            "and put it in place of the encrypted one",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable(
            path, "does not hold a readable PEM private key", "restore it from a backup"
        ) from error
    if not isinstance(key, PrivateKey):
        raise KeyUnreadable(path, "the private key is neither EC nor RSA", "use one that is")
    return key


def public_key_of(certificate: x509.Certificate, path: Path | None = None) -> PublicKey:
    """A certificate's public key.

    Raises:
        CertificateUnreadable: it is damaged, or neither EC nor RSA.
    """
    try:
        key = certificate.public_key()
    except UNREADABLE as error:
        raise CertificateUnreadable(
            path, "the certificate's public key cannot be read", "use an EC or RSA certificate"
        ) from error
    if not isinstance(key, PublicKey):
        raise CertificateUnreadable(
            path, "the certificate's key is neither EC nor RSA", "use one that is"
        )
    return key


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def private_key_pem(key: PrivateKey) -> bytes:
    """Unencrypted, as `EC PRIVATE KEY` or `RSA PRIVATE KEY`, which old clients read."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def key_sha256(key: PublicKey) -> str:
    """SHA-256 of a public key (SubjectPublicKeyInfo, DER), as hex."""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
