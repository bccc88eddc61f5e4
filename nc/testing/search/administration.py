"""Rules of a trial about nc.admin.v1, beside those of `Workload`."""

from collections.abc import Callable
from typing import Final

from nc.testing.contract import administration as adm
from nc.testing.contract import operations as ops
from nc.testing.contract.values import ADMIN, MINUTE_MS, VIEWER
from nc.testing.search.workload import Workload
from nc.testing.targets.target import Ability

_CROWD: Final = 5  # more than the small networks have addresses, or may take in a day
_POOL_SEEN: Final = 5  # of the addresses, those that operators choose from


class AdministrationWorkload(Workload):
    """Drives a trial, as `Workload`, as operators do, too."""

    def a_token_is_used_up(self) -> None:
        """More machines come with a limited token than it lets in; one leaves, and one comes."""
        issue = self.limited()
        self.perform(issue)
        nodes = [self.fresh("node") for _ in range(3)]
        for node in nodes:
            self.perform(ops.Redeem(issue.token, node))
        self.perform(adm.Describe(nodes[0]))
        self.perform(self.pick((ops.Unregister(nodes[0]), adm.RevokeToken(issue.token))))
        self.perform(ops.Redeem(issue.token, self.fresh("node")))

    def the_nodes_of_a_token_leave(self) -> None:
        if self.tokens:
            token = self.pick(self.tokens)
            self.perform(adm.UnregisterNodesOf(token, self.pick((True, False))))
            self.perform(ops.Redeem(token, self.fresh("node")))
            for node in self.one_node():
                self.perform(ops.CheckState(node))

    def a_node_is_described(self) -> None:
        """Before and after it is given a name, which another one may have."""
        for node, other in zip(self.one_node(), self.one_node(), strict=True):
            taking = adm.UpdateNode(other, name="db")
            for each in (adm.Describe(node), self.update(node), taking, adm.Describe(node)):
                self.perform(each)

    def an_address_is_assigned(self) -> None:
        """A node gets an address of the pool, held by whoever, and comes with it."""
        for node in self.one_node():
            pool = self.trial.states.any.pool
            self.perform(adm.AssignAddress(node, address=self.pick(pool[:_POOL_SEEN])))
            self.perform(ops.GetAddress(node))
            if self.pick((True, False)):
                self.connect(node)

    def a_crowd_of_newcomers(self) -> None:
        """More machines of one token than there are addresses, each off again; then another's."""
        token, nodes = self.fresh("token"), [self.fresh("node") for _ in range(_CROWD)]
        self.perform(ops.IssueToken(token, 10))
        for node in nodes:
            self.perform(ops.Redeem(token, node))
            self.perform(ops.CloseLink(node, self.connect(node)))
        self.wait(self.pick((MINUTE_MS, 20 * MINUTE_MS)))
        self.connect(nodes[-1])
        self.a_newcomer()

    def an_operator_comes_and_goes(self) -> None:
        """One who may do all or only read, until the certificate is revoked."""
        operator, role = self.fresh("operator"), self.pick((VIEWER, ADMIN))
        if not self.trial.states.any.has_other_admins(self._now_ms):
            self.perform(adm.RevokeOperator(ADMIN))
        self.perform(adm.IssueOperator(operator, role))
        calls: tuple[Callable[[], ops.Call], ...] = (
            lambda: ops.CheckState(self._node(), operator),
            lambda: ops.IssueToken(self.fresh("token"), 1, operator),
            lambda: adm.Describe(self._referred(self._node()), operator),
            lambda: adm.RevokeToken(self._referred(self._token()), operator),
        )
        for _ in range(2):
            self.perform(self.pick(calls)())
        self.perform(adm.RevokeOperator(operator))
        self.perform(self.pick(calls)())


AdministrationWorkload.rules = (
    *Workload.rules,
    (AdministrationWorkload.a_token_is_used_up, Ability.ADMINISTRATION),
    (AdministrationWorkload.the_nodes_of_a_token_leave, Ability.ADMINISTRATION),
    (AdministrationWorkload.a_node_is_described, Ability.ADMINISTRATION),
    (AdministrationWorkload.an_address_is_assigned, Ability.ADMINISTRATION),
    (AdministrationWorkload.a_crowd_of_newcomers, Ability.CLOCK),
    (AdministrationWorkload.an_operator_comes_and_goes, Ability.ADMINISTRATION),
)
