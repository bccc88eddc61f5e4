"""A leader that says nothing any more, as one that is paused: the others go on without it."""

import pytest

from nc.rpc.replication import following
from nc.rpc.replication.following import Following
from nc.testing.contract.judgement import Breach, judge
from nc.testing.contract.laws import CLUSTER_LAWS
from nc.testing.contract.laws.cluster import NOT_LOST
from nc.testing.simulation.actions import Expire, Join, Plan
from nc.testing.simulation.playing import play
from nc.testing.simulation.quarrels import Ask, SilenceLeader


def breaches(seed: int) -> list[Breach]:
    """Of a life in which the leader is silent for 12 s, while clients ask."""
    actions = (Ask(5_000, 60), SilenceLeader(40_000, 12), Ask(60_000, 5))
    return breaches_of(Plan(seed, "10.1.1.1/24", is_shared=True, actions=actions))


def breaches_of(plan: Plan) -> list[Breach]:
    return judge(play(plan), CLUSTER_LAWS).breaches


def test_nobody_else_is_lost_when_the_leader_falls_silent() -> None:
    """Another one is elected, and whoever is in touch with it is never taken for lost."""
    assert breaches(1) == []


@pytest.mark.parametrize("for_s", [4, 8])
def test_the_sweep_of_a_leader_that_was_replaced_goes_on(for_s: int) -> None:
    """A node expires while the leader is silent, and another leads before that is recorded.

    In the shorter silence the log takes what the leader tries to append, too late.
    """
    actions = (
        *(Join(1000, "node 1"), Expire(5000, "node 1", in_s=36)),
        *(SilenceLeader(40_000, for_s), Ask(60_000, 1)),
    )
    assert breaches_of(Plan(1, "10.1.1.1/24", is_shared=True, actions=actions)) == []


def test_a_follower_that_waits_for_the_silent_leader_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that calls it anew, and does not leave it when another one is elected."""
    monkeypatch.setattr(Following, "ahead", lambda _: None)
    monkeypatch.setattr(following, "_CONNECT_S", 1e9)
    assert NOT_LOST in {breach.law for breach in breaches(1)}
