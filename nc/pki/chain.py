"""Which of some certificates has a key, and which are above it. Pure."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from nc.pki.pem import UNREADABLE, PrivateKey


def path_of(
    chain: Sequence[x509.Certificate], key: PrivateKey
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The certificate of a key among these, and those above it, whatever their order."""
    signing = next((c for c in chain if _has_key(c, key)), chain[0])
    issuers: list[x509.Certificate] = []
    lowest, rest = signing, [c for c in chain if c != signing]
    while lowest.issuer != lowest.subject:
        issuer = next((c for c in rest if _issued_by(lowest, c)), None)
        if issuer is None:
            break
        issuers.append(issuer)
        rest.remove(issuer)
        lowest = issuer
    return signing, tuple(issuers)


def _has_key(certificate: x509.Certificate, key: PrivateKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except UNREADABLE:
        return False


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True
