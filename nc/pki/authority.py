"""A certificate authority: all certificates are signed with its key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nc.pki.certificates import (
    AUTHORITY_LIFETIME,
    LEAF_LIFETIME,
    AuthorityKind,
    Issuer,
    authority_certificate,
    client_certificate,
    milliseconds,
    server_certificate,
)
from nc.pki.errors import (
    AuthorityExpired,
    AuthorityNotYetValid,
    CertificateUnreadable,
    KeyMismatch,
    NotAnAuthority,
)
from nc.pki.names import general_names
from nc.pki.pem import (
    UNREADABLE,
    PrivateKey,
    PublicKey,
    certificate_pem,
    private_key_pem,
    public_key_of,
)
from nc.pki.template import ClientTemplate, pem


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A new key pair and the certificate for it; the key is an `EC PRIVATE KEY`."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    serial: int
    not_after_ms: int


class CertificateAuthority:
    """A CA's certificate together with its private key (EC or RSA), ready to sign.

    Args:
        path: the certificate's file, for errors.
        issuers: the CAs above an intermediate one, from its own issuer up to the root.

    Attributes:
        certificate_pem: the trust anchor. An intermediate CA alone, never its root: under that
            root others may sign whatever they like.
        chain_pem: what nodes get as their CA: with the root, without which OpenSSL accepts no
            intermediate one.

    Raises:
        NotAnAuthority: the certificate may not sign others.
        KeyMismatch: the key is not the certificate's.
        CertificateUnreadable: it is damaged, or its public key is neither EC nor RSA.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        key: PrivateKey,
        path: Path | None = None,
        issuers: Sequence[x509.Certificate] = (),
    ) -> None:
        public_key = public_key_of(certificate, path)
        if _is_damaged(certificate):
            raise CertificateUnreadable(
                path,
                "the CA's certificate is damaged: its own signature does not fit it",
                "restore it from a backup; any joined node has a copy",
            )
        if not _may_sign(certificate):
            raise NotAnAuthority(
                path,
                "this certificate is not a CA's, so clients refuse what it signs",
                "put a CA certificate there (basicConstraints CA:TRUE, keyUsage keyCertSign)",
            )
        if key.public_key() != public_key:
            raise KeyMismatch(
                path,
                "the CA's certificate and its private key do not belong together",
                "put the matching pair back, both from the same backup",
            )
        self.certificate = certificate
        self.certificate_pem = certificate_pem(certificate)
        self.issuers = tuple(issuers)
        self.chain_pem = b"".join(map(certificate_pem, (certificate, *issuers)))
        self.path = path
        self._key = key
        self._issuer = Issuer.of(certificate, public_key)
        self._template = ClientTemplate(key, self._issuer)

    def __repr__(self) -> str:
        return f"CertificateAuthority({self.certificate.subject.rfc4514_string()!r})"

    @property
    def is_intermediate(self) -> bool:
        """Whether another CA signed this one."""
        return self.certificate.issuer != self.certificate.subject

    @property
    def has_root(self) -> bool:
        """Whether the chain ends with a CA that has signed itself."""
        last = (self.certificate, *self.issuers)[-1]
        return last.issuer == last.subject

    def is_valid(self, now: datetime) -> bool:
        return self._issuer.not_before <= now < self._issuer.not_after

    @property
    def key_hash(self) -> str:
        """By which the CA's key is known again: SHA-256 of its public key, 16 bytes."""
        return sha256(
            self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).hexdigest()[:32]

    @property
    def not_before(self) -> datetime:
        """From when on the CA is valid, in UTC."""
        return self._issuer.not_before

    @property
    def not_after(self) -> datetime:
        """When the CA expires, in UTC; nothing that it signs lasts longer."""
        return self._issuer.not_after

    def issue_client(
        self, common_name: str, organization: str, now: datetime, serial: int
    ) -> IssuedCertificate:
        """Make a P-256 key pair and a client certificate for it.

        Args:
            common_name: the node's id, or `ADMIN_COMMON_NAME`.
            organization: `NODE_ORGANIZATION` or `ADMIN_ORGANIZATION`.
            now: the current time, aware, in UTC.
            serial: the serial number, positive, at most 159 bits, never used before.

        Raises:
            InvalidName: `common_name` or `organization` does not fit a certificate.
            AuthorityExpired, AuthorityNotYetValid: the CA cannot sign at `now`.
            ValueError: `serial` is out of range.
        """
        self._require_valid(now)
        signed = self._template.sign(common_name, organization, now, serial)
        return IssuedCertificate(
            pem("CERTIFICATE", signed.certificate),
            pem("EC PRIVATE KEY", signed.key),
            serial,
            signed.not_after_ms,
        )

    def issue_server(self, sans: Iterable[str], now: datetime, serial: int) -> IssuedCertificate:
        """Make a P-256 key pair and a server certificate for it.

        Args:
            sans: the IP addresses and DNS names that the server answers to, at least one.
            now: the current time, aware, in UTC.
            serial: as in `issue_client`.

        Raises:
            InvalidName: a name is neither an IP address nor a DNS name, or there are none.
            AuthorityExpired, AuthorityNotYetValid: the CA cannot sign at `now`.
            ValueError: `serial` is out of range.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = general_names(sans)
        return _issued(self.sign_server(names, key.public_key(), now, serial), key)

    def sign_client(
        self,
        name: x509.Name,
        public_key: PublicKey,
        now: datetime,
        serial: int,
        lifetime: timedelta = LEAF_LIFETIME,
    ) -> x509.Certificate:
        """Sign a client certificate for a key that exists already; raises as `issue_client`."""
        self._require_valid(now)
        builder = client_certificate(name, public_key, self._issuer, now, serial, lifetime)
        return builder.sign(self._key, SHA256())

    def sign_server(
        self,
        names: tuple[x509.GeneralName, ...],
        public_key: PublicKey,
        now: datetime,
        serial: int,
    ) -> x509.Certificate:
        """Sign a server certificate for a key that exists already; raises as `issue_server`."""
        self._require_valid(now)
        builder = server_certificate(names, public_key, self._issuer, now, serial)
        return builder.sign(self._key, SHA256())

    def _require_valid(self, now: datetime) -> None:
        if now >= self._issuer.not_after:
            raise AuthorityExpired(
                self.path,
                f"the CA ended at {self._issuer.not_after:%Y-%m-%d %H:%M} UTC "
                f"and it is {now:%Y-%m-%d %H:%M} UTC",
                "set this machine's clock; if it is right, move it and the data folder away: "
                "a new cluster is made at the next start, and every node must join again",
            )
        if now < self._issuer.not_before:
            raise AuthorityNotYetValid(
                self.path,
                f"the CA is valid from {self._issuer.not_before:%Y-%m-%d %H:%M} UTC on "
                f"and it is {now:%Y-%m-%d %H:%M} UTC",
                "set this machine's clock",
            )


def self_signed(
    kind: AuthorityKind,
    key: PrivateKey,
    now: datetime,
    serial: int,
    path: Path | None = None,
    *,
    until: datetime | None = None,
) -> CertificateAuthority:
    """Found a CA: sign its certificate with its own key; the arguments as in `issue_client`.

    It lasts for ten years, and until `until` if that is later.
    """
    end = max(now + AUTHORITY_LIFETIME, until or now)
    builder = authority_certificate(kind, key.public_key(), now, end, serial)
    return CertificateAuthority(builder.sign(key, SHA256()), key, path)


def _is_damaged(certificate: x509.Certificate) -> bool:
    """Whether a self-signed certificate's signature is wrong; others cannot be checked here."""
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return True
    except UNREADABLE:  # another issuer's, or signed in a way too old for this library
        return False
    return False


def _may_sign(certificate: x509.Certificate) -> bool:
    extensions = certificate.extensions
    try:
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as missing:
        # Without a key usage any use is allowed (RFC 5280, 4.2.1.3).
        return missing.oid == x509.KeyUsage.oid


def _issued(certificate: x509.Certificate, key: PrivateKey) -> IssuedCertificate:
    return IssuedCertificate(
        certificate_pem=certificate_pem(certificate),
        key_pem=private_key_pem(key),
        serial=certificate.serial_number,
        not_after_ms=milliseconds(certificate.not_valid_after_utc),
    )
