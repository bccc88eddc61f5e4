"""What a server shows to another of the same network: `O=nc:replica`, and its session as the CN.

Made in memory when it is needed, by the network CA, which every server has.
"""

import ssl
from datetime import datetime

from nc.pki.authority import CertificateAuthority
from nc.pki.certificates import REPLICA_ORGANIZATION
from nc.pki.identity import PeerCertificate
from nc.pki.trial import anchored, load_identity


def replica_context(
    authority: CertificateAuthority, session: str, now: datetime, serial: int
) -> ssl.SSLContext:
    """A context for connections to another server's link port.

    Raises:
        AuthorityExpired, AuthorityNotYetValid: the CA cannot sign now.
    """
    issued = authority.issue_client(session, REPLICA_ORGANIZATION, now, serial)
    context = anchored(ssl.PROTOCOL_TLS_CLIENT, authority.certificate_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_identity(context, issued, authority.chain_pem if authority.is_intermediate else b"")
    return context


def session_of_replica(peer: PeerCertificate, now_ms: int) -> str:
    """The session in a certificate that TLS has verified; "" if it is no replica's, or not now."""
    is_replica = REPLICA_ORGANIZATION in peer.organizations
    is_valid = peer.not_before_ms <= now_ms < peer.not_after_ms
    return peer.common_name if is_replica and is_valid else ""
