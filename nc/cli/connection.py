"""Where a server is, and how it is called: what all of `ncadm`'s commands share."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from nc.cli.entrypoint import OperationFailed, run_async
from nc.cli.render import Output
from nc.client.channel import BOOTSTRAP_PORT, Client
from nc.client.tls import ClientTls
from nc.contract import DEFAULT_BOOTSTRAP_PORT
from nc.pki import PkiError, ca_cert_hash
from nc.pki.pem import load_certificates, load_private_key

DEFAULT_IP = "127.0.0.1"

_LAST_PORT = 65_535  # gRPC would quietly count on from 0
_PORT_DIGITS = 5


class ServerAddress(NamedTuple):
    """Where a bootstrap token is to be used."""

    host: str = DEFAULT_IP
    port: int = DEFAULT_BOOTSTRAP_PORT

    @classmethod
    def parse(cls, text: str) -> "ServerAddress":
        """Read the part of `T@IP:PORT` after the @; an empty one is this machine."""
        host, colon, port = text.rpartition(":")
        if not text:
            return cls()
        is_number = port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS
        if not (colon and host and is_number and 0 < int(port) <= _LAST_PORT):
            raise typer.BadParameter(
                "expected T, or T@IP:PORT as it was printed", param_hint="--bootstrap-token"
            )
        return cls(host.strip("[]"), int(port))


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the server is, what to trust and to show there, and how to print its answers."""

    ip: str | None
    port: int
    bootstrap_port: int | None
    ca: Path
    certificate: Path
    key: Path
    plaintext: bool
    output: Output

    def control(self, method: str, request: Message) -> Any:
        """Call the control port with the admin's certificate."""
        client = Client(self.ip or DEFAULT_IP, self.port, self.admin_tls())
        return run_async(_call(client, method, request))

    def admin_tls(self) -> ClientTls | None:
        """What to trust and to show at the control port; None in plain text."""
        if self.plaintext:
            return None
        tls = ClientTls(
            _read_ca(self.ca),
            _read(self.key, "--key"),
            _read(self.certificate, "--cert"),
        )
        _check_pair(self.key, tls.key_pem, self.certificate, tls.certificate_pem)
        return tls

    def bootstrap(self, method: str, request: Message, place: ServerAddress) -> Any:
        """Call the bootstrap port, which wants no certificate; what was not said is at `place`."""
        tls = None if self.plaintext else ClientTls(_read_ca(self.ca))
        host, port = self.ip or place.host, self.bootstrap_port or place.port
        client = Client(host, port, tls, BOOTSTRAP_PORT)
        return run_async(_call(client, method, request))

    def ca_cert_hash(self) -> str | None:
        """What a joining machine knows the server's CA by; None in plain text."""
        return None if self.plaintext else ca_cert_hash(_read_ca(self.ca))

    def show(self, answer: Message, text: str, **more: str) -> None:
        """Print an answer: the text for people, or its fields with `more` beside them as JSON."""
        if self.output is Output.JSON:
            fields = MessageToDict(answer, always_print_fields_with_no_presence=True)
            typer.echo(json.dumps({**fields, **more}))
        else:
            typer.echo(text)


def host_and_port(host: str, port: str) -> str:
    """As one word, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _call(client: Client, method: str, request: Message) -> Any:
    async with client:
        return await client.call(method, request)


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperationFailed(
            f"{path} cannot be read: {error.strerror}; name the right file with {option}, "
            "or the server's data folder with --data-dir"
        ) from error


def _read_ca(path: Path) -> bytes:
    pem = _read(path, "--cacert")
    try:
        load_certificates(pem, path)
    except PkiError as error:
        raise OperationFailed(
            f"{error.path}: {error.problem}; name the gRPC CA's certificate with --cacert"
        ) from error
    return pem


def _check_pair(key: Path, key_pem: bytes | None, certificate: Path, pem: bytes | None) -> None:
    """Say which file is at fault, where TLS would only say that something is."""
    try:
        public_key = load_private_key(key_pem or b"", key).public_key()
        shown = load_certificates(pem or b"", certificate)[0].public_key()
    except PkiError as error:
        raise OperationFailed(
            f"{error.path}: {error.problem}; name a pair with --key and --cert"
        ) from error
    if shown != public_key:
        raise OperationFailed(
            f"{key} is not the key of {certificate}; name a pair with --key and --cert"
        )
