"""Reads the PEM files that a call needs, and names the file at fault when one is unusable.

OpenSSL checks them first. Only when it objects is the library imported that can name the file:
importing it takes as long as the call.
"""

import ssl
from pathlib import Path

from nc.errors import OperatorError
from nc.permissions import check_secret
from nc.small_files import read_small


class UnusableFile(OperatorError):
    """A certificate or a key cannot be used; `role` is `ca`, `certificate`, `key` or `pair`."""

    def __init__(self, role: str, path: Path, problem: str, *, is_read: bool = True) -> None:
        self.role, self.path, self.is_read = role, path, is_read
        super().__init__(f"{path} cannot be read: {problem}" if not is_read else problem)


def read_trusted(path: Path) -> bytes:
    """A CA's certificate.

    Raises:
        UnusableFile: it is none, or cannot be read.
    """
    pem = _read(path, "ca")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        _explain_ca(path, pem)
    return pem


def read_pair(key: Path, certificate: Path) -> tuple[bytes, bytes]:
    """A key and its certificate.

    Raises:
        UnusableFile: they are none, or do not belong together.
        OpenToOthers: other users may read the key.
    """
    key_pem, pem = _read(key, "key"), _read(certificate, "certificate")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=lambda: b"")  # never ask the terminal
    except (ssl.SSLError, ValueError):
        _explain_pair(key, key_pem, certificate, pem)
    check_secret(key)
    return key_pem, pem


def _read(path: Path, role: str) -> bytes:
    try:
        return read_small(path)
    except OSError as error:
        raise UnusableFile(role, path, error.strerror or "", is_read=False) from error


def _explain_ca(path: Path, pem: bytes) -> None:
    from nc.pki.errors import PkiError  # noqa: PLC0415 - loads cryptography
    from nc.pki.pem import load_certificates  # noqa: PLC0415 - as above

    try:
        load_certificates(pem, path)
    except PkiError as error:
        raise UnusableFile("ca", path, f"{error.path}: {error.problem}") from error


def _explain_pair(key: Path, key_pem: bytes, certificate: Path, pem: bytes) -> None:
    from nc.pki.errors import PkiError  # noqa: PLC0415 - loads cryptography
    from nc.pki.pem import load_certificates, load_private_key  # noqa: PLC0415 - as above

    try:
        public_key = load_private_key(key_pem, key).public_key()
        certified = load_certificates(pem, certificate)[0].public_key()
    except PkiError as error:
        raise UnusableFile("pair", key, f"{error.path}: {error.problem}") from error
    if certified != public_key:
        raise UnusableFile("pair", key, f"{key} is not the key of {certificate}")
