"""What an upstream LiteKube server leaves: its database, its certificate folders, its nodes.

Made with SQLite and `cryptography` alone. Its CAs have the serial number 0, its nodes' certificates
one common name for each CA, and `client-key.pem` of the gRPC folder is the key of a node.
"""

import sqlite3
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.link_client import Identity

GRPC_NAME = "network-controller-grpc-client"
NETWORK_NAME = "network-controller-client"


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


class UpstreamAuthority:
    """One of its CAs."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._subject, self.key.public_key())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
        signed = builder.serial_number(1).sign(self.key, SHA256())
        self.pem = self._with_serial_0(signed.tbs_certificate_bytes)

    def _builder(self, subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key)
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=3000))
        )

    def _with_serial_0(self, body: bytes) -> bytes:
        """The certificate, PEM, with the serial number 0, which the library does not sign."""
        changed = body.replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
        assert changed != body
        signature = self.key.sign(changed, ec.ECDSA(SHA256()))
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
        bits = b"\x03" + bytes([len(signature) + 1, 0]) + signature
        content = changed + algorithm + bits
        der = b"\x30\x82" + len(content).to_bytes(2) + content
        return ssl.DER_cert_to_PEM_cert(der).encode()

    def sign(self, name: str, *, server: bool = False) -> tuple[bytes, bytes]:
        """A key and a certificate for it, PEM; they all have the same serial number."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(subject, key.public_key()).serial_number(2)
        usage = x509.ExtendedKeyUsage([purpose])
        signed = builder.add_extension(usage, critical=False).sign(self.key, SHA256())
        return pem_of(key), signed.public_bytes(Encoding.PEM)

    def issue(self, name: str) -> Identity:
        """What a node keeps."""
        key, certificate = self.sign(name)
        return Identity(self.pem.decode(), key.decode(), certificate.decode())

    def write(self, folder: Path, client: str) -> None:
        """The six files; the client's key is another's."""
        folder.mkdir(parents=True)
        key, certificate = self.sign("upstream", server=True)
        _, client_certificate = self.sign(client)
        other_key, _ = self.sign(client)
        for name, content in (
            ("ca.pem", self.pem),
            ("ca-key.pem", pem_of(self.key)),
            ("server.pem", certificate),
            ("server-key.pem", key),
            ("client.pem", client_certificate),
            ("client-key.pem", other_key),
        ):
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)


class UpstreamServer(NamedTuple):
    """A stopped server."""

    folder: Path
    grpc: UpstreamAuthority
    network: UpstreamAuthority

    @classmethod
    def made(cls, folder: Path) -> "UpstreamServer":
        server = cls(folder, UpstreamAuthority("grpc-ca"), UpstreamAuthority("network-ca"))
        server.grpc.write(folder / "certs" / "grpc", GRPC_NAME)
        server.network.write(folder / "certs" / "network", NETWORK_NAME)
        return server

    @property
    def database(self) -> Path:
        return self.folder / "db" / "litekube-nc.db"

    @property
    def certificate_options(self) -> tuple[str, ...]:
        certificates = self.folder / "certs"
        return (
            *("--grpc-cert-dir", str(certificates / "grpc")),
            *("--network-cert-dir", str(certificates / "network")),
        )

    def write_config(self, **more: Any) -> Path:
        """Its configuration file."""
        section = {
            "ip": "127.0.0.1",
            "networkCertDir": str(self.folder / "certs" / "network"),
            "grpcCertDir": str(self.folder / "certs" / "grpc"),
            "workDir": str(self.folder),
            **more,
        }
        path = self.folder / "server.yml"
        path.write_text(yaml.safe_dump({"mode": "server", "server": section}))
        return path

    def write_database(
        self,
        nodes: Sequence[tuple[Any, Any]],
        tokens: Sequence[tuple[Any, Any]] = (),
        *,
        has_server: bool = True,
    ) -> Path:
        """The database, with a row for each node (token, address) and token (token, expiry)."""
        write_database(self.database, nodes, tokens, has_server=has_server)
        return self.database


def write_database(
    path: Path,
    nodes: Sequence[tuple[Any, Any]],
    tokens: Sequence[tuple[Any, Any]] = (),
    *,
    has_server: bool = True,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "CREATE TABLE network_mgr (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT, "
            "state INTEGER, bind_ip TEXT, create_time TIMESTAMP, update_time TIMESTAMP)"
        )
        connection.execute(
            "CREATE TABLE token_mgr (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT, "
            "expire_time TEXT, create_time TIMESTAMP, update_time TIMESTAMP)"
        )
        rows = [("reserverd", "10.1.1.1"), *nodes] if has_server else nodes
        connection.executemany(
            "INSERT INTO network_mgr (token, state, bind_ip, create_time, update_time) "
            "VALUES (?, 3, ?, '2026-01-02 03:04:05', '2026-01-02 03:04:05')",
            rows,
        )
        connection.executemany(
            "INSERT INTO token_mgr (token, expire_time, create_time) "
            "VALUES (?, ?, '2026-01-02 03:04:05')",
            tokens,
        )
    connection.close()
