"""Signs client certificates from a template: the DER of one that the library made, with new fields.

The library's builder takes some 60 µs a certificate, most of them for parts that are the same in
all client certificates of a CA. Here only the parts that differ are encoded:

    TBSCertificate  ::=  SEQUENCE  {                  RFC 5280, 4.1
         version         [0]                          from the template
         serialNumber         INTEGER                 new
         signature            AlgorithmIdentifier     from the template
         issuer               Name                    from the template
         validity             Validity                new each second
         subject              Name                    new
         subjectPublicKeyInfo                         new: a point on P-256
         extensions      [3]                          from the template
    }

Byte for byte what the builder makes, which the tests hold it to.
"""

import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nc.pki.certificates import (
    ADMIN,
    Issuer,
    client_certificate,
    leaf_end,
    leaf_start,
    milliseconds,
    require_subject,
)
from nc.pki.pem import PrivateKey

_CURVE: Final = ec.SECP256R1()
_ECDSA: Final = ec.ECDSA(SHA256())
_POINT_BYTES: Final = 65  # uncompressed (SEC 1, 2.3.3)
_SPKI_BEFORE_POINT: Final = bytes.fromhex(
    "3059"  # SubjectPublicKeyInfo
    "301306072a8648ce3d020106082a8648ce3d030107"  # ecPublicKey, prime256v1 (RFC 5480)
    "034200"
)
_INTEGER, _BIT_STRING, _UTF8_STRING, _SEQUENCE, _SET = 0x02, 0x03, 0x0C, 0x30, 0x31
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_GENERALIZED_FROM: Final = 2050  # the year
_LONG_FORM: Final = 0x80  # of a length: the count of its octets follows
_ORGANIZATION, _COMMON_NAME = bytes.fromhex("060355040a"), bytes.fromhex("0603550403")


@dataclass(frozen=True, slots=True)
class Signed:
    """A client certificate and its key, as DER; the key is an ECPrivateKey (RFC 5915)."""

    certificate: bytes
    key: bytes
    not_after_ms: int


class ClientTemplate:
    """The parts that all client certificates of one CA share, and the CA's key.

    Args:
        key: the CA's.
        issuer: what leaves take over from the CA's certificate.
    """

    def __init__(self, key: PrivateKey, issuer: Issuer) -> None:
        self._sign = _signer(key)
        self._issuer = issuer
        sample = client_certificate(
            ADMIN, ec.generate_private_key(_CURVE).public_key(), issuer, issuer.not_before, 1
        ).sign(key, SHA256())
        parts = list(_elements(sample.tbs_certificate_bytes))
        self._version, _, self._algorithm, self._issuer_name, _, _, _, self._extensions = parts
        self._validity_at = lru_cache(1)(self._validity)

    def sign(self, common_name: str, organization: str, now: datetime, serial: int) -> Signed:
        """A new P-256 key, and a client certificate for it.

        The caller has checked that the CA is valid at `now`.

        Raises:
            InvalidName: a name does not fit a certificate.
            ValueError: `serial` is out of range.
        """
        key = ec.generate_private_key(_CURVE).private_bytes(
            Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )
        point = key[-_POINT_BYTES:]  # an ECPrivateKey ends with its public key (RFC 5915)
        tbs = self.tbs(common_name, organization, now, serial, point)
        signature = _der(_BIT_STRING, b"\0" + self._sign(tbs))
        certificate = _der(_SEQUENCE, tbs + self._algorithm + signature)
        return Signed(certificate, key, self._validity_at(now.replace(microsecond=0))[1])

    def tbs(
        self, common_name: str, organization: str, now: datetime, serial: int, point: bytes
    ) -> bytes:
        """The part of a certificate that is signed; `point` is the public key's, uncompressed."""
        if not 0 < serial < 1 << 159:
            raise ValueError(f"the serial number must have 1 to 159 bits, not {serial}")
        validity, _ = self._validity_at(now.replace(microsecond=0))
        parts = (
            self._version,
            _der(_INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1)),
            self._algorithm,
            self._issuer_name,
            validity,
            _der(_SEQUENCE, _organization(organization) + _attribute(_COMMON_NAME, common_name)),
            _SPKI_BEFORE_POINT,
            point,
            self._extensions,
        )
        return _der(_SEQUENCE, b"".join(parts))

    def _validity(self, now: datetime) -> tuple[bytes, int]:
        """The validity of a certificate signed in a second, and its end in ms since the epoch."""
        start, end = leaf_start(self._issuer.not_before, now), leaf_end(self._issuer.not_after, now)
        return _der(_SEQUENCE, _time(start) + _time(end)), milliseconds(end) // 1000 * 1000


def _signer(key: PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda tbs: key.sign(tbs, padding.PKCS1v15(), SHA256())
    return lambda tbs: key.sign(tbs, _ECDSA)


def pem(label: str, der: bytes) -> bytes:
    """DER as PEM (RFC 7468), in lines of 64 characters."""
    text, name = binascii.b2a_base64(der, newline=False), label.encode()
    lines = b"\n".join([text[at : at + 64] for at in range(0, len(text), 64)])
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (name, lines, name)


def _der(tag: int, body: bytes) -> bytes:
    """Tag, length and value (X.690, 8.1, 10.1)."""
    size = len(body)
    if size < _LONG_FORM:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(octets))) + octets + body


def _elements(sequence: bytes) -> Iterator[bytes]:
    """The elements of a SEQUENCE, each with its tag and length."""
    at, end = _body(sequence, 0)
    while at < end:
        _, following = _body(sequence, at)
        yield sequence[at:following]
        at = following


def _body(der: bytes, at: int) -> tuple[int, int]:
    """Where the value of the element at an offset begins, and where it ends."""
    size, start = der[at + 1], at + 2
    if size & _LONG_FORM:
        octets = size ^ _LONG_FORM
        size, start = int.from_bytes(der[start : start + octets]), start + octets
    return start, start + size


def _attribute(kind: bytes, text: str) -> bytes:
    require_subject(text)
    return _der(_SET, _der(_SEQUENCE, kind + _der(_UTF8_STRING, text.encode())))


@lru_cache(16)
def _organization(text: str) -> bytes:
    return _attribute(_ORGANIZATION, text)


def _time(moment: datetime) -> bytes:
    """UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5)."""
    text = moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
    return (
        _der(_GENERALIZED_TIME, text)
        if moment.year >= _GENERALIZED_FROM
        else _der(_UTC_TIME, text[2:])
    )
