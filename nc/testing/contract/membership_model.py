"""Operators, servers that join and leave, and nodes that come without a token, in the model."""

from typing import Final, NamedTuple

from nc.testing.contract.address_model import Choose
from nc.testing.contract.token_model import TokenModel
from nc.testing.contract.values import (
    ADMIN,
    DAY_MS,
    SERVER,
    VIEWER,
    Expiry,
    Limits,
    Moment,
    Profile,
    Refused,
)

_HOUR_S: Final = 3600


class Joined(NamedTuple):
    """Who redeemed an invitation; "": it was not redeemed."""

    machine: str = ""
    replica: str = ""


class MembershipModel(TokenModel):
    """Operators, invitations, servers and nodes; the arguments are those of `Model`."""

    def __init__(self, network: str, choose: Choose, limits: Limits, now_ms: int) -> None:
        super().__init__(network, choose, limits, now_ms)
        self.operators: dict[str, str] = {ADMIN: ADMIN}  # role; "": revoked
        self.operators_end: dict[str, Expiry] = {ADMIN: None}
        self.twins: set[str] = set()  # operators whose name two certificates have
        self.invitations: dict[str, Expiry] = {}
        self.joined: dict[str, Joined] = {}  # by invitation
        self.replicas: set[str] = {SERVER}
        self.removed: set[str] = set()  # replicas
        self.old: set[str] = set()  # replicas that run, and know no events of what is below
        self.waiting: set[str] = set()  # nodes that have shown a certificate

    # Operators

    def has_other_admins(self, now_ms: int) -> bool:
        """Whether `ADMIN` is surely not the last administrator."""
        ends = [
            self.operators_end[name]
            for name, role in self.operators.items()
            if role == ADMIN and name != ADMIN
        ]
        return any(end is None or now_ms < end.earliest_ms for end in ends)

    def appoint(self, operator: str, role: str, lifetime_s: int, now: Moment) -> None:
        """Administrators.Issue: certificates end at a whole second; 0: not within a trial."""
        if self.operators.get(operator):
            self.twins.add(operator)
        self.operators[operator] = role
        begun = Moment(*(ms // 1000 * 1000 for ms in now))
        self.operators_end[operator] = begun.plus(lifetime_s * 1000) if lifetime_s else None

    def check_operator(self, operator: str, now: Moment, *, reads: bool) -> None:
        """Refuse an operator whose certificate is not good for this."""
        if self.has_passed(self.operators_end, operator, now):
            raise Refused("Ended")
        role = self.operators[operator]
        if role != ADMIN and not (role == VIEWER and reads):
            raise Refused(role)

    def dismiss(self, operator: str, now: Moment) -> None:
        """Administrators.Revoke, by the name of a certificate that is good."""
        role = self.operators.get(operator)
        if role is None or self.has_passed(self.operators_end, operator, now):
            raise Refused("AdministratorUnknown")
        # It is looked for by its name before it is revoked, perhaps by another call meanwhile.
        if not role and self.choose([True, False]):
            raise Refused("AdministratorUnknown")
        if role and operator in self.twins:
            raise Refused("AdministratorAmbiguous")
        if role == ADMIN and not any(
            other == ADMIN and not self.has_passed(self.operators_end, name, now)
            for name, other in self.operators.items()
            if name != operator
        ):
            raise Refused("LastAdministrator")
        self.operators[operator] = ""

    # Servers

    def _require_known(self) -> None:
        """Refuse what a server that runs could not read."""
        if self.old:
            raise Refused("ReplicaTooOld")

    def invite(self, invitation: str, lifetime_s: int, now: Moment) -> None:
        self._require_known()
        self.invitations[invitation] = now.plus((lifetime_s or _HOUR_S) * 1000)

    def join(self, invitation: str, joining: Joined, now: Moment) -> None:
        """Joining.Redeem: once; the machine that did is answered again until it is over."""
        if invitation not in self.invitations:
            raise Refused("InvitationUnknown")
        known = self.joined.get(invitation)
        if known is not None and known.machine != joining.machine:
            raise Refused("InvitationUsed")
        if self.has_passed(self.invitations, invitation, now):
            raise Refused("InvitationExpired")
        if not joining.replica or " " in joining.replica:
            raise Refused("ReplicaIdWrong")
        if known is not None:
            return
        if joining.replica in {SERVER, *self.old}:
            raise Refused("ReplicaIdTaken")
        self._require_known()
        self.joined[invitation] = joining
        self.removed.discard(joining.replica)

    def withdraw(self, *invitations: str) -> None:
        self._require_known()
        for invitation in invitations:
            self.invitations.pop(invitation)
            self.joined.pop(invitation, None)

    def start_other(self, replica: str, *, is_old: bool) -> None:
        """Another server starts; one of an older version goes on until it starts anew."""
        if replica in self.removed:
            raise Refused("ReplicaIsRemoved")
        self.replicas.add(replica)
        (self.old.add if is_old else self.old.discard)(replica)

    def remove(self, replica: str) -> None:
        """Replicas.Remove: again, it changes nothing."""
        if replica in self.removed:
            return
        if replica == SERVER:
            raise Refused("ReplicaInCharge")
        self._require_known()
        self.replicas.remove(replica)
        self.removed.add(replica)
        self.withdraw(*[name for name, by in self.joined.items() if by.replica == replica])

    def forget(self, now: Moment) -> None:
        super().forget(now)
        for invitation, expiry in list(self.invitations.items()):
            if not self.old and expiry is not None and now.earliest_ms - expiry.latest_ms >= DAY_MS:
                self.withdraw(invitation)

    # Nodes that come without a token

    def take_back(self, node: str) -> None:
        """Nodes.TakeBack: register a node that has shown its certificate."""
        if node in self.gone:
            raise Refused("NodeUnknown")
        if node in self.nodes:
            return
        if node not in self.waiting:
            raise Refused("NodeNotWaiting")
        self.nodes[node] = None
        self.profiles[node] = Profile("", 0, "node-#", key=node)

    def import_database(self, database: str, node: str, address: str) -> None:
        """Import a database with one node in it; "" is no address."""
        if database in self.databases:
            raise Refused("AlreadyImported")
        if node in self.nodes or node in self.gone:
            raise Refused("ImportRefused")
        if address and (address not in self.pool or address in self.held.values()):
            raise Refused("ImportRefused")
        self.databases.add(database)
        self.import_node(node, address)
