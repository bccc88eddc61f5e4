"""From an operation to its request, and from a response to an answer: for any transport."""

import base64
import binascii
from hashlib import sha256
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.message import Message

from nc.services import CONTROL_SERVICE, INTERNAL_SERVICE
from nc.testing.contract.history import Answer, CertificateSet, Secret
from nc.testing.contract.operations import OK, Call, Facts, IssueToken, Operation, Redeem

_TOKEN_DIGITS: Final = 16

_METHODS: Final = {
    method.name: method
    for service in (CONTROL_SERVICE, INTERNAL_SERVICE)
    for method in service.methods
}


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

    def copy(self) -> "Names":
        """A copy that later answers do not change."""
        names = Names()
        names._tokens, names._certificates = self._tokens.copy(), self._certificates.copy()
        return names

    def nodes(self) -> list[str]:
        """The names of all nodes that certificates were given to."""
        return list(self._certificates)


def request_of(call: Call, names: Names) -> Message:
    kind = message_factory.GetMessageClass(_METHODS[call.method].input_type)
    return kind(**call.fields(names.token))


def answer_in(call: Call, data: bytes) -> Answer:
    """The answer in a response's bytes."""
    kind = message_factory.GetMessageClass(_METHODS[call.method].output_type)
    return answer_of(kind.FromString(data))


def answer_of(response: Any) -> Answer:
    """The answer in a response: what it has of the fields that any response may have."""

    def field(*names: str) -> Any:
        known = response.DESCRIPTOR.fields_by_name
        return next((getattr(response, name) for name in names if name in known), None)

    facts = Facts(response.code, field("connState"), field("bindIp", "ip"), field("result"))
    token = Secret(field("bootStrapToken", "token") or "")
    return Answer(facts, field("message") or "", token, _certificates_in(response))


def _certificates_in(response: Any) -> tuple[CertificateSet, ...]:
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
