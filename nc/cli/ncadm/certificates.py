"""The PEM files that a call needs; an error about one names the option to give another with."""

from pathlib import Path
from typing import Final

from nc.cli.entrypoint import OperationFailed
from nc.client import pem_files
from nc.client.contexts import Context
from nc.client.pem_files import UnusableFile
from nc.client.tls import ClientTls

_OPTIONS: Final = {"ca": "--cacert", "key": "--key", "certificate": "--cert"}


def read_trusted(path: Path) -> bytes:
    """The gRPC CA's certificate."""
    try:
        return pem_files.read_trusted(path)
    except UnusableFile as error:
        raise explained(error) from error


def read_pair(key: Path, certificate: Path) -> tuple[bytes, bytes]:
    """The administrator's key and certificate."""
    try:
        return pem_files.read_pair(key, certificate)
    except UnusableFile as error:
        raise explained(error) from error


def admin_tls(context: Context) -> ClientTls | None:
    """The certificates for the control port; None in plain text."""
    if context.plaintext:
        return None
    return ClientTls(read_trusted(context.ca), *read_pair(context.key, context.certificate))


def explained(error: UnusableFile) -> OperationFailed:
    """The error with the option that names another file."""
    if not error.is_read:
        remedy = (
            f"name the right file with {_OPTIONS[error.role]}, the server's data folder with "
            "--data-dir, or a server with --context (ncadm contexts add keeps its address and your "
            "certificates)"
        )
    elif error.role == "ca":
        remedy = "name the gRPC CA's certificate with --cacert"
    else:
        remedy = "name a pair with --key and --cert"
    return OperationFailed(str(error), remedy=remedy)
