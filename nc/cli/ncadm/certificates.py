"""Reads the PEM files that a call needs, and names the file and the option when one is unusable.

OpenSSL checks them first. Only when it objects is the library imported that can name the file at
fault: importing it takes as long as the call.
"""

import ssl
from pathlib import Path

from nc.cli.entrypoint import OperationFailed
from nc.permissions import check_secret
from nc.small_files import read_small


def read_trusted(path: Path) -> bytes:
    """The gRPC CA's certificate."""
    pem = _read(path, "--cacert")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        _explain_ca(path, pem)
    return pem


def read_pair(key: Path, certificate: Path) -> tuple[bytes, bytes]:
    """The administrator's key and certificate."""
    key_pem, pem = _read(key, "--key"), _read(certificate, "--cert")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=lambda: b"")  # never ask the terminal
    except (ssl.SSLError, ValueError):
        _explain_pair(key, key_pem, certificate, pem)
    check_secret(key)
    return key_pem, pem


def _read(path: Path, option: str) -> bytes:
    try:
        return read_small(path)
    except OSError as error:
        raise OperationFailed(
            f"{path} cannot be read: {error.strerror}; name the right file with {option}, "
            "or the server's data folder with --data-dir"
        ) from error


def _explain_ca(path: Path, pem: bytes) -> None:
    from nc.pki.errors import PkiError
    from nc.pki.pem import load_certificates

    try:
        load_certificates(pem, path)
    except PkiError as error:
        raise OperationFailed(
            f"{error.path}: {error.problem}; name the gRPC CA's certificate with --cacert"
        ) from error


def _explain_pair(key: Path, key_pem: bytes, certificate: Path, pem: bytes) -> None:
    from nc.pki.errors import PkiError
    from nc.pki.pem import load_certificates, load_private_key

    try:
        public_key = load_private_key(key_pem, key).public_key()
        certified = load_certificates(pem, certificate)[0].public_key()
    except PkiError as error:
        raise OperationFailed(
            f"{error.path}: {error.problem}; name a pair with --key and --cert"
        ) from error
    if certified != public_key:
        raise OperationFailed(
            f"{key} is not the key of {certificate}; name a pair with --key and --cert"
        )
