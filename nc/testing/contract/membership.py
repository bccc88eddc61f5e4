"""Operations about servers that share a log, and about nodes that come without a token."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from nc.testing.contract.administration import AdminCall, NodeCall
from nc.testing.contract.membership_model import Joined
from nc.testing.contract.model import Model
from nc.testing.contract.operations import OK, SERVER_NODE, Call, Facts, Operation, Port, TokenOf
from nc.testing.contract.values import ADMIN, SERVER, Moment, Refused

_JOINING_STATUSES: Final = {
    "AttemptMalformed": "INVALID_ARGUMENT",
    "ReplicaIdWrong": "INVALID_ARGUMENT",
    "ReplicaIdTaken": "ALREADY_EXISTS",
    "ReplicaTooOld": "FAILED_PRECONDITION",
    "InvitationUnknown": "UNAUTHENTICATED",
    "InvitationUsed": "UNAUTHENTICATED",
    "InvitationExpired": "UNAUTHENTICATED",
}
_ATTEMPT_DIGITS: Final = 32


def id_of(invitation: str) -> str:
    """Names the id of an invitation, whose own name stands for its code."""
    return f"id of {invitation}"


@dataclass(frozen=True, slots=True)
class Invite(AdminCall):
    invitation: str  # the name that it gets
    lifetime_s: int = 0  # 0: an hour
    caller: str = ADMIN
    method = "Replicas.Invite"
    event = "replica_invited"

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        return {"lifetime_s": self.lifetime_s}

    def change(self, model: Model, now: Moment) -> None:
        model.invite(self.invitation, self.lifetime_s, now)


@dataclass(frozen=True, slots=True)
class Join(Call):
    """A machine redeems an invitation, and is given what servers share."""

    invitation: str
    replica: str  # what it calls itself
    machine: str  # whose attempt it is; "": what it sends is none
    port: Port = Port.BOOTSTRAP
    method = "Redeem"
    statuses = _JOINING_STATUSES

    def fields(self, token: TokenOf) -> dict[str, Any]:
        attempt = sha256(self.machine.encode()).hexdigest()[:_ATTEMPT_DIGITS]
        return {
            "code": token(self.invitation),
            "attempt": attempt if self.machine else "none",
            "replica_id": self.replica,
        }

    def change(self, model: Model, now: Moment) -> None:
        if not self.machine:
            raise Refused("AttemptMalformed")
        model.join(self.invitation, Joined(self.machine, self.replica), now)


@dataclass(frozen=True, slots=True)
class RemoveReplica(AdminCall):
    """Remove a server, or withdraw an invitation."""

    replica: str  # or an invitation's name
    caller: str = ADMIN
    method = "Replicas.Remove"

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"replica": token(id_of(self.replica)) if " " in self.replica else self.replica}

    def change(self, model: Model, _now: Moment) -> None:
        if self.replica in model.invitations:
            model.withdraw(self.replica)
        elif self.replica in model.replicas | model.removed:
            model.remove(self.replica)
        else:
            raise Refused("ReplicaUnknown")


@dataclass(frozen=True, slots=True)
class ListReplicas(AdminCall):
    """All servers with their states, and how many invitations are remembered."""

    caller: str = ADMIN
    method = "Replicas.List"
    reads = True

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        return {"all": True}

    def expect(self, model: Model, _now: Moment) -> Facts:
        states = dict.fromkeys(model.replicas, "STOPPED")
        states |= dict.fromkeys((SERVER, *model.old), "RUNNING")
        states |= dict.fromkeys(model.removed, "REMOVED")
        said = [f"{replica} {state}" for replica, state in sorted(states.items())]
        return Facts(OK, said=(f"{len(model.invitations)} invitations", *said))


@dataclass(frozen=True, slots=True)
class StartOther(Operation):
    """Another server starts on the same log, and stops again; one of an older version goes on."""

    replica: str
    is_old: bool = False

    def change(self, model: Model, _now: Moment) -> None:
        model.start_other(self.replica, is_old=self.is_old)


class TakeBack(NodeCall):
    """A node that the log lacks is registered again, if it has asked for a link."""

    __slots__ = ()
    method = "Nodes.TakeBack"

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"node_tokens": [token(self.node)]}

    def change(self, model: Model, _now: Moment) -> None:
        if not self.node:
            raise Refused("NodeTokenEmpty")
        if self.node == SERVER_NODE:
            raise Refused("ServerNodeFixed")
        model.take_back(self.node)


@dataclass(frozen=True, slots=True)
class Import(Operation):
    """An upstream server's database with one node in it is imported."""

    database: str
    node: str
    address: str = ""  # it has none

    def change(self, model: Model, _now: Moment) -> None:
        model.import_database(self.database, self.node, self.address)
