"""From an operation to the call that it is, and from a response to an answer: for any transport."""

import base64
import binascii
from hashlib import sha256
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message

from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.testing.contract import operations as ops
from nc.testing.contract.expectations import OK, Facts
from nc.testing.contract.history import Answer, CertificateSet, Secret

_TOKEN_DIGITS: Final = 16


class Rpc(NamedTuple):
    port: ops.Port
    method: str
    request: Message
    caller: str  # whose certificate it is made with, on the control port


class Names:
    """The tokens that stand behind names, and the certificates of nodes."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._certificates: dict[str, tuple[CertificateSet, ...]] = {}

    def token(self, name: str) -> str:
        """The token with this name; a text that is no name (no space in it) is one as it stands.

        A name without a token stands for one that was never issued.
        """
        if " " in name and name not in self._tokens:
            return sha256(name.encode()).hexdigest()[:_TOKEN_DIGITS]
        return self._tokens.get(name, name)

    def certificates(self, node: str) -> CertificateSet:
        """A node's certificates for the control port."""
        return self._certificates[node][0]

    def network_certificates(self, node: str) -> CertificateSet | None:
        """A node's certificates for the link port; None if it was given none."""
        return self._certificates[node][1] if node in self._certificates else None

    def remember(self, operation: ops.Operation, answer: Answer) -> None:
        """Keep what an answer gave out."""
        if isinstance(operation, ops.IssueToken) and answer.is_ok:
            self._tokens[operation.token] = answer.token
        elif isinstance(operation, ops.Redeem) and answer.is_ok:
            self._tokens[operation.node] = answer.token
            if answer.certificates:
                self._certificates[operation.node] = answer.certificates

    def copy(self) -> "Names":
        """A copy that later answers do not change."""
        names = Names()
        names._tokens, names._certificates = self._tokens.copy(), self._certificates.copy()
        return names

    def nodes(self) -> list[str]:
        """The names of all nodes that certificates were given to."""
        return list(self._certificates)


def rpc_of(operation: ops.Operation, names: Names) -> Rpc:
    """The call that an operation is; TypeError for one about a link, and the sweep."""
    port, caller = ops.Port.CONTROL, ops.ADMIN
    request: Message
    match operation:
        case ops.IssueToken(_, minutes, caller):
            method, request = "GetBootStrapToken", pb.GetBootStrapTokenRequest(expireTime=minutes)
        case ops.Redeem(token, _, port, caller):
            method, request = "GetToken", pb.GetTokenRequest(bootStrapToken=names.token(token))
        case ops.CheckState(node, caller):
            method, request = "CheckConnState", pb.CheckConnStateRequest(token=names.token(node))
        case ops.GetAddress(node, caller):
            method, request = "GetRegistedIp", pb.GetRegistedIpRequest(token=names.token(node))
        case ops.Unregister(node, caller):
            method, request = "UnRegister", pb.UnRegisterRequest(token=names.token(node))
        case ops.SetExpiries(expiries, caller):
            method = "UpdateSensorExpireTime"
            request = sensor_pb2.SensorExpireTimeRequest(
                sensorExpire=[
                    sensor_pb2.SensorExpire(
                        deviceToken=names.token(node).encode(), expireTime=seconds
                    )
                    for node, seconds in expiries
                ]
            )
        case ops.CheckHealth(port):
            method, request = "HealthCheck", pb.HealthCheckRequest()
        case _:
            raise TypeError(f"{operation} is no call")
    return Rpc(port, method, request, caller)


def answer_of(response: Any) -> Answer:
    """The answer in a response."""
    facts = Facts(response.code)
    match response:
        case pb.CheckConnResponse():
            facts = facts._replace(state=response.connState, address=response.bindIp)
        case pb.GetRegistedIpResponse():
            facts = facts._replace(address=response.ip)
        case pb.UnRegisterResponse():
            facts = facts._replace(result=response.result)
    return Answer(
        facts, getattr(response, "message", ""), _token_in(response), _certificates_in(response)
    )


def _token_in(response: Any) -> Secret:
    if isinstance(response, pb.GetBootStrapTokenResponse):
        return Secret(response.bootStrapToken)
    return Secret(response.token if isinstance(response, pb.GetTokenResponse) else "")


def _certificates_in(response: Any) -> tuple[CertificateSet, ...]:
    if not isinstance(response, pb.GetTokenResponse) or response.code != OK:
        return ()
    grpc = (response.GrpcCaCert, response.GrpcClientCert, response.GrpcClientKey)
    network = (response.NetworkCaCert, response.NetworkClientCert, response.NetworkClientKey)
    return tuple(CertificateSet(*map(_decoded, texts)) for texts in (grpc, network))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""  # which is no PEM, and a law says so


def denied(status: str, message: str) -> Answer:
    """An answer that is a gRPC status instead of a response."""
    return Answer(Facts(status), message)
