"""nc.replica.v1.Joining: a machine redeems an invitation, and is given what replicas share.

Whoever has the code gets every key of the cluster, so it is looked at like a guess of a token, is
redeemed over TLS alone, and answered again only to the attempt that came first.
"""

from typing import Final

from google.protobuf import message_factory

from nc.clock import Clock, now_ms
from nc.domain.invitations import RedeemInvitation, require_open
from nc.domain.replica_errors import InvitationExpired, InvitationUnknown, InvitationUsed
from nc.pb.replica.v1 import joining_pb2 as pb
from nc.replica.batch import Origin
from nc.replica.replica import Replica
from nc.rpc.admin.errors import NotPossible
from nc.rpc.api import Call, Inviting
from nc.rpc.callers import CallerKind
from nc.rpc.methods import Method
from nc.rpc.node.errors import AttemptMalformed, CredentialRefused
from nc.rpc.permissions import Permission
from nc.secrets import TokenIds, is_id
from nc.services import JOINING_SERVICE, full_name, path_of

_OVER: Final = (InvitationUnknown, InvitationExpired, InvitationUsed)


def require_inviting(inviting: Inviting | str) -> Inviting:
    """What a server gives to a newcomer.

    Raises:
        NotPossible: nothing; the text says why.
    """
    if isinstance(inviting, str):
        raise NotPossible(inviting)
    return inviting


class JoiningService:
    """The operation of the service; the errors are the domain's, and those of its neighbours.

    Args:
        inviting: what this server gives to a newcomer, or why it does not.
    """

    def __init__(
        self, replica: Replica, inviting: Inviting | str, token_ids: TokenIds, clock: Clock
    ) -> None:
        self._replica = replica
        self._inviting = inviting
        self._token_ids = token_ids
        self._clock = clock

    def check_redeem(self, request: pb.RedeemInvitationRequest, _call: Call) -> None:
        """Look at the code of a request; in any thread.

        Raises:
            NotPossible: this server gives nothing away.
            AttemptMalformed: the attempt is none, whatever the code is.
            CredentialRefused: the code admits nobody, or only another attempt.
        """
        require_inviting(self._inviting)
        if not is_id(request.attempt):
            raise AttemptMalformed
        code_id, attempt_id = map(self._token_ids.id_of, (request.code, request.attempt))
        try:
            require_open(self._replica.state.membership, code_id, attempt_id, now_ms(self._clock))
        except _OVER as error:
            raise CredentialRefused(error) from None

    async def redeem(self, request: pb.RedeemInvitationRequest, call: Call) -> pb.ReplicaSecrets:
        """Record who redeems the invitation, then give it the keys.

        Raises:
            NotPossible: a file cannot be read, or the call came without TLS.
            CredentialRefused: the code admits nobody, or only another attempt.
            ReplicaIdWrong, ReplicaIdTaken: no machine can become a replica under this name.
        """
        if call.caller.kind is not CallerKind.ANONYMOUS:
            raise NotPossible("an invitation is redeemed at the bootstrap port, over TLS")
        secrets = await require_inviting(self._inviting).read()
        invitation_id = self._token_ids.id_of(request.code)
        command = RedeemInvitation(
            invitation_id,
            request.replica_id,
            call.peer,
            self._token_ids.id_of(request.attempt),
            now_ms(self._clock),
        )
        origin = Origin(f"invitation:{invitation_id}", call.method, call.request_id)
        try:
            await self._replica.submit(command, origin)
        except _OVER as error:
            raise CredentialRefused(error) from None
        return pb.ReplicaSecrets(
            grpc_authority=pb.AuthorityFiles(**secrets.grpc._asdict()),
            network_authority=pb.AuthorityFiles(**secrets.network._asdict()),
            secret_key=secrets.secret_key,
            nats=pb.NatsFiles(**secrets.nats),
        )


def joining_methods(service: JoiningService) -> dict[bytes, Method]:
    """Its method by its path. Anyone may call it: a code is in the request."""
    (method,) = JOINING_SERVICE.methods
    return {
        path_of(method): Method(
            full_name(method),
            message_factory.GetMessageClass(method.input_type).FromString,
            service.redeem,
            None,
            Permission.ANYONE,
            check_token=service.check_redeem,
        )
    }
