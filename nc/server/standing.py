"""What a server knows of itself and the others, beside what the log says: for who lists them."""

from typing import TYPE_CHECKING

from nc.domain.leadership import LEVEL
from nc.rpc.admin.replicas import Standing
from nc.rpc.api import Endpoints

if TYPE_CHECKING:
    from nc.server.membership import Membership

__all__ = ["standing_of"]


def standing_of(membership: "Membership | None", own: Endpoints, session: str) -> Standing:
    """What is known of a live replica, by its session.

    Args:
        membership: of the server that asks; None: it has the log to itself.
        own: where that one is.
        session: the other one's, or its own.
    """
    if membership is None:
        return Standing()
    role, peer = membership.role, membership.peers.peers().get(session)
    if session == role.replica.session:
        return Standing(own.advertised, LEVEL)
    member = None if role.leases is None else role.leases.members.get(session)
    lag = None if member is None else max(0, role.replica.state.seq - member.applied_seq)
    level = role.leader.level if session == role.leader.session else None
    return Standing("" if peer is None else peer.host, level, lag)
