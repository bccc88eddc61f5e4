"""What a server knows of itself and the others, beside what the log says: for who lists them."""

from typing import TYPE_CHECKING

from nc.domain.events import Event
from nc.replica.errors import Removed, Replaced
from nc.rpc.admin.replicas import Standing

if TYPE_CHECKING:
    from nc.server.server import Server

__all__ = ["standing_of", "why_it_ends"]


def standing_of(server: "Server", session: str) -> Standing:
    """What a server knows of a live replica, by its session; of itself, too."""
    membership = server.membership
    if membership is None:
        return Standing()
    role, peer = membership.role, membership.peers.peers().get(session)
    if session == role.replica.session:
        return Standing(server.endpoints.advertised)
    member = None if role.leases is None else role.leases.members.get(session)
    lag = None if member is None else max(0, role.replica.state.seq - member.applied_seq)
    return Standing("" if peer is None else peer.host, lag)


def why_it_ends(event: Event, name: str, session: str) -> Replaced | None:
    """Why an event ends the replica of this name; None: it does not.

    Args:
        event: has become part of the state.
        name: of the replica.
        session: which it has begun, or "".
    """
    if event.replica_removed.replica_id == name:
        return Removed()
    started = event.replica_started  # by a server that has a copy of the folder
    is_other = started.replica_id == name and session not in ("", started.session)
    return Replaced() if is_other else None
