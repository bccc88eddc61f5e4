"""nc.admin.v1.Replicas: list the servers that share a log, invite further ones, remove them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from nc.domain.expiry import has_passed
from nc.domain.invitations import EndInvitation, Invitation, InviteReplica, RemoveReplica
from nc.domain.references import invitation_meant
from nc.domain.state import State
from nc.pb.admin.v1 import replicas_pb2 as pb
from nc.pki.certificates import ca_cert_hash
from nc.rpc.admin.context import Context
from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.held_links import HeldLinks
from nc.rpc.api import Authorities, Call, Endpoints, Inviting
from nc.rpc.joining import require_inviting
from nc.secrets import new_code


class Standing(NamedTuple):
    """What one server knows of a live replica beside what the log says.

    Attributes:
        host: where it is reached; "": not known.
        lag_events: that it has not applied; None: not known.
    """

    host: str = ""
    lag_events: int | None = None


class ReplicasService:
    """The operations of the service; the errors are the domain's, and those of `errors`.

    Args:
        own_id: of the replica that answers.
        inviting: what it gives to a newcomer, or why it does not.
        endpoints: asked for with each answer.
        standing: of a session that has not ended.
    """

    def __init__(
        self,
        context: Context,
        authorities: Authorities,
        endpoints: Callable[[], Endpoints],
        own_id: str,
        inviting: Inviting | str,
        standing: Callable[[str], Standing],
    ) -> None:
        self._context = context
        self._links = HeldLinks(context.replica)
        self._authorities = authorities
        self._endpoints = endpoints
        self._own_id = own_id
        self._inviting = inviting
        self._standing = standing

    async def list(self, request: pb.ListReplicasRequest, _call: Call) -> pb.ListReplicasResponse:
        """Replicas by their ids, invitations the newest first."""
        state, now_ms = self._context.state, self._context.now_ms
        members = state.membership
        links = await self._links.by_session()
        known = {*members.replicas, *state.sessions.values()}
        if request.all:
            known |= set(members.removed)
        invitations = sorted(
            (-each.issued_at_ms, invitation_id)
            for invitation_id, each in members.invitations.items()
            if request.all or not (each.is_redeemed or has_passed(each.expires_at_ms, now_ms))
        )
        return pb.ListReplicasResponse(
            replicas=[self._view(state, replica_id, links) for replica_id in sorted(known)],
            invitations=[
                invitation_view(each, members.invitations[each], now_ms) for _, each in invitations
            ],
        )

    async def invite(
        self, request: pb.InviteReplicaRequest, call: Call
    ) -> pb.InviteReplicaResponse:
        """Issue an invitation, whose code is in the answer alone.

        Raises:
            NotPossible: this server has nothing that it could share.
        """
        context = self._context
        inviting = require_inviting(self._inviting)
        code = new_code(context.secrets)
        invitation_id = context.token_ids.id_of(code)
        await context.submit(InviteReplica(invitation_id, context.now_ms, request.lifetime_s), call)
        endpoints = self._endpoints()
        return pb.InviteReplicaResponse(
            code=code,
            issued=self._invitation(invitation_id),
            host=endpoints.advertised,
            port=endpoints.bootstrap_port,
            ca_cert_hash=ca_cert_hash(self._authorities.grpc.certificate_pem),
            cluster=inviting.cluster,
        )

    async def remove(
        self, request: pb.RemoveReplicaRequest, call: Call
    ) -> pb.RemoveReplicaResponse:
        """Remove a replica, or withdraw an invitation."""
        named, context = request.replica, self._context
        if not named:
            raise InvalidField("replica", "it is empty; give a server's id, or an invitation's")
        state = context.state
        members = state.membership
        is_replica = named in members.replicas or named in members.removed
        if is_replica or named in set(state.sessions.values()):
            await context.submit(RemoveReplica(named, self._own_id), call)
            return pb.RemoveReplicaResponse(replica=self._view(context.state, named, {}))
        invitation_id = invitation_meant(members.invitations, named)
        before = self._invitation(invitation_id)
        await context.submit(EndInvitation(invitation_id), call)
        return pb.RemoveReplicaResponse(invitation=before)

    def _invitation(self, invitation_id: str) -> pb.Invitation:
        """The invitation as it is now; its id alone if it ended meanwhile."""
        invitation = self._context.state.membership.invitations.get(invitation_id)
        if invitation is None:
            return pb.Invitation(id=invitation_id)
        return invitation_view(invitation_id, invitation, self._context.now_ms)

    def _view(self, state: State, replica_id: str, links: Mapping[str, int]) -> pb.Replica:
        members = state.membership
        of_it = [session for session, owner in state.sessions.items() if owner == replica_id]
        known, removed_ms = members.replicas.get(replica_id), members.removed.get(replica_id)
        place = pb.REPLICA_STATE_RUNNING if of_it else pb.REPLICA_STATE_STOPPED
        if removed_ms is not None:
            place = pb.REPLICA_STATE_REMOVED
        since_ms = 0 if known is None else known.started_at_ms
        ended = known if place == pb.REPLICA_STATE_STOPPED else None
        view = pb.Replica(
            id=replica_id,
            state=place,
            sessions=sorted(of_it),
            version="" if known is None else known.version,
            level=(known and known.level) or None,
            since_ms=since_ms if removed_ms is None else removed_ms,
            self=replica_id == self._own_id,
            links=sum(links.get(session, 0) for session in of_it),
            ended_ms=0 if ended is None else ended.ended_at_ms,
            lost=ended is not None and ended.is_lost,
        )
        for session in of_it[-1:]:  # more than one for a moment at most
            standing = self._standing(session)
            view.MergeFrom(_standing_view(standing, _role_of(state, session)))
        return view


def _role_of(state: State, session: str) -> pb.ReplicaRole | None:
    """Leader or follower; None where nobody was elected."""
    if state.leader.session not in state.sessions:
        return None
    is_leader = session == state.leader.session
    return pb.REPLICA_ROLE_LEADER if is_leader else pb.REPLICA_ROLE_FOLLOWER


def _standing_view(standing: Standing, role: pb.ReplicaRole | None) -> pb.Replica:
    return pb.Replica(
        role=role,
        address=standing.host or None,
        lag_events=standing.lag_events,
    )


def invitation_view(invitation_id: str, invitation: Invitation, now_ms: int) -> pb.Invitation:
    return pb.Invitation(
        id=invitation_id,
        issued_at_ms=invitation.issued_at_ms,
        expires_at_ms=invitation.expires_at_ms,
        expired=has_passed(invitation.expires_at_ms, now_ms),
        replica_id=invitation.replica_id,
        peer_address=invitation.peer_address,
        redeemed_at_ms=invitation.redeemed_at_ms,
    )
