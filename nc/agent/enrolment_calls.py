"""The calls with which a machine becomes a node. Importing this loads gRPC.

Enrol      redeems a bootstrap token for the machine's own key; an attempt that may be repeated
GetToken   LiteKube's: the server makes the keys; each call registers another node
Renew      certificates of its own for a node that was imported from an upstream server
"""

import base64
from typing import Final

from nc.agent.attempt import Attempt
from nc.agent.enrolment import Enrolled, TokenRefused
from nc.agent.machine import this_machine
from nc.agent.node_files import RenewedCertificates, Terms, require_fitting
from nc.agent.state import CertificateSet, NodeCertificates
from nc.client import errors
from nc.client.channel import Channel
from nc.contract import OK
from nc.pb.network_controller_pb2 import GetTokenRequest
from nc.pb.node.v1.node_pb2 import EnrolRequest, EnrolResponse, Facts, RenewRequest, RenewResponse
from nc.pki.pem import private_key_pem
from nc.pki.requests import request_for

# After these another try with the same token and key cannot succeed.
_FINAL: Final = (errors.InvalidArgument, errors.PermissionDenied, errors.Unauthenticated)


async def enrol(client: Channel, token: str, attempt: Attempt, name: str = "") -> Enrolled | None:
    """Become a node with the attempt's key; None: the server knows no such call.

    Raises:
        TokenRefused: for good.
        CallFailed: there is no answer, or the server refuses it now.
        PkiError: the certificates do not fit.
    """
    request = EnrolRequest(
        bootstrap_token=token,
        attempt=attempt.id,
        csr_pem=request_for(attempt.key).decode(),
        facts=Facts(**this_machine()._asdict()),
        name=name,
    )
    try:
        answer = await client.call("Enrol", request)
    except errors.Unimplemented:
        return None
    except _FINAL as error:
        raise TokenRefused(f"{error.details} ({error.code.name})") from None
    return _enrolled(answer, answer.node_token, attempt)


async def first_renewal(
    client: Channel, node_token: str, attempt: Attempt, name: str = ""
) -> Enrolled:
    """Get certificates of its own for a node that was imported, with the attempt's key.

    Raises:
        TokenRefused: for good.
        CallFailed: there is no answer, or the server refuses it now.
        PkiError: the certificates do not fit.
    """
    request = RenewRequest(
        node_token=node_token,
        csr_pem=request_for(attempt.key).decode(),
        facts=Facts(**this_machine()._asdict()),
        name=name,
    )
    try:
        answer = await client.call("Renew", request)
    except (*_FINAL, errors.FailedPrecondition, errors.NotFound, errors.Unimplemented) as error:
        raise TokenRefused(f"{error.details} ({error.code.name})") from None
    return _enrolled(answer, node_token, attempt)


def _enrolled(answer: EnrolResponse | RenewResponse, node_token: str, attempt: Attempt) -> Enrolled:
    given, key_pem = answer.certificates, private_key_pem(attempt.key)
    renewed = RenewedCertificates(
        *(given.grpc_ca_pem, given.grpc_certificate_pem),
        *(given.network_ca_pem, given.network_certificate_pem),
        Terms(answer.bootstrap.port, given.lifetime_s),
    )
    require_fitting(renewed, attempt.key)
    grpc_set, network_set = (
        CertificateSet(authority.encode(), key_pem, certificate.encode())
        for authority, certificate in (renewed[0:2], renewed[2:4])
    )
    return Enrolled(
        node_token,
        answer.node_id,
        answer.name,
        answer.link.host,
        answer.link.port,
        NodeCertificates(grpc_set, network_set, renewed.terms),
        tuple((link.host, link.port) for link in answer.links),
    )


async def get_token(client: Channel, token: str) -> Enrolled:
    """Become a node with keys that the server makes.

    Raises:
        TokenRefused: for good.
        CallFailed: there is no answer.
    """
    answer = await client.call("GetToken", GetTokenRequest(bootStrapToken=token))
    if answer.code != OK:
        raise TokenRefused(f"{answer.message} (code {answer.code})")
    grpc_set, network_set = (
        CertificateSet(*map(base64.b64decode, texts))
        for texts in (
            (answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert),
            (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert),
        )
    )
    return Enrolled(
        answer.token,
        "",
        "",
        answer.networkServerIp,
        int(answer.networkServerPort),
        NodeCertificates(grpc_set, network_set),
    )
