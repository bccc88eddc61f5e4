"""A company's PKI: a root that signs intermediate CAs, as `ca.pem` and `ca-key.pem` of a folder."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from nc.pki.authority import CertificateAuthority
from nc.pki.pem import certificate_pem, private_key_pem

_SERIALS = itertools.count(1)


@dataclass(frozen=True)
class Ca:
    """A CA's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return certificate_pem(self.certificate)

    @property
    def authority(self) -> CertificateAuthority:
        """It, ready to sign."""
        return CertificateAuthority(self.certificate, self.key)


def make_ca(
    name: str, issuer: Ca | None = None, extensions: Iterable[x509.ExtensionType] = ()
) -> Ca:
    """A root, or an intermediate CA below an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = issuer.certificate.subject if issuer else subject
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(key.public_key())
        .serial_number(next(_SERIALS))
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return Ca(builder.sign(issuer.key if issuer else key, SHA256()), key)


def ca_folder(path: Path, ca: Ca, *certificates: Ca) -> Path:
    """A folder with a CA's key, and these certificates in ca.pem."""
    path.mkdir(parents=True)
    (path / "ca.pem").write_bytes(b"".join(c.pem for c in certificates))
    key = path / "ca-key.pem"
    key.touch(mode=0o600)
    key.write_bytes(private_key_pem(ca.key))
    return path
