"""Certificates and credentials for servers of NATS in tests."""

import base64
import binascii
import datetime as dt
import hashlib
import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

_OPERATOR, _ACCOUNT, _USER, _SEED = 14 << 3, 0, 20 << 3, 18 << 3  # the first letter: O, A, U, S


LOOPBACKS = tuple(f"127.0.1.{number}" for number in (1, 2, 3))


def write_certificates(folder: Path, hosts: Sequence[str] = LOOPBACKS) -> None:
    """`ca.pem`, and `NAME.pem` with `NAME-key.pem` for a server, a client and a stranger.

    Args:
        folder: is made.
        hosts: the IP addresses of servers.
    """
    folder.mkdir()
    now = dt.datetime.now(dt.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "other")}

    def signed(name: str, issuer: str) -> None:
        is_ca = name == issuer
        key = keys[name] if is_ca else ec.generate_private_key(ec.SECP256R1())
        addresses = [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts]
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .sign(keys[issuer], hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / f"{name}-key.pem").write_bytes(pem)

    for name, issuer in (
        ("ca", "ca"),
        ("other", "other"),
        ("server", "ca"),
        ("client", "ca"),
        ("stranger", "other"),
    ):
        signed(name, issuer)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Identity:
    """A key of an operator, an account or a user of NATS."""

    def __init__(self, kind: int) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.kind = kind
        self.public = _encoded(bytes([kind]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        first = bytes([_SEED | self.kind >> 5, (self.kind & 31) << 3])
        return _encoded(first + self._key.private_bytes_raw())

    def jwt(self, subject: "Identity", about: dict[str, Any]) -> str:
        """A token about another identity, signed by this one."""
        claims: dict[str, Any] = {
            "iat": 1_700_000_000,
            "iss": self.public,
            "name": "trial",
            "sub": subject.public,
            "nats": {"version": 2, **about},
        }
        claims["jti"] = (
            base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest())
            .decode()
            .rstrip("=")
        )
        header = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = ".".join(_url64(json.dumps(part).encode()) for part in (header, claims))
        return f"{body}.{_url64(self._key.sign(body.encode()))}"


def _encoded(data: bytes) -> str:
    checked = data + binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def write_credentials(folder: Path, users: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Credentials, `NAME.creds`, and the settings of a server for them.

    Args:
        folder: where they are written.
        users: by their names, what each may do ("pub", "sub"). There are also `user`, who may do
            all; `stranger`, of no account; and `poor`, of an account without JetStream.
    """
    operator, account, system, poor = (
        Identity(kind) for kind in (_OPERATOR, _ACCOUNT, _ACCOUNT, _ACCOUNT)
    )
    any_number = dict.fromkeys(
        ("subs", "conn", "leaf", "imports", "exports", "data", "payload"), -1
    )
    storage = dict.fromkeys(
        ("mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending"), -1
    )
    limits = {**any_number, **storage, "wildcards": True}
    of_account = operator.jwt(account, {"type": "account", "limits": limits})
    of_system = operator.jwt(system, {"type": "account", "limits": any_number})
    of_poor = operator.jwt(poor, {"type": "account", "limits": {**any_number, "wildcards": True}})
    of_operator = operator.jwt(operator, {"type": "operator"})
    everybody = {"user": account, "stranger": Identity(_ACCOUNT), "poor": poor}
    everybody |= dict.fromkeys(users or (), account)
    for name, issuer in everybody.items():
        user = Identity(_USER)
        about = {"type": "user", "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}
        about |= (users or {}).get(name, {})
        text = (
            f"-----BEGIN NATS USER JWT-----\n{issuer.jwt(user, about)}\n"
            f"------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )
        (folder / f"{name}.creds").write_text(text)
    return (
        f"operator: {of_operator}\nresolver: MEMORY\n"
        f"system_account: {system.public}\n"
        f"resolver_preload: {{ {account.public}: {of_account}, {system.public}: {of_system}, "
        f"{poor.public}: {of_poor} }}\n"
    )
