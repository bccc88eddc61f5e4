"""Operations of nc.admin.v1: what operators ask for. Refusals are gRPC statuses."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from nc.testing.contract.model import Model
from nc.testing.contract.operations import OK, SERVER_NODE, Call, Facts, IssueToken, TokenOf
from nc.testing.contract.values import ADMIN, VIEWER, Moment, Refused, Terms

# The status of each refusal, by its reason.
STATUSES: Final = {
    "FieldEmpty": "INVALID_ARGUMENT",
    "ServerNodeFixed": "INVALID_ARGUMENT",
    "LifetimeTooLong": "INVALID_ARGUMENT",
    "NodeTokenEmpty": "INVALID_ARGUMENT",
    "NodeNameInvalid": "INVALID_ARGUMENT",
    "RequestInvalid": "INVALID_ARGUMENT",
    "AddressNotAssignable": "INVALID_ARGUMENT",
    "NodeNameTaken": "ALREADY_EXISTS",
    "AddressTaken": "ALREADY_EXISTS",
    "NodeReferenceUnknown": "NOT_FOUND",
    "TokenReferenceUnknown": "NOT_FOUND",
    "NodeUnknown": "NOT_FOUND",
    "ReplicaUnknown": "NOT_FOUND",
    "AdministratorUnknown": "NOT_FOUND",
    "NodeReferenceAmbiguous": "FAILED_PRECONDITION",
    "TokenReferenceAmbiguous": "FAILED_PRECONDITION",
    "ReplicaAmbiguous": "FAILED_PRECONDITION",
    "AdministratorAmbiguous": "FAILED_PRECONDITION",
    "NodeNotWaiting": "FAILED_PRECONDITION",
    "ReplicaInCharge": "FAILED_PRECONDITION",
    "ReplicaTooOld": "FAILED_PRECONDITION",
    "LastAdministrator": "FAILED_PRECONDITION",
    "OutOfLog": "OUT_OF_RANGE",
}

_LABEL: Final = "site"  # the key; operations have the value
ROLES: Final = {ADMIN: 1, VIEWER: 2}  # as nc.admin.v1.Role has them


@dataclass(frozen=True, slots=True)
class AdminCall(Call):
    is_admins = True
    statuses = STATUSES


@dataclass(frozen=True, slots=True)
class IssueLimited(AdminCall, IssueToken):
    max_uses: int = 0
    max_nodes: int = 0
    prefix: str = ""
    label: str = ""

    method = "BootstrapTokens.Issue"

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        return {
            "lifetime_s": self.minutes * 60,
            "max_uses": self.max_uses,
            "max_nodes": self.max_nodes,
            "node_name_prefix": self.prefix,
            "node_labels": {_LABEL: self.label} if self.label else {},
        }

    def change(self, model: Model, now: Moment) -> None:
        terms = Terms(self.max_uses, self.max_nodes, self.prefix, self.label)
        model.issue(self.token, self.minutes, now, terms)


@dataclass(frozen=True, slots=True)
class RevokeToken(AdminCall):
    token: str
    caller: str = ADMIN

    method = "BootstrapTokens.Revoke"

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"token": token(self.token)}

    def change(self, model: Model, now: Moment) -> None:
        if not self.token:
            raise Refused("FieldEmpty")
        model.revoke(self.token, now)


@dataclass(frozen=True, slots=True)
class UnregisterNodesOf(AdminCall):
    """All nodes of a bootstrap token leave."""

    token: str
    revokes: bool
    caller: str = ADMIN

    method = "Nodes.Unregister"

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"token_id": token(self.token), "revoke_token": self.revokes}

    def change(self, model: Model, now: Moment) -> None:
        if not self.token:
            raise Refused("FieldEmpty")
        nodes = model.nodes_of(self.token)
        if self.token not in model.tokens and not nodes:
            raise Refused("TokenReferenceUnknown")
        if self.revokes and self.token in model.tokens:
            model.revoke(self.token, now)
        model.unregister(*nodes)


@dataclass(frozen=True, slots=True)
class NodeCall(AdminCall):
    """It is about one node, which is meant by its token."""

    node: str
    caller: str = ADMIN

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"node": token(self.node)}

    def require(self, model: Model) -> None:
        if not self.node:
            raise Refused("FieldEmpty")
        if self.node == SERVER_NODE:
            raise Refused("ServerNodeFixed")
        if self.node not in model.nodes:
            raise Refused("NodeReferenceUnknown")


class Describe(NodeCall):
    __slots__ = ()
    method = "Nodes.Get"
    reads = True

    def expect(self, model: Model, _now: Moment) -> Facts:
        self.require(model)
        profile, address = model.profiles[self.node], model.held.get(self.node, "")
        return Facts(OK, address=address, said=(profile.name, profile.label, *profile.told))


@dataclass(frozen=True, slots=True)
class UpdateNode(NodeCall):
    name: str = ""  # as it is
    label: str = ""  # as it is

    method = "Nodes.Update"
    invalid: ClassVar[str] = "Web_1"  # a name that is none

    def fields(self, token: TokenOf) -> dict[str, Any]:
        name = {"name": self.name} if self.name else {}
        labels = {"set_labels": {_LABEL: self.label}} if self.label else {}
        return {"node": token(self.node), **name, **labels}

    def change(self, model: Model, _now: Moment) -> None:
        self.require(model)
        if self.name == self.invalid:
            raise Refused("NodeNameInvalid")
        model.update(self.node, self.name, self.label)


@dataclass(frozen=True, slots=True)
class AssignAddress(NodeCall):
    address: str = ""  # any

    method = "Nodes.AssignAddress"

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"node": token(self.node), "address": self.address}

    def change(self, model: Model, _now: Moment) -> None:
        self.require(model)
        model.assign(self.node, self.address)


@dataclass(frozen=True, slots=True)
class OperatorCall(AdminCall):
    operator: str  # the name of the certificate

    @property
    def _called(self) -> str:
        """As the server knows the operator."""
        return self.operator.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class IssueOperator(OperatorCall):
    role: str  # ADMIN or VIEWER
    caller: str = ADMIN
    lifetime_s: int = 0  # 0: a year

    method = "Administrators.Issue"
    event = "administrator_added"

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        lifetime = {"lifetime_s": self.lifetime_s} if self.lifetime_s else {}
        return {"name": self._called, "role": ROLES[self.role], **lifetime}

    def change(self, model: Model, now: Moment) -> None:
        model.appoint(self.operator, self.role, self.lifetime_s, now)


@dataclass(frozen=True, slots=True)
class RevokeOperator(OperatorCall):
    caller: str = ADMIN

    method = "Administrators.Revoke"

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        return {"administrator": self._called}

    def change(self, model: Model, now: Moment) -> None:
        model.dismiss(self.operator, now)
