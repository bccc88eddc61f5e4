"""Rules of a trial about what is rare: mistakes in requests, servers that join, nodes that wait."""

from typing import Final

from nc.testing.contract import administration as adm
from nc.testing.contract import enrolment as enr
from nc.testing.contract import membership as mem
from nc.testing.contract import operations as ops
from nc.testing.contract.mistakes import MISTAKES, AskWrongly, MeanByPrefix
from nc.testing.contract.values import (
    ADMIN,
    DATABASE,
    DAY_MS,
    ENDED,
    LOST,
    SERVER,
    VIEWER,
    imported_nodes,
)
from nc.testing.search.enrolment import EnrolmentWorkload
from nc.testing.targets.target import Ability

_MISTAKES: Final = tuple(MISTAKES)
_WITHOUT_INVITATIONS: Final = tuple(
    name for name, request in MISTAKES.items() if request.method != "Replicas.Invite"
)  # which a server on a log in its own folder refuses, whatever is in them
_AT_ONCE: Final = 5
_LIFETIME_S: Final = 60
_OTHER: Final = "replica-2"  # another server
_NO_ADDRESS: Final = "192.0.2.3"  # of any network


class MembershipWorkload(EnrolmentWorkload):
    """Drives a trial, as `EnrolmentWorkload`, with what is rare."""

    def requests_are_not_in_order(self) -> None:
        """Some mistakes in a row, from any of them on."""
        mistakes = _MISTAKES if Ability.MEMBERSHIP in self._has else _WITHOUT_INVITATIONS
        first = self.pick(range(len(mistakes)))
        for mistake in (mistakes * 2)[first : first + _AT_ONCE]:
            for node in self.one_node():
                self.perform(AskWrongly(mistake, node))

    def references_are_short(self) -> None:
        """What begins many ids; a token that may be forgotten; nothing that there ever was."""
        for what in ("node", "token", "invitation"):
            self.perform(MeanByPrefix(what))
        for token in self.tokens[:1]:
            self.perform(adm.RevokeToken(token))
        self.perform(adm.RevokeOperator(self.fresh("operator")))

    def operators_have_one_name(self) -> None:
        issue = adm.IssueOperator(self.fresh("operator"), self.pick((VIEWER, ADMIN)))
        for each in (issue, issue, adm.RevokeOperator(issue.operator)):
            self.perform(each)

    def an_operator_s_certificate_ends(self) -> None:
        """Then it is refused, its name is unknown, and it is not counted as an administrator's."""
        issue = adm.IssueOperator(self.fresh("operator"), ADMIN, lifetime_s=_LIFETIME_S)
        self.perform(issue)
        self.wait(_LIFETIME_S * 1000 + self.pick((0, -1, 1)))
        self.perform(ops.IssueToken(self.fresh("token"), 1, issue.operator))
        self.wait(1)
        self.perform(adm.RevokeOperator(issue.operator))
        if not self.trial.states.any.has_other_admins(self._now_ms):
            self.perform(adm.RevokeOperator(ADMIN))

    def a_server_is_not_upgraded(self) -> None:
        """No server is invited or removed until the old one is upgraded."""
        invite = mem.Invite(self.fresh("invitation"))
        listed, removed = mem.ListReplicas(), mem.RemoveReplica(invite.invitation)
        for each in (invite, mem.StartOther(_OTHER, is_old=True), removed, listed):
            self.perform(each)
        self.perform(mem.Invite(self.fresh("invitation")))
        self.perform(mem.Join(invite.invitation, self.pick((_OTHER, "replica-3")), "machine"))
        self.perform(mem.StartOther(_OTHER))

    def a_server_joins(self) -> None:
        """With an invitation, which is used up, ends or is withdrawn; then it is removed."""
        invite = mem.Invite(self.fresh("invitation"), self.pick((0, _LIFETIME_S)))
        self.perform(invite)
        self.perform(mem.Invite(self.fresh("invitation")))
        self.perform(MeanByPrefix("invitation"))
        join = mem.Join(invite.invitation, _OTHER, "machine")
        for replica, machine in ((_OTHER, ""), ("no name", "machine"), (SERVER, "machine")):
            self.perform(mem.Join(invite.invitation, replica, machine))
        if self.pick((False, False, True)):
            self.perform(mem.RemoveReplica(invite.invitation))
        for attempt in (join, join, mem.Join(invite.invitation, _OTHER, "another machine")):
            self.perform(attempt)
        if self.pick((False, True)):
            self._invitation_ends(join)
        self._server_is_removed(join)

    def _invitation_ends(self, join: mem.Join) -> None:
        """The invitation ends, and is forgotten a day later."""
        if Ability.CLOCK in self._has:
            self.wait(_LIFETIME_S * 1000)
            self.perform(join)
            self.wait(DAY_MS)
            self.perform(ops.Sweep())
            self.perform(join)

    def _server_is_removed(self, join: mem.Join) -> None:
        start, remove = mem.StartOther(join.replica), mem.RemoveReplica(join.replica)
        listed = mem.ListReplicas(self.pick((ADMIN, ADMIN, *self.operators)))
        for each in (start, listed, remove, start, join, remove, listed):
            self.perform(each)
        self.perform(mem.RemoveReplica(self.pick((SERVER, "replica-3"))))

    def a_node_is_taken_back(self) -> None:
        """It has shown a certificate, or none that is good, or before the server was restarted."""
        take_back = mem.TakeBack(LOST)
        self.perform(take_back)
        certificate = self.pick(("", ENDED, *self.nodes[:1]))
        for shown in (certificate, ""):
            self.perform(enr.OpenLinkWith(LOST, self.fresh("link"), shown))
            if self.pick((False, False, True)) and Ability.RESTART in self._has:
                self.trial.restart()
            self.perform(take_back)
        self.perform(ops.CheckState(LOST))
        self.perform(enr.OpenLinkWith(LOST, self.fresh("link"), ENDED))
        self.perform(self.pick((enr.Renew(LOST), ops.Unregister(LOST))))
        self.perform(mem.TakeBack(self.pick((LOST, *self.nodes[:2], "", ops.SERVER_NODE))))

    def a_database_is_imported_again(self) -> None:
        """The same, or another one with a node that is known, or with an address of no network."""
        for node in imported_nodes(self.trial.history.limits.imported):
            self.perform(mem.Import(DATABASE, node))
            self.perform(mem.Import(self.fresh("database"), node))
            stranger = mem.Import(self.fresh("database"), self.fresh("node"), _NO_ADDRESS)
            self.perform(stranger)
            self.perform(ops.CheckState(node))


MembershipWorkload.rules = (
    *EnrolmentWorkload.rules,
    (MembershipWorkload.requests_are_not_in_order, Ability.ADMINISTRATION),
    (MembershipWorkload.references_are_short, Ability.MEMBERSHIP),
    (MembershipWorkload.operators_have_one_name, Ability.ADMINISTRATION),
    (MembershipWorkload.an_operator_s_certificate_ends, Ability.CLOCK),
    (MembershipWorkload.a_server_joins, Ability.MEMBERSHIP),
    (MembershipWorkload.a_server_is_not_upgraded, Ability.MEMBERSHIP),
    (MembershipWorkload.a_node_is_taken_back, Ability.MEMBERSHIP),
    (MembershipWorkload.a_database_is_imported_again, Ability.MEMBERSHIP),
)
