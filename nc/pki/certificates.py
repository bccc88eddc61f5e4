"""The contents of each kind of certificate, as unsigned builders.

    kind      subject                          key usage (critical)     for          lives
    CA        CN = which network's             sign certificates, CRLs  -            10 years
    server    CN = network-controller          signature, encipherment  serverAuth   1 year
    client    O, CN: an admin, or a node id    signature, encipherment  clientAuth   1 year *

* unless another lifetime is asked for.

Pure.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nc.pki.errors import InvalidName
from nc.pki.pem import PublicKey, load_certificates, public_key_of

CLOCK_SKEW: Final = timedelta(days=1)
"""How far a certificate's start is put back: a peer whose clock is that slow still accepts it.

Clocks that hold local time instead of UTC, as of a dual-boot machine, are up to 14 hours off.
"""

AUTHORITY_LIFETIME: Final = timedelta(days=3650)
"""Ten years: replacing a CA makes every node join again, so it should outlast the machines."""

LEAF_LIFETIME: Final = timedelta(days=365)
"""One year (LiteKube API reference, GetToken)."""

NODE_LIFETIME: Final = timedelta(days=30)
"""Of nodes that renew theirs, unless the operator sets another."""

ADMIN_COMMON_NAME: Final = "admin"
ADMIN_ORGANIZATION: Final = "nc:admin"
VIEWER_ORGANIZATION: Final = "nc:viewer"
NODE_ORGANIZATION: Final = "lknm:register"
REPLICA_ORGANIZATION: Final = "nc:replica"
SERVER_COMMON_NAME: Final = "network-controller"

# What upstream servers call all nodes in the certificates of each CA.
UPSTREAM_GRPC_COMMON_NAME: Final = "network-controller-grpc-client"
UPSTREAM_NETWORK_COMMON_NAME: Final = "network-controller-client"

_SUBJECT_MAX_BYTES: Final = 64  # X.520 ub-common-name and ub-organization-name, as UTF-8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AuthorityKind(Enum):
    """The two CAs; the value is the common name that tells which one a certificate is from."""

    GRPC = "network-controller gRPC CA"
    NETWORK = "network-controller network CA"


def _key_usage(*, leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=leaf,
        key_encipherment=leaf,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


_AUTHORITY_USAGE: Final = _key_usage(leaf=False)
_LEAF_USAGE: Final = _key_usage(leaf=True)
_FOR_SERVERS: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
_FOR_CLIENTS: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True, slots=True)
class Issuer:
    """The parts of a CA's certificate that its leaves depend on."""

    name: x509.Name
    key_identifier: x509.AuthorityKeyIdentifier
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, authority: x509.Certificate, public_key: PublicKey) -> "Issuer":
        try:
            identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:
            key_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)
        else:
            key_identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                identifier.value
            )
        return cls(
            name=authority.subject,
            key_identifier=key_identifier,
            not_before=authority.not_valid_before_utc,
            not_after=authority.not_valid_after_utc,
        )


def subject(common_name: str, organization: str | None = None) -> x509.Name:
    """A certificate's subject.

    Raises:
        InvalidName: a part is empty, longer than 64 bytes of UTF-8, or not printable.
    """
    parts = [(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        parts.insert(0, (NameOID.ORGANIZATION_NAME, organization))
    for _, text in parts:
        require_subject(text)
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def require_subject(text: str) -> None:
    """Let a text through that can be an attribute of a subject.

    Raises:
        InvalidName: it is empty, longer than 64 bytes of UTF-8, or not printable.
    """
    # Printable first: it also rules out what UTF-8 cannot encode.
    if not text.isprintable() or not 1 <= len(text.encode()) <= _SUBJECT_MAX_BYTES:
        raise InvalidName(
            None,
            f"{text!r} cannot be the subject of a certificate",
            f"use 1 to {_SUBJECT_MAX_BYTES} bytes of printable text",
        )


ADMIN: Final = subject(ADMIN_COMMON_NAME, ADMIN_ORGANIZATION)


def authority_certificate(
    kind: AuthorityKind, public_key: PublicKey, now: datetime, end: datetime, serial: int
) -> x509.CertificateBuilder:
    """A self-signed CA that may sign leaves and no further CA."""
    name = subject(kind.value)
    return (
        _builder(name, name, public_key, serial)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_AUTHORITY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def client_certificate(
    name: x509.Name,
    public_key: PublicKey,
    issuer: Issuer,
    now: datetime,
    serial: int,
    lifetime: timedelta = LEAF_LIFETIME,
) -> x509.CertificateBuilder:
    """A client: a node (CN its id, O `lknm:register`) or an administrator (such as `ADMIN`)."""
    leaf = _leaf(name, public_key, issuer, now, serial, lifetime)
    return leaf.add_extension(_FOR_CLIENTS, critical=False)


def server_certificate(
    names: Sequence[x509.GeneralName],
    public_key: PublicKey,
    issuer: Issuer,
    now: datetime,
    serial: int,
) -> x509.CertificateBuilder:
    """A server with these names.

    Raises:
        InvalidName: there are none, so that no client would accept it.
    """
    if not names:
        raise InvalidName(
            None, "a server certificate without names fits no server", "give at least one name"
        )
    return (
        _leaf(subject(SERVER_COMMON_NAME), public_key, issuer, now, serial)
        .add_extension(_FOR_SERVERS, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def leaf_start(authority_start: datetime, now: datetime) -> datetime:
    """When a leaf signed at `now` begins: a little earlier, and never before its CA."""
    return max(now - CLOCK_SKEW, authority_start)


def leaf_end(
    authority_end: datetime, now: datetime, lifetime: timedelta = LEAF_LIFETIME
) -> datetime:
    """When a leaf signed at `now` ends: after its lifetime, and never after its CA."""
    return min(now + lifetime, authority_end)


def _leaf(
    name: x509.Name,
    public_key: PublicKey,
    issuer: Issuer,
    now: datetime,
    serial: int,
    lifetime: timedelta = LEAF_LIFETIME,
) -> x509.CertificateBuilder:
    return (
        _builder(name, issuer.name, public_key, serial)
        .not_valid_before(leaf_start(issuer.not_before, now))
        .not_valid_after(leaf_end(issuer.not_after, now, lifetime))
        .add_extension(_LEAF_USAGE, critical=True)
        .add_extension(issuer.key_identifier, critical=False)
    )


def _builder(
    name: x509.Name, issuer: x509.Name, public_key: PublicKey, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial)
    )


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware `moment`, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def ca_cert_hash(cert_pem: bytes) -> str:
    """The hash by which a joining machine recognises the CA's public key.

    `sha256:` and the lower-case hex of SHA-256 over the DER of the certificate's
    SubjectPublicKeyInfo (RFC 5280, 4.1.2.7): what kubeadm calls `--discovery-token-ca-cert-hash`
    (Kubernetes reference, "kubeadm join"). It stays the same when the CA is signed anew with the
    same key. Of several certificates the first one counts.

    Raises:
        CertificateUnreadable: `cert_pem` holds no readable certificate.
    """
    public_key = public_key_of(load_certificates(cert_pem)[0])
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"
