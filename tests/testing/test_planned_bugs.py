"""A bug of several servers that takes rare faults has a plan in which it is found."""

import pytest

from nc.replica import leases
from nc.testing import CLUSTER_LAWS, judge
from nc.testing.contract.laws.cluster import NEVER_OLDER
from nc.testing.simulation import Plan, play
from nc.testing.simulation.actions import Join
from nc.testing.simulation.quarrels import LOG, Ask, Cut, ResetLines


def resets() -> Plan:
    """Again and again one server is cut off from the log, and the others from it."""
    times = range(6000, 70_000, 5000)
    cut = [(ResetLines(at, at // 1000), Cut(at, 3, at // 1000, LOG)) for at in times]
    actions = (Join(1000, "node 1"), Ask(4000, 70), *(action for both in cut for action in both))
    return Plan(1, "10.1.1.1/24", is_shared=True, actions=actions)


@pytest.mark.long
def test_a_follower_that_is_out_before_its_lease_ended_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One whose connection has broken, and that is taken for dead at once: that breaks one law."""
    chronicle = play(resets())
    assert judge(chronicle, CLUSTER_LAWS).breaches == []
    assert chronicle.held[NEVER_OLDER.name] > 0
    monkeypatch.setattr(leases, "BROKEN_OUT_AFTER_S", 0.0)
    breaches = judge(play(resets()), CLUSTER_LAWS).breaches
    assert {breach.law for breach in breaches} == {NEVER_OLDER}
