"""Who is calling: from the certificate that TLS has verified to what the rules need to know."""

from collections import OrderedDict
from collections.abc import Collection
from enum import Enum
from typing import Any, NamedTuple

from nc.pki.certificates import ADMIN_ORGANIZATION, NODE_ORGANIZATION
from nc.pki.errors import CertificateUnreadable
from nc.pki.identity import PeerCertificate, read_peer
from nc.secrets import is_id

# Certificates whose holders are remembered, so that each is parsed once and not once a call. Some
# two kilobytes each; one that is not remembered costs some 50 µs.
_REMEMBERED_CERTIFICATES = 16_384


class CallerKind(Enum):
    """What sort of caller this is."""

    UNRESTRICTED = "unrestricted"  # plain text: there is no identity, and everything is allowed
    ANONYMOUS = "anonymous"  # TLS without a client certificate
    ADMIN = "admin"
    NODE = "node"
    STRANGER = "stranger"  # signed by our CA, but neither an admin's nor a node's


class Caller(NamedTuple):
    """A caller, as far as the transport tells."""

    kind: CallerKind
    actor: str  # as it is recorded
    node_id: str = ""  # of a NODE
    not_after_ms: int = 0  # of its certificate


UNRESTRICTED = Caller(CallerKind.UNRESTRICTED, "anonymous")
ANONYMOUS = Caller(CallerKind.ANONYMOUS, "anonymous")


class Callers:
    """Recognises callers by their certificates.

    Args:
        admin_fingerprints: SHA-256 fingerprints of certificates that are an admin's whatever their
            subject says: the admin set of a folder that another program made.
    """

    def __init__(self, admin_fingerprints: Collection[str] = ()) -> None:
        self._admin_fingerprints = frozenset(admin_fingerprints)
        self._remembered: OrderedDict[bytes, Caller] = OrderedDict()

    def trust_admin(self, fingerprint: str) -> None:
        """Take this certificate too for an admin's from now on: the old one was renewed."""
        self._admin_fingerprints |= {fingerprint}
        self._remembered.clear()

    def identify(self, certificate_pem: bytes) -> Caller:
        """The caller that holds this certificate, which the TLS handshake has verified."""
        caller = self._remembered.get(certificate_pem)
        if caller is None:
            caller = self._read(certificate_pem)
            self._remembered[certificate_pem] = caller
            if len(self._remembered) > _REMEMBERED_CERTIFICATES:
                self._remembered.popitem(last=False)
        return caller

    def _read(self, certificate_pem: bytes) -> Caller:
        try:
            return self._recognise(read_peer(certificate_pem))
        except CertificateUnreadable:  # TLS reads what our library does not
            return Caller(CallerKind.STRANGER, "certificate:unreadable")

    def _recognise(self, peer: PeerCertificate) -> Caller:
        kind = CallerKind.STRANGER
        node_id = ""
        is_node = NODE_ORGANIZATION in peer.organizations
        # One that we gave to a node stays a node's, even where it was put in the admin's place.
        is_ours = is_node and is_id(peer.common_name)
        if ADMIN_ORGANIZATION in peer.organizations or (
            peer.fingerprint_sha256 in self._admin_fingerprints and not is_ours
        ):
            kind = CallerKind.ADMIN
        elif is_node:
            kind = CallerKind.NODE
            node_id = peer.common_name
        actor = f"certificate:{peer.common_name}:{peer.serial:x}"
        return Caller(kind, actor, node_id, peer.not_after_ms)


class Transport(Enum):
    """How a port is secured, and so what is known of who calls through it."""

    MUTUAL_TLS = "mutual TLS"
    SERVER_TLS = "TLS"
    PLAINTEXT = "plain text"


def caller_of(context: Any, transport: Transport, callers: Callers) -> Caller:
    """Who is on the other end of this call."""
    if transport is Transport.PLAINTEXT:
        return UNRESTRICTED
    if transport is Transport.SERVER_TLS:
        return ANONYMOUS
    # Without a certificate the handshake would have failed; should it ever not, nobody calls.
    for certificate in context.auth_context().get("x509_pem_cert", ()):
        return callers.identify(certificate)
    return ANONYMOUS
