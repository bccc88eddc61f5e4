"""Becoming a node: redeem the bootstrap token, and keep what the server answers."""

from typing import TYPE_CHECKING

from nc.agent.addresses import KnownAddresses
from nc.agent.enrolment import Invitation, redeem
from nc.agent.state import CertificateSet, NodeIdentity, StateFolder, digest_of

if TYPE_CHECKING:
    from nc.pb.network_controller_pb2 import GetTokenResponse


async def enrol(folder: StateFolder, invited: Invitation) -> NodeIdentity:
    """Register this machine as a node, and keep it in the folder instead of the one before.

    Raises:
        ServerUnreachable: trying again may succeed.
        NotOurServer, TokenRefused: it will not.
        StateFolderError: the folder cannot be used.
    """
    folder.require_room()  # else the server would register a node that cannot be kept
    node = _kept(folder, invited, await redeem(invited))
    # The address where the token was redeemed works from here, whatever the server advertises.
    known = KnownAddresses(folder.addresses, (node.host, node.port))
    known.joined(digest_of(invited.token), [(node.host, node.port), (invited.host, node.port)])
    return node


def _kept(folder: StateFolder, invited: Invitation, answer: "GetTokenResponse") -> NodeIdentity:
    node = NodeIdentity(
        answer.token,
        answer.networkServerIp,
        int(answer.networkServerPort),
        certificates=None,  # `keep` sets it
        joined_with=digest_of(invited.text),
    )
    if invited.plaintext:
        return folder.keep(node, None, None)
    return folder.keep(
        node,
        CertificateSet(answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert),
        CertificateSet(answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert),
    )
