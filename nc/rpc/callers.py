"""Callers, as recognised by the certificate that TLS has verified."""

from collections.abc import Callable, Collection
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from nc.pki.certificates import (
    ADMIN_ORGANIZATION,
    NODE_ORGANIZATION,
    REPLICA_ORGANIZATION,
    UPSTREAM_GRPC_COMMON_NAME,
    VIEWER_ORGANIZATION,
)
from nc.pki.errors import CertificateUnreadable
from nc.pki.identity import PeerCertificate, read_peer
from nc.secrets import is_id

# Certificates that are cached, so that each is parsed once and not once a call. Some two kilobytes
# each; one that is not cached costs some 50 µs.
MAX_CACHED_CERTIFICATES = 16_384

# Of the fingerprint of an upstream server's certificate: whether its serials differ is not known.
# Longer than a token, so that it is not taken for one.
_FINGERPRINT_DIGITS = 20


class CallerKind(Enum):
    UNRESTRICTED = "unrestricted"  # no identity, and everything on the port is allowed
    INTERNAL = "internal"  # likewise, and knows node tokens, or guesses them
    ANONYMOUS = "anonymous"  # TLS without a client certificate
    ADMIN = "admin"
    VIEWER = "viewer"  # an administrator who may only read
    NODE = "node"
    UPSTREAM_NODE = "upstream node"  # some node of the upstream server that was imported
    REPLICA = "replica"  # another server on the same log
    STRANGER = "stranger"  # signed by our CA, but neither an admin's nor a node's


class Caller(NamedTuple):
    kind: CallerKind
    actor: str  # as it is recorded
    node_id: str = ""  # of a NODE
    not_after_ms: int = 0  # of its certificate
    serial: str = ""  # of its certificate; hex


UNRESTRICTED = Caller(CallerKind.UNRESTRICTED, "anonymous")
INTERNAL = Caller(CallerKind.INTERNAL, "anonymous")
ANONYMOUS = Caller(CallerKind.ANONYMOUS, "anonymous")


class Callers:
    """Recognises callers by their certificates.

    Args:
        admin_fingerprints: SHA-256 fingerprints of certificates that are an admin's whatever their
            subject says: the admin set of a folder that another program made.
        installed: the serial of the administrator's certificate in the server's folder now; "" if
            there is none.
    """

    def __init__(
        self,
        admin_fingerprints: Collection[str] = (),
        max_cached_certificates: int = MAX_CACHED_CERTIFICATES,
        installed: Callable[[], str] = str,
    ) -> None:
        self.installed = installed
        self._admin_fingerprints = frozenset(admin_fingerprints)
        self.identify = lru_cache(max_cached_certificates)(self._identify)

    def trust_admin(self, fingerprint: str) -> None:
        """Accept this certificate as an admin's, too: the old one was renewed."""
        self._admin_fingerprints |= {fingerprint}
        self.identify.cache_clear()

    def _identify(self, certificate_pem: bytes) -> Caller:
        """The caller that holds this certificate, which the TLS handshake has verified."""
        try:
            return self._recognise(read_peer(certificate_pem))
        except CertificateUnreadable:  # TLS reads what our library does not
            return Caller(CallerKind.STRANGER, "certificate:unreadable")

    def _recognise(self, peer: PeerCertificate) -> Caller:
        kind = CallerKind.STRANGER
        node_id = ""
        is_node = NODE_ORGANIZATION in peer.organizations
        # A certificate that was issued to a node stays a node's, even in the admin's folder.
        is_issued_to_node = is_node and is_id(peer.common_name)
        if ADMIN_ORGANIZATION in peer.organizations or (
            peer.fingerprint_sha256 in self._admin_fingerprints and not is_issued_to_node
        ):
            kind = CallerKind.ADMIN
        elif VIEWER_ORGANIZATION in peer.organizations:
            kind = CallerKind.VIEWER
        elif REPLICA_ORGANIZATION in peer.organizations:
            kind = CallerKind.REPLICA
        elif is_node:
            kind = CallerKind.NODE
            node_id = peer.common_name
        elif peer.common_name == UPSTREAM_GRPC_COMMON_NAME:
            kind = CallerKind.UPSTREAM_NODE
        serial = which = f"{peer.serial:x}"
        if kind is CallerKind.UPSTREAM_NODE:
            which = peer.fingerprint_sha256[:_FINGERPRINT_DIGITS]
        actor = f"certificate:{peer.common_name}:{which}"
        return Caller(kind, actor, node_id, peer.not_after_ms, serial)


class Transport(Enum):
    """How a port is secured, which decides what is known of its callers."""

    MUTUAL_TLS = "mutual TLS"
    SERVER_TLS = "TLS"
    INTERNAL = "TLS, internal port"  # knowing a node token is the right to change its expiry
    PLAINTEXT = "plain text"


def caller_of(
    certificate: Callable[[], bytes | None], transport: Transport, callers: Callers
) -> Caller:
    """Who makes a call, by the certificate of its connection, which is asked for if it counts."""
    if transport is Transport.MUTUAL_TLS:
        # Without a certificate the handshake would have failed; if it ever does not, the caller has
        # no rights.
        pem = certificate()
        return ANONYMOUS if pem is None else callers.identify(pem)
    if transport is Transport.PLAINTEXT:
        return UNRESTRICTED
    return INTERNAL if transport is Transport.INTERNAL else ANONYMOUS
