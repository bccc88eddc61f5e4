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
from nc.pb.admin.v1 import administrators_pb2, replicas_pb2
from nc.rpc.methods import WIDE_REQUESTS
from nc.services import (
    ADMIN_SERVICES,
    CONTROL_SERVICE,
    INTERNAL_SERVICE,
    JOINING_SERVICE,
    NODE_SERVICE,
)
from nc.testing.contract.administration import Describe, IssueOperator
from nc.testing.contract.enrolment import Enrol, Renew
from nc.testing.contract.history import Answer, CertificateSet, Secret
from nc.testing.contract.machine_keys import key_pem
from nc.testing.contract.membership import Invite, id_of
from nc.testing.contract.operations import OK, Call, Facts, IssueToken, OpenLink, Operation, Redeem
from nc.testing.contract.values import UPSTREAM, imported_nodes, owner

_TOKEN_DIGITS: Final = 16
_REPLICA_STATES: Final = {
    replicas_pb2.REPLICA_STATE_RUNNING: "RUNNING",
    replicas_pb2.REPLICA_STATE_STOPPED: "STOPPED",
    replicas_pb2.REPLICA_STATE_REMOVED: "REMOVED",
}
_SHOWN_DIGITS: Final = 8  # of a node's id, in names that the server makes


def methods_by_name(services: Iterable[ServiceDescriptor]) -> dict[str, MethodDescriptor]:
    """Their methods, by the names that operations have: `GetToken`, `Nodes.Get`."""
    return {
        f"{service.name}.{method.name}" if service in ADMIN_SERVICES else method.name: method
        for service in services
        for method in service.methods
    }


_METHODS: Final = methods_by_name(
    (CONTROL_SERVICE, INTERNAL_SERVICE, NODE_SERVICE, JOINING_SERVICE, *ADMIN_SERVICES)
)


class Names:
    """The tokens that stand behind names, and the certificates of nodes.

    Args:
        upstream: the certificates of the nodes that were imported.
        imported: how many of them there are.
    """

    def __init__(self, upstream: tuple[CertificateSet, ...] = (), imported: int = 0) -> None:
        self.imported = {*imported_nodes(imported)}
        self._tokens: dict[str, str] = {}
        self._certificates: dict[str, tuple[CertificateSet, ...]] = {}
        self._old: dict[str, tuple[CertificateSet, ...]] = {}  # before the last renewal
        self.upstream = upstream

    def token(self, name: str) -> str:
        """The token with this name; a text that is no name (no space in it) is one as it stands.

        A name without a token stands for one that was never issued.
        """
        if " " in name and name not in self._tokens:
            return sha256(name.encode()).hexdigest()[:_TOKEN_DIGITS]
        return self._tokens.get(name, name)

    def certificates(self, node: str) -> CertificateSet:
        """A node's certificates for the control port."""
        return self._of(node)[0]

    def network_certificates(self, node: str) -> CertificateSet | None:
        """A node's certificates for the link port; None if it was given none."""
        given = self._of(node)
        return given[1] if given else None

    def _of(self, name: str) -> tuple[CertificateSet, ...]:
        if name == UPSTREAM:
            return self.upstream
        older = self._old.get(owner(name)) if owner(name) != name else None
        return older or self._certificates.get(owner(name), ())

    def certificate_of(self, operation: OpenLink) -> CertificateSet | None:
        """What a node shows as it asks for a link."""
        if shown := getattr(operation, "certificate", ""):
            return self.network_certificates(shown)
        is_imported = operation.node in self.imported and operation.node not in self._certificates
        return self.network_certificates(UPSTREAM if is_imported else operation.node)

    def remember(self, operation: Operation, answer: Answer) -> None:
        if isinstance(operation, IssueToken) and answer.is_ok:
            self._tokens[operation.token] = answer.token
        elif isinstance(operation, Redeem) and answer.is_ok:
            self._tokens[operation.node] = answer.token
            if answer.certificates:
                self._certificates[operation.node] = answer.certificates
        elif isinstance(operation, Renew) and answer.is_ok:
            if operation.node in self._certificates:
                self._old[operation.node] = self._certificates[operation.node]
            self._certificates[operation.node] = answer.certificates
        elif isinstance(operation, IssueOperator) and answer.is_ok:
            self.give(operation.operator, *answer.certificates)
        elif isinstance(operation, Invite) and answer.is_ok:
            self._tokens[operation.invitation] = answer.token
            self._tokens[id_of(operation.invitation)], _ = answer.node

    def give(self, name: str, *certificates: CertificateSet) -> None:
        self._certificates[name] = certificates

    def copy(self) -> "Names":
        """A copy that later answers do not change."""
        names = Names(self.upstream)
        names.imported, names._old = self.imported, self._old.copy()
        names._tokens, names._certificates = self._tokens.copy(), self._certificates.copy()
        return names

    def nodes(self) -> list[str]:
        """The names of all that certificates were given to, nodes first of all."""
        return list(self._certificates)


def request_of(call: Call, names: Names) -> Message:
    """Numbers may be larger than the .proto files have them, as clients may send them."""
    kind: Any = WIDE_REQUESTS.get(call.method)
    kind = kind or message_factory.GetMessageClass(_METHODS[call.method].input_type)
    request: Message = kind(**call.fields(names.token))
    return request


def answer_in(call: Call, data: bytes) -> Answer:
    kind = message_factory.GetMessageClass(_METHODS[call.method].output_type)
    return answer_of(call, kind.FromString(data))


def answer_of(call: Call, response: Any) -> Answer:
    """The answer in a response: what it has of the fields that any response may have."""

    def field(*names: str) -> Any:
        known = response.DESCRIPTOR.fields_by_name
        return next((getattr(response, name) for name in names if name in known), None)

    token = Secret(field("bootStrapToken", "token") or "")
    if isinstance(call, Describe):  # of other calls' nodes, others may have changed meanwhile
        label = "".join(response.labels.values())
        facts = response.facts
        said = (_name_in(response.name, response.id), label, facts.hostname, facts.agent_version)
        return Answer(Facts(OK, address=response.address, said=said), SUCCESS_MESSAGE)
    if isinstance(call, Enrol | Renew):
        made = response.node_id, _name_in(response.name, response.node_id)
        token = Secret(field("node_token") or "")
        certificates = _certificates_for(call.key, response.certificates)
        return Answer(Facts(OK), SUCCESS_MESSAGE, token, certificates, node=made)
    if isinstance(response, replicas_pb2.ListReplicasResponse):
        states = [
            f"{each.id} {'LOST' if each.lost else _REPLICA_STATES[each.state]}"
            for each in response.replicas
        ]
        listed = (f"{len(response.invitations)} invitations", *states)
        return Answer(Facts(OK, said=listed), SUCCESS_MESSAGE)
    if isinstance(response, replicas_pb2.InviteReplicaResponse):
        code, made = Secret(response.code), (response.issued.id, "")
        return Answer(Facts(OK), SUCCESS_MESSAGE, code, node=made)
    if field("code") is None:  # of nc.admin.v1, whose refusals are statuses
        return Answer(Facts(OK), SUCCESS_MESSAGE, token, _certificates_in(response))
    answered = Facts(response.code, field("connState"), field("bindIp", "ip"), field("result"))
    return Answer(answered, field("message") or "", token, _certificates_in(response))


def _name_in(name: str, node_id: str) -> str:
    """With # for digits of the id, as random ones are not compared."""
    return name.replace(node_id[:_SHOWN_DIGITS], "#")


def _certificates_for(machine: str, told: Any) -> tuple[CertificateSet, ...]:
    grpc = (told.grpc_ca_pem, told.grpc_certificate_pem)
    network = (told.network_ca_pem, told.network_certificate_pem)
    key = key_pem(machine)
    return tuple(CertificateSet(ca.encode(), pem.encode(), key) for ca, pem in (grpc, network))


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
    return Answer(Facts(status), message)
