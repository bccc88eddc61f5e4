"""`serve --invite`: ask a live replica for what this machine needs to become one, too.

The invitation's code is worth every key of the cluster, so it goes to no server but one whose chain
has the CA that is pinned.
"""

import asyncio
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.agent.enrolment import Invitation, NotOurServer, ServerUnreachable, find_authority
from nc.cli.own_address import seen_elsewhere
from nc.errors import UNREACHABLE, USAGE, OperatorError
from nc.replica_secrets import AuthorityFiles, ReplicaSecrets
from nc.secrets import Secrets
from nc.server.newcomer import InvitationRefused, fill
from nc.server.settings import ServerSettings

_PRINTED_BY: Final = "ncadm replicas invite"


class NotInvited(InvitationRefused):
    """Restarting changes nothing: give another invitation, or see to what the text names."""

    exit_code = USAGE
    kind = "usage"


class NoReplicaReached(OperatorError):
    """No answer: the same start may succeed later, with the same attempt."""

    exit_code = UNREACHABLE
    kind = "unreachable"


class ReplicaInvitation(NamedTuple):
    """Where a code is redeemed, and the hash of the CA there."""

    code: str
    host: str
    port: int
    ca_cert_hash: str

    def __repr__(self) -> str:
        return f"ReplicaInvitation({self.host}:{self.port})"


async def become_replica(
    settings: ServerSettings,
    invitation: ReplicaInvitation,
    secrets: Secrets,
    log: FilteringBoundLogger,
) -> None:
    """Fill the data folder with what the invitation gives, unless it is filled.

    Raises:
        NotInvited, NoReplicaReached, DataFolderError: it is not.
    """

    async def ask(attempt: str, name: str) -> ReplicaSecrets:
        if text := await asyncio.to_thread(seen_elsewhere, settings.advertise, invitation.host):
            log.warning(log_events.REPLICA_ADDRESS, message=text)
        return await _redeem(invitation, attempt, name)

    await fill(settings, invitation.code, ask, secrets, log)


async def _redeem(invitation: ReplicaInvitation, attempt: str, name: str) -> ReplicaSecrets:
    # gRPC's client takes memory that a server that has joined does not need.
    from nc.client.channel import BOOTSTRAP_PORT, Channel
    from nc.client.errors import CallFailed, Refused, ResourceExhausted, Unimplemented
    from nc.client.tls import ClientTls
    from nc.pb.replica.v1.joining_pb2 import RedeemInvitationRequest
    from nc.pki.pem import certificate_pem

    pinned = Invitation(*invitation)
    try:
        authority = await find_authority(pinned, _PRINTED_BY)
    except NotOurServer as error:
        raise NotInvited(f"not invited: {error}") from None
    except ServerUnreachable as error:
        raise NoReplicaReached(f"not invited yet: {error}") from None
    request = RedeemInvitationRequest(code=invitation.code, attempt=attempt, replica_id=name)
    tls = ClientTls(certificate_pem(authority))
    try:
        async with Channel(invitation.host, invitation.port, tls, BOOTSTRAP_PORT) as channel:
            given = await channel.call("Redeem", request)
    except Unimplemented:
        raise NotInvited(
            f"the server at {invitation.host}:{invitation.port} is of a version that knows no "
            "invitations: update it"
        ) from None
    except ResourceExhausted as error:
        raise NoReplicaReached(f"not invited yet: {error}") from None
    except Refused as error:
        raise NotInvited(f"not invited: {error}") from None
    except CallFailed as error:
        raise NoReplicaReached(f"not invited yet: {error}") from None
    nats = {field.name: data for field, data in given.nats.ListFields()}
    grpc, network = (
        AuthorityFiles(each.certificate_pem, each.key_pem)
        for each in (given.grpc_authority, given.network_authority)
    )
    return ReplicaSecrets(grpc, network, given.secret_key, nats)
