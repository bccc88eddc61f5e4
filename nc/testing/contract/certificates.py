"""What is wrong with an enrolment's certificates (contract, §3, GetToken)."""

from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nc.testing.contract.history import CertificateSet

_ORGANIZATION = "lknm:register"
_KEY_HEADER = b"-----BEGIN EC PRIVATE KEY-----"
_YEAR = timedelta(days=365)
_TOLERANCE = timedelta(days=2)  # a leap day, and a clock that was set back a little


def flaws_of(certificates: CertificateSet) -> list[str]:
    try:
        authority = x509.load_pem_x509_certificate(certificates.ca)
        leaf = x509.load_pem_x509_certificate(certificates.certificate)
        key = load_pem_private_key(certificates.key, password=None)
    except ValueError:
        return ["it is not PEM"]
    found = list(_flaws(authority, leaf))
    if not certificates.key.startswith(_KEY_HEADER):
        found.append("its key is no EC PRIVATE KEY")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        found.append("its key is not of P-256")
    if key.public_key() != leaf.public_key():
        found.append("its key is not the certificate's")
    return found


def common_names(certificates: CertificateSet) -> list[str]:
    leaf = x509.load_pem_x509_certificate(certificates.certificate)
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(name.value) for name in names]


def serial_and_end(certificates: CertificateSet) -> tuple[str, int]:
    """The certificate's serial in hex, and when it ends, Unix milliseconds; "" and 0 of no PEM."""
    try:
        leaf = x509.load_pem_x509_certificate(certificates.certificate)
    except ValueError:
        return "", 0
    return f"{leaf.serial_number:x}", int(leaf.not_valid_after_utc.timestamp()) * 1000


def _flaws(authority: x509.Certificate, leaf: x509.Certificate) -> Iterator[str]:
    try:
        leaf.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        yield "its CA did not sign it"
    organizations = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if [name.value for name in organizations] != [_ORGANIZATION]:
        yield f"its organization is not {_ORGANIZATION}"
    if not leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield "it has no common name"
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if not _YEAR - _TOLERANCE <= lifetime <= _YEAR + _TOLERANCE:
        yield f"it lasts {lifetime.days} days, not a year"
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
        extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        yield "it does not say what it is for"
        return
    if not (usage.critical and usage.value.digital_signature and usage.value.key_encipherment):
        yield "its key usage is not critical digitalSignature and keyEncipherment"
    if ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        yield "it is not for clients"
