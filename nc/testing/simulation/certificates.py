"""What TLS would verify of both ends of a link, and the folders that agents read.

Each machine trusts the CA that it joined with, by its own clock; a server verifies a node's
certificate by the server's. The dates of the server's certificate are those of its CA.
"""

import contextlib
import ssl
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple
from unittest import mock

from cryptography import x509

from nc.agent import agent, hints
from nc.agent.certificates import NodeTls
from nc.certificate_files import FolderPaths
from nc.clock import Clock, now_utc
from nc.pki.errors import PkiError
from nc.pki.renewal import validity_problem
from nc.testing.targets.server import authorities

_FOLDERS: Final = Path("/simulated")

# OpenSSL's numbers (openssl/x509_vfy.h).
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED_IN_CHAIN: Final = 19


class _Folder(NamedTuple):
    clock: Clock
    certificate: x509.Certificate


@cache
def _context() -> ssl.SSLContext:
    """Any: no byte goes through it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Certificates:
    """Those of the machines, by the machines' names, and the server's.

    Attributes:
        missing: machines whose folder is gone.
        is_other_ca: the server at the address is from another CA than the machines trust.
        is_replaced: the cluster's own server has made its CA anew.
    """

    def __init__(self, server_clock: Clock) -> None:
        self._server_clock = server_clock
        self._folders: dict[str, _Folder] = {}
        self.missing: set[str] = set()
        self.is_other_ca = False
        self.is_replaced = False

    def add(self, machine: str, clock: Clock, certificate: bytes) -> Path:
        """A machine's folder; gives its path."""
        self._folders[machine] = _Folder(clock, x509.load_der_x509_certificate(certificate))
        return _FOLDERS / machine

    def verify(self, machine: str) -> None:
        """Let a handshake between a machine and the server succeed.

        Raises:
            SSLCertVerificationError: the machine does not accept the server.
            SSLError: the server does not accept the machine.
        """
        if machine not in self._folders:
            return
        clock, certificate = self._folders[machine]
        if self.is_other_ca or self.is_replaced:
            raise _refused(_SELF_SIGNED_IN_CHAIN, "self-signed certificate in certificate chain")
        now, shown = now_utc(clock), authorities().network.certificate
        if now < shown.not_valid_before_utc:
            raise _refused(_NOT_YET_VALID, "certificate is not yet valid")
        if shown.not_valid_after_utc <= now:
            raise _refused(_EXPIRED, "certificate has expired")
        if validity_problem(certificate, now_utc(self._server_clock)):
            error = ssl.SSLError(1, "sslv3 alert certificate expired")
            error.reason = "SSLV3_ALERT_CERTIFICATE_EXPIRED"  # as OpenSSL sets it
            raise error

    @contextlib.contextmanager
    def in_place_of_files(self) -> Iterator[None]:
        """Let agents find their certificates here, and what a server at their address shows."""
        with (
            mock.patch.object(agent, "node_tls", self._node_tls),
            mock.patch.object(hints, "explain_dates", self._explain_dates),
        ):
            yield

    def _node_tls(self, paths: FolderPaths) -> NodeTls:
        machine = paths.client.parent.name
        if machine in self.missing:
            raise PkiError(paths.client, "cannot be read: No such file or directory", "restore it")
        return NodeTls(_context(), self._folders[machine].certificate)

    async def _explain_dates(self, _host: str, _port: int, now: datetime, *_: object) -> str:
        return validity_problem(authorities().network.certificate, now)


def _refused(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_code, error.verify_message = code, message
    return error
