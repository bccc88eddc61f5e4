"""A new key, and the request to have it certified (PKCS #10, RFC 2986): the key stays here."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from nc.pki.pem import private_key_pem


def certificate_request(common_name: str) -> tuple[bytes, bytes]:
    """A P-256 key and its request, both PEM; a common name has 1 to 64 characters."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return private_key_pem(key), request.public_bytes(Encoding.PEM)
