"""Keys that machines make, and their certificate requests: the same for the same name."""

from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def _key(name: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(sha256(name.encode()).digest()) >> 1  # below the order of the curve
    return ec.derive_private_key(number, ec.SECP256R1())


@cache
def key_pem(name: str) -> bytes:
    return _key(name).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@cache
def request_pem(name: str) -> str:
    """PKCS #10 with this key; names nobody."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(_key(name), SHA256()).public_bytes(Encoding.PEM).decode()
