"""Rules of a trial about nc.node.v1, beside those of `AdministrationWorkload`."""

from dataclasses import replace

from nc.testing.contract import administration as adm
from nc.testing.contract import enrolment as enr
from nc.testing.contract import operations as ops
from nc.testing.contract.happenings import Crash
from nc.testing.contract.values import UPSTREAM, Told, imported_nodes, old
from nc.testing.search.administration import AdministrationWorkload
from nc.testing.search.choices import THIEF
from nc.testing.targets.target import Ability

_LAST_STEP = 6  # of a crash


class EnrolmentWorkload(AdministrationWorkload):
    """Drives a trial, as machines with keys of their own do, too."""

    def a_machine_enrols(self) -> None:
        """A token is issued and redeemed; the reply may be lost, and the attempt is repeated."""
        token = self.limited()
        self.perform(token)
        attempt = self.first_attempt(token.token)
        if self.pick((False, True)):
            self.perform(self.spoiled(attempt))
        is_lost = Ability.CRASH in self._has and self.pick((False, True))
        self.perform(attempt, crash=Crash(self.pick(range(_LAST_STEP))) if is_lost else None)
        for each in (attempt, adm.Describe(attempt.node), self.first_attempt(token.token)):
            self.perform(each)

    def an_attempt_is_repeated(self) -> None:
        """By the machine or by another one, while its token and its node come and go."""
        if not self.attempts:
            self.perform(ops.IssueToken(token := self.fresh("token"), 10))
            self.perform(self.first_attempt(token))
        attempt = self.pick(self.attempts)
        between = (
            adm.Describe(attempt.node),
            adm.RevokeToken(self._referred(attempt.token)),
            ops.SetExpiries(((attempt.node, self._now_ms // 1000 + 1),)),
            ops.Unregister(attempt.node),
        )
        self.perform(self.pick(between))
        for again in (replace(attempt, machine=self.pick((THIEF, "", enr.NO_REQUEST))), attempt):
            self.perform(again)

    def machines_have_one_hostname(self) -> None:
        """Each is called otherwise; one leaves, and another one comes."""
        self.perform(ops.IssueToken(token := self.fresh("token"), 10))
        first = self.first_attempt(token)
        alike = [replace(first, node=self.fresh("node")) for _ in range(self.pick((1, 2, 3)))]
        for each in (first, *alike):
            self.perform(each)
        self.perform(ops.Unregister(self.pick((first, *alike)).node))
        self.perform(replace(first, node=self.fresh("node")))

    def certificates_are_renewed(self) -> None:
        """The older ones are good, too, for calls and for links; an expired node gets none."""
        for node in self.one_node():
            if self.pick((False, False, True)):
                for expires_at_s in (self._now_ms // 1000 - 1, 0):
                    self.perform(ops.SetExpiries(((node, expires_at_s),)))
                    self.perform(enr.Renew(node))
            if self.pick((False, True)):
                self.perform(enr.Renew(node, THIEF))
            answers = self.perform(enr.Renew(node, told=self._told()))
            if answers and answers[0] is not None and answers[0].is_ok:
                for who in (old(node), node):
                    self.perform(ops.CheckState(node, who))
                    if Ability.LINKS in self._has:
                        self.perform(enr.OpenLinkWith(node, self.fresh("link"), who))
            self.perform(adm.Describe(node))

    def a_machine_tells_facts(self) -> None:
        """On a link, which another one may replace; the older one may still ask for its address."""
        for node in self.one_node():
            link, late, newer = (self.fresh("link") for _ in range(3))
            self.perform(enr.OpenLinkWith(node, link, told=self._told()))
            self.perform(ops.Handshake(node, link))
            self.perform(adm.Describe(node))
            if self.pick((False, True)):
                self.perform(enr.OpenLinkWith(node, late, told=Told("late")))
                self.perform(enr.OpenLinkWith(node, newer, told=self._told()))
                for asking in self.pick(((newer,), (newer, late), (late, newer))):
                    self.perform(ops.Handshake(node, asking))
                    self.perform(adm.Describe(node))

    def an_imported_node_comes(self) -> None:
        """With upstream's certificate; then it has its own, and upstream's is good no more."""
        for node in imported_nodes(self.trial.history.limits.imported)[-1:]:
            self.perform(enr.CheckAsUpstream(node))
            if Ability.LINKS in self._has:
                self.connect(node)
            self.perform(enr.Renew(node, told=self._told()))
            for certificate in (UPSTREAM, node) if Ability.LINKS in self._has else ():
                self.perform(enr.OpenLinkWith(node, self.fresh("link"), certificate))
            self.perform(enr.CheckAsUpstream(node))

    def another_s_certificate_is_shown(self) -> None:
        for node in self.one_node():
            certificate = self.pick((UPSTREAM, *self.nodes))
            self.perform(enr.OpenLinkWith(node, self.fresh("link"), certificate))
            self.perform(enr.CheckAsUpstream(node))


EnrolmentWorkload.rules = (
    *AdministrationWorkload.rules,
    (EnrolmentWorkload.a_machine_enrols, Ability.ENROLMENT),
    (EnrolmentWorkload.an_attempt_is_repeated, Ability.ENROLMENT),
    (EnrolmentWorkload.machines_have_one_hostname, Ability.ENROLMENT),
    (EnrolmentWorkload.certificates_are_renewed, Ability.ENROLMENT),
    (EnrolmentWorkload.a_machine_tells_facts, Ability.ENROLMENT),
    (EnrolmentWorkload.an_imported_node_comes, Ability.ENROLMENT),
    (EnrolmentWorkload.another_s_certificate_is_shown, Ability.ENROLMENT),
)
