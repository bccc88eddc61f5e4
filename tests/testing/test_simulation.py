"""A cluster from a seed keeps the laws, and is held to them."""

from dataclasses import replace

import pytest

from eventlog import MemoryLog
from nc.domain.events import Batch, Entry, Event, ReplicaStopped
from nc.domain.evolve import evolve
from nc.domain.state import State
from nc.testing import CLUSTER_LAWS, LAWS, Observed
from nc.testing.contract.laws import NOT_IN_A_CLUSTER
from nc.testing.contract.laws.cluster import PACKETS_COUNT, SAME_LINKS
from nc.testing.contract.laws.log import replay_equals_live
from nc.testing.search import search
from nc.testing.simulation import Chronicle, Plan, Simulation, draw, play
from nc.testing.simulation.log_review import read_log
from tests.testing.simulated_clusters import judged

A_DAY_OF_ACTIONS = 8000  # one comes some 11 s after the other


def test_a_cluster_keeps_the_laws() -> None:
    """Some lives, with crashes, partitions and full disks, and every agent is back in the end."""
    report = search(Simulation(), examples=6, seed=100)
    report.require()
    assert report.trials == 6


def test_a_law_is_left_out_for_a_reason_only() -> None:
    """A cluster is held to every law, by its own check or another, but to those with a reason."""
    all_of_them = {law.name for law in LAWS}
    here = {law.name for law in CLUSTER_LAWS}
    assert all_of_them - here == NOT_IN_A_CLUSTER.keys()


def test_agents_come_to_several_servers() -> None:
    """Where several share a log, two at least have links, and some node has links at both."""
    lines = play(draw(3, is_shared=True)).lines
    reached = [line.partition(" s  ")[2] for line in lines if "is connected as" in line]
    nodes_at = {
        at: {line.partition(" is ")[0] for line in reached if line.endswith(at)}
        for at in ("at server 1", "at server 2")
    }
    assert nodes_at["at server 1"] & nodes_at["at server 2"]


def test_a_life_without_acts_is_quiet() -> None:
    """A server starts, and nothing else happens."""
    chronicle = play(Plan(0, "10.1.1.1/24", False, ()))
    assert chronicle.steps
    assert chronicle.sightings == {}
    assert [chronicle.held[law.name] for law in (SAME_LINKS, PACKETS_COUNT)] == [0, 0]


@pytest.mark.long
def test_a_day_of_a_cluster_s_life() -> None:
    """In 24 hours and more, full of what may happen, no law is broken."""
    chronicle = play(draw(2, A_DAY_OF_ACTIONS, is_shared=False))
    assert judged(chronicle).breaches == []
    assert moment_s(chronicle.lines[-1]) >= 24 * 3600


@pytest.mark.long
def test_several_servers_keep_the_laws() -> None:
    """In many lives."""
    search(Simulation(is_shared=True), examples=60, seed=0).require()


def moment_s(line: str) -> float:
    """When a line of a chronicle was written, since the beginning."""
    return float(line.partition(" s  ")[0])


def test_every_server_s_state_is_held_against_the_log() -> None:
    """Each of two that know the same events; none that stands where no record ends."""
    log = MemoryLog()
    events = [Event(replica_stopped=ReplicaStopped())] * 2
    log.append(Batch(entries=[Entry(events=events)]).SerializeToString(), 2, 0)
    right = evolve(State(), events)
    wrong = replace(right, key_check="another")
    for states, findings in (
        ([right], [True]),
        ([right, right], [True]),
        ([right, wrong], [False]),
        ([wrong, right], [False]),
        ([replace(right, seq=1)], []),
        ([], []),
    ):
        chronicle = Chronicle()
        read_log(chronicle, log, states)
        assert [holds for holds, _ in replay_equals_live.check(Observed(chronicle))] == findings
