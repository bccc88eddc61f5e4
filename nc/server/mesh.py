"""The mesh of a server that is one of several: from its parts."""

import ssl
from collections.abc import Callable

from nc.clock import Clock, now_utc
from nc.hub.mesh import MeshParts
from nc.pki.replica import replica_context
from nc.replica.peers import Peers
from nc.replica.shared import SharedReplica
from nc.rpc.api import Authorities
from nc.secrets import Secrets, new_serial
from nc.server.parts import Parts, PeerTls


def mesh_parts(parts: Parts, tls: PeerTls, peers: Peers, replica: SharedReplica) -> MeshParts:
    return MeshParts(
        peers,
        lambda: replica.session,
        tls,
        parts.clock,
        parts.secrets,
        parts.logger,
        parts.link_limits.close_timeout_s,
    )


def peer_tls(
    authorities: Authorities, clock: Clock, secrets: Secrets, *, is_plain: bool
) -> Callable[[str], ssl.SSLContext | None]:
    """What gives the context for a connection to another server, with a new certificate."""

    def context(session: str) -> ssl.SSLContext | None:
        if is_plain:
            return None
        return replica_context(authorities.network, session, now_utc(clock), new_serial(secrets))

    return context
