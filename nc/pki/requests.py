"""Certificate requests (PKCS #10, RFC 2986): made by who has the key, read by who signs."""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from nc.pki.errors import PkiError
from nc.pki.pem import UNREADABLE, PrivateKey, PublicKey, private_key_pem

# A request is a few hundred bytes; one with the largest RSA key and names is below 4 KB.
MAX_REQUEST_BYTES: Final = 16 * 1024

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)  # those that TLS libraries have
_RSA_BITS: Final = range(2048, 8192 + 1)


class RequestUnusable(PkiError):
    """No certificate can be signed for this request."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(None, problem, remedy)


def requested_key(request_pem: str) -> PublicKey:
    """The public key that a certificate is requested for; its holder has signed the request.

    Raises:
        RequestUnusable: it cannot be read, its signature is wrong, or its key is of another kind.
    """
    if len(request_pem) > MAX_REQUEST_BYTES:
        raise RequestUnusable(
            f"the certificate request has more than {MAX_REQUEST_BYTES} bytes",
            "send the request alone, in PEM",
        )
    try:
        request = x509.load_pem_x509_csr(request_pem.encode("utf-8", "replace"))
        is_signed, key = request.is_signature_valid, request.public_key()
    except UNREADABLE as error:
        raise RequestUnusable(
            "the certificate request cannot be read",
            "send PKCS #10 in PEM, as openssl req -new makes it",
        ) from error
    if not is_signed:
        raise RequestUnusable(
            "the signature of the certificate request is not that of its key", "make it again"
        )
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
        return key
    raise RequestUnusable(
        "the key of the certificate request is of a kind that is not signed",
        "use EC on P-256, P-384 or P-521, or RSA of 2048 to 8192 bits",
    )


def certificate_request(common_name: str) -> tuple[bytes, bytes]:
    """A new P-256 key and a request for it, both PEM; a common name has 1 to 64 characters."""
    key = ec.generate_private_key(ec.SECP256R1())
    return private_key_pem(key), request_for(key, common_name)


def request_for(key: PrivateKey, common_name: str = "") -> bytes:
    """A request for a key, PEM; without a common name it names nobody."""
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
