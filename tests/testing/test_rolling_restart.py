"""Servers that stop in good order: their nodes are at others at once, whoever leads.

Seconds are simulated ones.
"""

import re
from collections.abc import Iterator

import pytest

from nc.replica.leadership import Candidate
from nc.testing.simulation import Chronicle, Plan, play
from nc.testing.simulation.actions import Action, Join, SetClock
from nc.testing.simulation.outages import KillServer, RestartServer
from nc.testing.simulation.quarrels import TroubleAll
from nc.testing.simulation.several import SERVERS
from nc.testing.simulation.shared_log import Trouble
from tests.testing.simulated_clusters import judged

JOINS = tuple(Join(1000 + 200 * number, f"node {number}", number % SERVERS) for number in range(9))
AT_S = 30

LINE = re.compile(r" *\+([0-9.]+) s  (.*)")
GONE, BACK = re.compile(r"(node \d) is not connected"), re.compile(r"(node \d) is connected")


def life(seed: int, *stops: Action) -> Chronicle:
    """One in which no law is broken; nine nodes have links before the first stop."""
    chronicle = play(Plan(seed, "10.1.1.1/24", is_shared=True, actions=(*JOINS, *stops)))
    assert judged(chronicle).breaches == []
    return chronicle


def lines(chronicle: Chronicle) -> Iterator[tuple[float, str]]:
    """What was noted from the first stop on, with its time."""
    for line in chronicle.lines:
        if (found := LINE.match(line)) and float(found[1]) >= AT_S:
            yield float(found[1]), found[2]


def outages_s(chronicle: Chronicle) -> list[float]:
    """How long each node was without a link, each time."""
    lost, found = dict[str, float](), []
    for time_s, text in lines(chronicle):
        if gone := GONE.match(text):
            lost.setdefault(gone[1], time_s)
        elif (back := BACK.match(text)) and back[1] in lost:
            found.append(time_s - lost.pop(back[1]))
    assert lost == {}
    return found


def stopped_s(chronicle: Chronicle) -> list[float]:
    return [time_s - AT_S for time_s, text in lines(chronicle) if text.endswith("has stopped")]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rolling_restart_costs_nodes_a_new_link_and_nothing_else(seed: int) -> None:
    """Each server in its turn, the one that leads among them: no node is without a link."""
    order = [(seed + number) % SERVERS for number in range(SERVERS)]
    at_ms = [AT_S * 1000 + 20_000 * turn for turn in range(SERVERS)]
    chronicle = life(
        seed, *(RestartServer(ms, 3, server) for ms, server in zip(at_ms, order, strict=True))
    )
    assert len(stopped_s(chronicle)) == SERVERS
    assert outages_s(chronicle) == []
    assert sum(1 for _, text in lines(chronicle) if BACK.match(text)) >= len(JOINS)


def test_all_servers_stop_at_once() -> None:
    """None waits for another one to lead: whoever leads carries out the stops of the others."""
    chronicle = life(1, *(RestartServer(AT_S * 1000, 3, server) for server in range(SERVERS)))
    stops = stopped_s(chronicle)
    assert len(stops) == SERVERS
    assert max(stops) < 3.5  # for one second nodes may go


def test_a_leader_stops_although_no_follower_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with servers of an older version: it asks each for a second, and stops as it is."""
    monkeypatch.setattr(Candidate, "take_over", lambda *_: None)
    chronicle = life(1, RestartServer(AT_S * 1000, 3, 0))  # it leads
    (stopped,) = stopped_s(chronicle)
    assert 2 < stopped < 6
    assert outages_s(chronicle) == []


def test_a_leader_stops_without_a_majority() -> None:
    """Neither an election nor its stop can be recorded, nor what is being appended."""
    chronicle = life(
        1,
        TroubleAll(AT_S * 1000 - 50, 60, Trouble.BUSY),
        RestartServer(AT_S * 1000, 3, 0),  # it leads
        Join(AT_S * 1000 + 1000, "another"),  # which is being appended
        SetClock(AT_S * 1000 + 15_000, 0),  # nothing is put right before
    )
    (stopped,) = stopped_s(chronicle)
    assert stopped < 10.5


def test_a_follower_that_is_killed_holds_up_no_hand_over() -> None:
    """The next leader waits for it only as long as it may answer; its nodes are elsewhere then."""
    at_ms = AT_S * 1000
    chronicle = life(1, RestartServer(at_ms, 3, 0), KillServer(at_ms + 1, 8, 1))
    assert max(outages_s(chronicle)) < 3
