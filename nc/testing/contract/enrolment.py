"""Operations of nc.node.v1, and those of nodes that show any certificate.

A machine's attempt to enrol goes by the name of the node that it makes, and its key by the
machine's name, which is the same unless it is another machine. Refusals are gRPC statuses.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar, Final

from nc.testing.contract import operations as ops
from nc.testing.contract.machine_keys import request_pem
from nc.testing.contract.model import Model
from nc.testing.contract.values import ADMIN, LOST, NO_FACTS, UPSTREAM, Moment, Refused, Told, owner

# The status of each refusal, by its reason.
NODE_STATUSES: Final = {
    "AttemptMalformed": "INVALID_ARGUMENT",
    "NodeNameInvalid": "INVALID_ARGUMENT",
    "RequestUnusable": "INVALID_ARGUMENT",
    "NodeTokenEmpty": "INVALID_ARGUMENT",
    "BootstrapTokenEmpty": "INVALID_ARGUMENT",
    "BootstrapTokenMalformed": "UNAUTHENTICATED",
    "BootstrapTokenUnknown": "UNAUTHENTICATED",
    "BootstrapTokenExpired": "UNAUTHENTICATED",
    "BootstrapTokenRevoked": "UNAUTHENTICATED",
    "BootstrapTokenUsedUp": "UNAUTHENTICATED",
    "NodeUnregistered": "UNAUTHENTICATED",
    "NodeUnknown": "NOT_FOUND",
    "NodeExpired": "FAILED_PRECONDITION",
    "NodeKeyUnknown": "FAILED_PRECONDITION",
    "NotTheNodesKey": ops.DENIED,
    "TokenNodesReached": "RESOURCE_EXHAUSTED",
    "NodesReached": "RESOURCE_EXHAUSTED",
}

INVALID_NAME: Final = "Web_1"
NO_REQUEST: Final = "no request"  # in place of a machine: what it sends is none
_ATTEMPT_DIGITS: Final = 32


class EnrolmentCall(ops.Operation):
    """A call of nc.node.v1."""

    __slots__ = ()
    statuses = NODE_STATUSES


@dataclass(frozen=True, slots=True)
class Enrol(EnrolmentCall, ops.Redeem):
    """A machine enrols; again with the same token and node, it is the same attempt."""

    machine: str = ""  # whose key it is; "": that of the node
    name: str = ""  # wanted; "": any
    told: Told = NO_FACTS
    attempt: str = ""  # as it is sent; "": the node's

    method = "Enrol"
    event = ""  # the repeated one leaves another
    is_repeatable: ClassVar[bool] = True

    @property
    def key(self) -> str:
        return self.machine or self.node

    @property
    def is_in_order(self) -> bool:
        return not self.attempt and self.name != INVALID_NAME and self.machine != NO_REQUEST

    def fields(self, token: ops.TokenOf) -> dict[str, Any]:
        attempt = sha256(f"attempt of {self.node}".encode()).hexdigest()[:_ATTEMPT_DIGITS]
        return {
            "bootstrap_token": token(self.token),
            "attempt": self.attempt or attempt,
            "csr_pem": _request(self.key),
            "facts": self.told._asdict(),
            "name": self.name,
        }

    def change(self, model: Model, now: Moment) -> None:
        if self.attempt:
            raise Refused("AttemptMalformed")
        if self.node not in model.nodes and self.node not in model.gone:
            self.check_token(model)
            model.check_redeemable(self.token, now)
        if self.name == INVALID_NAME:
            raise Refused("NodeNameInvalid")
        if self.machine == NO_REQUEST:
            raise Refused("RequestUnusable")
        model.enrol(self.token, self.node, self.key, self.name, self.told, now)


@dataclass(frozen=True, slots=True)
class Renew(EnrolmentCall, ops.Call):
    node: str
    machine: str = ""  # whose key it is; "": that of the node
    told: Told = NO_FACTS
    port: ops.Port = ops.Port.BOOTSTRAP
    caller: str = ADMIN  # on the control port

    method = "Renew"
    event = "certificates_renewed"

    @property
    def key(self) -> str:
        return self.machine or self.node

    def fields(self, token: ops.TokenOf) -> dict[str, Any]:
        return {
            "node_token": token(self.node),
            "csr_pem": _request(self.key),
            "facts": self.told._asdict(),
        }

    def change(self, model: Model, now: Moment) -> None:
        if not self.node:
            raise Refused("NodeTokenEmpty")
        if self.node not in model.nodes:
            raise Refused("NodeUnregistered" if self.node in model.gone else "NodeUnknown")
        if self.machine == NO_REQUEST:
            raise Refused("RequestUnusable")
        model.renew(self.node, self.key, self.told, now)


def _request(machine: str) -> str:
    return NO_REQUEST if machine == NO_REQUEST else request_pem(machine)


@dataclass(frozen=True, slots=True)
class OpenLinkWith(ops.OpenLink):
    """A node asks for a link, with any certificate, and tells facts of its machine.

    They are recorded once it has its address.
    """

    certificate: str = ""  # whose it is; "": the node's own, or upstream's if it has none
    told: Told = NO_FACTS
    is_checked_at_once = True

    def check_caller(self, model: Model, _now: Moment) -> None:
        profile = model.profiles.get(self.node)
        if profile is None or not self.certificate:
            return
        is_own = owner(self.certificate) == self.node and not profile.is_imported
        if not is_own and not (self.certificate == UPSTREAM and profile.is_imported):
            raise Refused("ForeignCertificate")

    def change(self, model: Model, now: Moment) -> None:
        if self.node == LOST and owner(self.certificate) in {"", LOST}:
            model.waiting.add(LOST)
        ops.OpenLink.change(self, model, now)
        model.telling[self.link] = self.told


@dataclass(frozen=True, slots=True)
class CheckAsUpstream(ops.CheckState):
    """A query with an upstream server's certificate, which names no node."""

    caller: str = UPSTREAM

    def check_caller(self, model: Model, _now: Moment) -> None:
        if not model.databases:
            raise ops.Denied("Stranger")

    def expect(self, model: Model, now: Moment) -> ops.Facts:
        facts = ops.CheckState.expect(self, model, now)
        profile = model.profiles.get(self.node)
        if profile is not None and not profile.is_imported:
            raise ops.Denied("NotImported")
        return facts
