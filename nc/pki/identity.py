"""A peer's identity, read from the certificate that the TLS handshake has verified.

Parts that cannot be read count as absent, and so grant nothing. Pure.
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from nc.pki.certificates import milliseconds
from nc.pki.errors import CertificateUnreadable, PkiError
from nc.pki.pem import UNREADABLE, key_sha256, public_key_of


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """The parts of a certificate that authorisation and the event log need.

    Attributes:
        common_name: the subject's CN; "" if it has none, or several.
        organizations: every O of the subject; compare whole entries.
        not_before_ms, not_after_ms: its validity, milliseconds since the epoch.
        fingerprint_sha256: SHA-256 of its DER, lower-case hex.
        key_sha256: the same of its public key; "" if that cannot be read.
    """

    common_name: str
    organizations: tuple[str, ...]
    serial: int
    not_before_ms: int
    not_after_ms: int
    fingerprint_sha256: str
    key_sha256: str


def read_peer(certificate_pem: bytes) -> PeerCertificate:
    """Read a peer's certificate; of several in `certificate_pem`, the first, which is its own.

    Raises:
        CertificateUnreadable: this is no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        not_before = certificate.not_valid_before_utc
        not_after = certificate.not_valid_after_utc
    except UNREADABLE as error:
        raise CertificateUnreadable(
            None, "the peer's certificate cannot be read", "send an X.509 certificate in PEM"
        ) from error
    common_names = _texts(certificate, NameOID.COMMON_NAME)
    return PeerCertificate(
        common_name=common_names[0] if len(common_names) == 1 else "",
        organizations=_texts(certificate, NameOID.ORGANIZATION_NAME),
        serial=certificate.serial_number,
        not_before_ms=milliseconds(not_before),
        not_after_ms=milliseconds(not_after),
        fingerprint_sha256=certificate.fingerprint(SHA256()).hex(),
        key_sha256=_key_sha256(certificate),
    )


def _key_sha256(certificate: x509.Certificate) -> str:
    try:
        return key_sha256(public_key_of(certificate))
    except PkiError:
        return ""


def _texts(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    try:
        attributes = certificate.subject.get_attributes_for_oid(oid)
    except UNREADABLE:  # text in another encoding than the subject names
        return ()
    return tuple(value for a in attributes if isinstance(value := a.value, str))
