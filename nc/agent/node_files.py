"""The files of a node whose certificates are renewed: they are replaced where they lie.

    certificates-N/renewal.json   the bootstrap port, and how long the certificates last
    certificates-N/grpc/          ca.pem client.pem client-key.pem
    certificates-N/network/       the same; the key is the same as well

The key stays, so each file fits the others whether it is old or new: a crash between two of them
leaves a node that works.
"""

import json
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from nc.agent.certificates import anchor_of
from nc.certificate_files import FolderPaths
from nc.files import OS_FILES, replace_file
from nc.net.wire import Address
from nc.pki.errors import PkiError
from nc.pki.identity import read_peer
from nc.pki.pem import PrivateKey, load_certificates, load_private_key
from nc.small_files import read_json_object, read_small

_MODE: Final = 0o600
_LAST_PORT: Final = 65_535

# Of a file that is not ours: there is none, or it is out of our reach for good.
_NONE: Final = (FileNotFoundError, NotADirectoryError, PermissionError)


class Terms(NamedTuple):
    """How a node renews.

    Attributes:
        bootstrap_port: of its server.
        lifetime_s: of its certificates, when they were signed.
    """

    bootstrap_port: int
    lifetime_s: int


class RenewedCertificates(NamedTuple):
    """What a server answers to a renewal; PEM.

    Attributes:
        links: where the node may link; none from a server that does not say.
    """

    grpc_ca: str
    grpc_certificate: str
    network_ca: str
    network_certificate: str
    terms: Terms
    links: tuple[Address, ...] = ()


class Files(Protocol):
    """See `NodeFiles`, which is the real one."""

    def terms(self) -> Terms | None: ...

    def ends_ms(self) -> int: ...

    def key(self) -> PrivateKey: ...

    def authority_pem(self) -> bytes: ...

    def replace(self, renewed: RenewedCertificates) -> None: ...


class NodeFiles:
    """One node's.

    Args:
        network: the folder of its network certificate.
    """

    def __init__(self, network: Path) -> None:
        self._terms = network.parent / "renewal.json"
        self._grpc = FolderPaths.within(network.parent / "grpc")
        self._network = FolderPaths.within(network)

    @property
    def may_renew(self) -> bool:
        """Whether there are terms, as far as can be known now."""
        try:
            return self.terms() is not None
        except OSError:
            return True

    def terms(self) -> Terms | None:
        """None: the certificates cannot be renewed, since the server made the key.

        Raises:
            OSError: that cannot be read now.
        """
        try:
            kept = read_json_object(self._terms)
            terms = Terms(kept["bootstrap_port"], kept["lifetime_s"])
        except (*_NONE, ValueError, KeyError):
            return None
        is_right = all(type(number) is int and number > 0 for number in terms)
        return terms if is_right and terms.bootstrap_port <= _LAST_PORT else None

    def ends_ms(self) -> int:
        """When the first of the certificates does, Unix time.

        Raises:
            OSError, PkiError: one cannot be read.
        """
        paths = self._grpc.client, self._network.client
        return min(read_peer(read_small(path)).not_after_ms for path in paths)

    def key(self) -> PrivateKey:
        """Raises OSError, PkiError: it cannot be read."""
        path = self._network.client_key
        return load_private_key(read_small(path), path)

    def authority_pem(self) -> bytes:
        """What to trust at the bootstrap port; raises OSError, PkiError."""
        return anchor_of(self._grpc.ca)

    def replace(self, renewed: RenewedCertificates) -> None:
        """Put new certificates in place of the old ones.

        Raises:
            OSError: they cannot be written.
        """
        for paths, authority, certificate in (
            (self._grpc, renewed.grpc_ca, renewed.grpc_certificate),
            (self._network, renewed.network_ca, renewed.network_certificate),
        ):
            if read_small(paths.ca) != authority.encode():
                replace_file(OS_FILES, paths.ca, authority.encode(), _MODE)
            replace_file(OS_FILES, paths.client, certificate.encode(), _MODE)
        self.write_terms(renewed.terms)

    def write_terms(self, terms: Terms) -> None:
        """Raises OSError: they cannot be written."""
        replace_file(OS_FILES, self._terms, json.dumps(terms._asdict()).encode(), _MODE)


def require_fitting(renewed: RenewedCertificates, key: PrivateKey) -> None:
    """Check what a server answered before it replaces what works.

    Raises:
        PkiError: a certificate is unreadable, or for another key.
    """
    for pem in (renewed.grpc_certificate, renewed.network_certificate):
        certificate, *_ = load_certificates(pem.encode())
        if certificate.public_key() != key.public_key():
            raise PkiError(None, "the new certificate is for another key", "see the server's log")
    for pem in (renewed.grpc_ca, renewed.network_ca):
        load_certificates(pem.encode())
