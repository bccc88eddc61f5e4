"""From an operation to its request, and from a response to an answer: for any transport."""

import base64
import binascii
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from nc.contract import SUCCESS_MESSAGE
from nc.pb.admin.v1 import administrators_pb2, nodes_pb2
from nc.services import ADMIN_SERVICES, CONTROL_SERVICE, INTERNAL_SERVICE
from nc.testing.contract.administration import IssueOperator
from nc.testing.contract.history import Answer, CertificateSet, Secret
from nc.testing.contract.operations import OK, Call, Facts, IssueToken, Operation, Redeem

_TOKEN_DIGITS: Final = 16
_SHOWN_DIGITS: Final = 8  # of a node's id, in names that the server makes


def methods_by_name(services: Iterable[ServiceDescriptor]) -> dict[str, MethodDescriptor]:
    """Their methods, by the names that operations have: `GetToken`, `Nodes.Get`."""
    return {
        f"{service.name}.{method.name}" if service in ADMIN_SERVICES else method.name: method
        for service in services
        for method in service.methods
    }


_METHODS: Final = methods_by_name((CONTROL_SERVICE, INTERNAL_SERVICE, *ADMIN_SERVICES))


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

    def remember(self, operation: Operation, answer: Answer) -> None:
        """Keep what an answer gave out."""
        if isinstance(operation, IssueToken) and answer.is_ok:
            self._tokens[operation.token] = answer.token
        elif isinstance(operation, Redeem) and answer.is_ok:
            self._tokens[operation.node] = answer.token
            if answer.certificates:
                self._certificates[operation.node] = answer.certificates
        elif isinstance(operation, IssueOperator) and answer.is_ok:
            self._certificates[operation.operator] = answer.certificates

    def copy(self) -> "Names":
        """A copy that later answers do not change."""
        names = Names()
        names._tokens, names._certificates = self._tokens.copy(), self._certificates.copy()
        return names

    def nodes(self) -> list[str]:
        """The names of all that certificates were given to, nodes first of all."""
        return list(self._certificates)


def request_of(call: Call, names: Names) -> Message:
    kind = message_factory.GetMessageClass(_METHODS[call.method].input_type)
    return kind(**call.fields(names.token))


def answer_in(call: Call, data: bytes) -> Answer:
    """The answer in a response's bytes."""
    kind = message_factory.GetMessageClass(_METHODS[call.method].output_type)
    return answer_of(call, kind.FromString(data))


def answer_of(call: Call, response: Any) -> Answer:
    """The answer in a response: what it has of the fields that any response may have."""

    def field(*names: str) -> Any:
        known = response.DESCRIPTOR.fields_by_name
        return next((getattr(response, name) for name in names if name in known), None)

    token = Secret(field("bootStrapToken", "token") or "")
    if isinstance(response, nodes_pb2.Node) and call.reads:  # or others changed it meanwhile
        name = response.name.replace(response.id[:_SHOWN_DIGITS], "#")
        said = (name, *response.labels.values()) if response.labels else (name, "")
        return Answer(Facts(OK, address=response.address, said=said), SUCCESS_MESSAGE)
    if field("code") is None:  # of nc.admin.v1, whose refusals are statuses
        return Answer(Facts(OK), SUCCESS_MESSAGE, token, _certificates_in(response))
    facts = Facts(response.code, field("connState"), field("bindIp", "ip"), field("result"))
    return Answer(facts, field("message") or "", token, _certificates_in(response))


def _certificates_in(response: Any) -> tuple[CertificateSet, ...]:
    if isinstance(response, administrators_pb2.IssueAdministratorResponse):
        texts = (response.ca_pem, response.certificate_pem, response.key_pem)
        return (CertificateSet(*(text.encode() for text in texts)),)
    if not hasattr(response, "GrpcCaCert") or response.code != OK:
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
