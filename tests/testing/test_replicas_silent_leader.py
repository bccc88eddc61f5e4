"""A leader that says nothing any more, as one that is paused: the others go on without it."""

import pytest

from nc.domain.codec.records import entries_of
from nc.domain.evolve import evolve_entries
from nc.domain.fsm import ConnectionState
from nc.domain.state import State
from nc.hub.hub import Hub
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


def connected_without_the_leader() -> int:
    """How many of six nodes are, shortly before a leader is back that was cut off for a minute.

    One of them had its link there: nodes reach the leader for as long as it is cut off.
    """
    joins = [Join(1000 + 500 * number, f"node {number}") for number in range(6)]
    actions = (*joins, SilenceLeader(40_000, 60), Join(120_000, "a later one"))
    history = play(Plan(2, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judge(history, CLUSTER_LAWS).breaches == []
    entries = [entry for record in history.records for entry in entries_of(record)]
    end_ns = entries[0].recorded_at_ns + 90 * 10**9
    state = evolve_entries(State(), (each for each in entries if each.recorded_at_ns < end_ns))
    assert len(state.sessions) == 2
    return sum(link.state is ConnectionState.CONNECTED for link in state.links.values())


def test_nodes_of_a_leader_that_is_cut_off_go_to_the_others() -> None:
    """It asks them to, and does not keep them until it is in touch again."""
    assert connected_without_the_leader() == 6


def test_a_leader_that_is_cut_off_and_keeps_its_nodes_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their links to it are well, so they have no reason of their own to go."""
    monkeypatch.setattr(Hub, "send_away", lambda *_: None)
    assert connected_without_the_leader() == 5
