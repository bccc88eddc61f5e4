"""The node's own certificates, read for each connection: they are replaced while the agent runs.

A certificate that has ended, or is not valid yet, is used all the same: the server decides, and
this machine's clock may be wrong.
"""

import contextlib
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from nc.certificate_files import FolderPaths
from nc.client.tls import ClientTls
from nc.pki.errors import PkiError
from nc.pki.pem import certificate_pem, load_certificates
from nc.pki.renewal import validity_problem
from nc.small_files import read_small

# How early the end of the node's certificate is announced.
_ANNOUNCED: Final = timedelta(days=30)

_REMEDY: Final = "restore the files from a backup, or join again with a new bootstrap token"


@dataclass(frozen=True, slots=True)
class NodeTls:
    """The TLS context for a link, and the certificate that it shows."""

    context: ssl.SSLContext
    certificate: x509.Certificate

    def problem(self, now: datetime, *, is_renewed: bool = False) -> str:
        """What is wrong with the certificate's dates, and what then; "" if nothing is wrong."""
        problem = validity_problem(self.certificate, now)
        if not problem:
            return ""
        remedy = (
            "it is renewed by itself" if is_renewed else "join again with a new bootstrap token"
        )
        return f"this node's own certificate {problem}; if the clock is right, {remedy}"

    def announcement(self, now: datetime) -> str:
        """That the certificate ends soon, or has ended; "" if it does not."""
        if problem := self.problem(now):
            return problem
        end = self.certificate.not_valid_after_utc
        if end - now > _ANNOUNCED:
            return ""
        return (
            f"this node's certificate ends on {end:%Y-%m-%d %H:%M} UTC, and no link is accepted "
            "then; join again with a new bootstrap token before"
        )


def node_tls(paths: FolderPaths) -> NodeTls:
    """The TLS context for a link.

    Raises:
        PkiError: a file cannot be read.
    """
    tls = ClientTls(
        anchor_of(paths.ca), _read(paths.client_key), certificate_pem=_read(paths.client)
    )
    try:
        (certificate, *_) = load_certificates(tls.certificate_pem or b"", paths.client)
    except PkiError as error:
        raise PkiError(error.path, error.problem, _REMEDY) from error
    try:
        return NodeTls(tls.context(), certificate)
    except (ssl.SSLError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise PkiError(
            paths.client.parent,
            f"ca.pem, client.pem and client-key.pem are not usable: {problem}",
            _REMEDY,
        ) from error


def anchor_of(path: Path) -> bytes:
    """What a node trusts: an intermediate CA alone, although its root is in the file, too.

    Raises:
        PkiError: the file cannot be read.
    """
    pem = _read(path)
    try:
        first = load_certificates(pem, path)[0]
    except PkiError:
        return pem  # `ssl` reports it
    return pem if first.issuer == first.subject else certificate_pem(first)


def _read(path: Path) -> bytes:
    try:
        return read_small(path)
    except OSError as error:
        raise PkiError(path, f"cannot be read: {error.strerror}", _REMEDY) from error


def was_replaced(folder: Path | None, shown: NodeTls | None) -> bool:
    """Whether a folder has another certificate than the one that was shown."""
    if folder is None:
        return False
    with contextlib.suppress(PkiError):  # it is being replaced just now, or lost
        return (
            shown is None or node_tls(FolderPaths.within(folder)).certificate != shown.certificate
        )
    return False
