"""Lives of a cluster, each of which once broke a law, or has to end one."""

import pytest

from nc.testing import CheckHealth, CheckState, Unregister
from nc.testing.contract.administration import AssignAddress
from nc.testing.contract.laws.cluster import NOTHING_CRASHES, REWOUND, SAME_LINKS, STARTS
from nc.testing.simulation import Plan, play
from nc.testing.simulation.actions import (
    Break,
    BreakLink,
    Call,
    DuplicateNode,
    Expire,
    Join,
    SendPackets,
    SwitchOff,
    SwitchOn,
)
from nc.testing.simulation.outages import CutPower, FailSync, FillDisk, KillServer, RestartServer
from nc.testing.simulation.quarrels import LOG, Ask, Cut, ForkLog, RewindLog, TroubleAll
from nc.testing.simulation.several import SERVERS
from nc.testing.simulation.shared_log import Trouble
from tests.testing.simulated_clusters import BY_NAME, BY_SITUATION, judged


def test_a_call_knows_only_what_was_given_out_before_it() -> None:
    """A node's token that is answered while a call begins is not yet a token for that call.

    In this life the call was once taken to know it, and the law about unknown tokens was broken.
    """
    actions = (Join(1000, "node 1", replica=0), Expire(1000, "node 1", in_s=1, replica=1))
    chronicle = play(Plan(780_714, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judged(chronicle).breaches == []


def test_an_agent_that_is_about_to_come_back_is_waited_for() -> None:
    """Nothing is quiet while an agent whose connection broke at the end waits to try again.

    In this life the links were once compared during its handshake: the log had the newer link, not
    yet CONNECTED, and the hub the older one, which carries packets until the newer one does.
    """
    actions = (
        Join(1000, "node 1"),
        FillDisk(20_000, for_s=70),
        SwitchOff(21_000, "node 1", silently=True),
        SwitchOn(22_000, "node 1"),  # refused several times: from then on it waits for long
        BreakLink(101_000, "node 1", Break.AT_NODE),
    )
    chronicle = play(Plan(189, "10.1.1.1/24", is_shared=False, actions=actions))
    assert judged(chronicle).breaches == []


def test_a_server_stops_although_a_link_that_was_replaced_carries_on() -> None:
    """It will not hear what becomes of the newer link; it once waited for that for ever."""
    actions = (
        Join(1000, "node 1", replica=1),
        SwitchOff(20_000, "node 1", silently=True),
        SwitchOn(25_000, "node 1"),
        RestartServer(25_040, down_s=5, replica=1),
    )
    chronicle = play(Plan(1, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judged(chronicle).breaches == []


# Each is what a search found once: the bug that it was, and the law that it broke.
FOUND_IN_CLUSTERS = {
    "a sweep at one server expires a node whose link is at the other one": (
        "what another replica ends lives on here",
        SAME_LINKS,
        Plan(
            1,
            "10.1.1.1/24",
            is_shared=True,
            actions=(Join(1000, "node 1", replica=1), Expire(5000, "node 1", in_s=3, replica=0)),
        ),
    ),
    "a newer link at one server replaces a link at the other one, and ends": (
        "a replaced link waits for one that is elsewhere",
        SAME_LINKS,
        Plan(
            11,
            "10.1.1.1/24",
            is_shared=True,
            actions=(
                Join(1000, "node 1"),
                DuplicateNode(5000, "node 1", for_s=6),
                SendPackets(15_000, "node 1", to="node 1", count=1, size_bytes=100),
            ),
        ),
    ),
    "a newer link's server is killed before the link has its address": (
        "a replaced link outlives the server of the newer one",
        SAME_LINKS,
        Plan(
            1,
            "10.1.1.1/24",
            is_shared=True,
            actions=(
                Join(1000, "node 1"),  # at server 2
                SwitchOff(20_000, "node 1", silently=True),
                SwitchOn(25_000, "node 1"),  # at server 3
                KillServer(25_035, down_s=0, replica=2),
                SwitchOff(25_036, "node 1", silently=False),
            ),
        ),
    ),
    "a link ends at a follower while the log is busy": (
        "a refused end of a link is not asked for again",
        SAME_LINKS,
        Plan(
            1,
            "10.1.1.1/24",
            is_shared=True,
            actions=(
                *(Join(1000, f"node {number}") for number in (1, 2, 3, 4)),
                TroubleAll(20_000, 40, Trouble.BUSY),
                *(SwitchOff(25_000, f"node {number}", False) for number in (1, 2, 3, 4)),
                Call(65_000, CheckState("node 1")),
            ),
        ),
    ),
    "a power cut leaves a later record of a copy, and not one before it": (
        "a copy calls durable what is not",
        STARTS,
        Plan(
            1,
            "10.1.1.1/24",
            is_shared=True,
            actions=(Ask(2000, 15), CutPower(9000, 3, 0.9, 3, down_s=0, replica=1)),
        ),
    ),
    "a server that was lost reaches the leader for long before it reaches the log": (
        "a start whose outcome is open is asked for under another session",
        NOTHING_CRASHES,
        Plan(
            1,
            "10.1.1.1/24",
            is_shared=True,
            actions=(
                Cut(10_000, 20, replica=1, other=0),
                Cut(10_000, 20, replica=1, other=LOG),
                Cut(30_500, 30, replica=1, other=LOG),  # by then it has read of its loss
                Call(70_000, CheckHealth()),
            ),
        ),
    ),
    "servers begin at once, with one administrator's certificate": (
        "a certificate that is recorded already ends the start",
        NOTHING_CRASHES,
        Plan(1, "10.1.1.1/24", is_shared=True, actions=()),
    ),
}


def test_each_bug_that_no_search_finds_has_its_situation() -> None:
    """Which finds it: see below."""
    assert {name for name, _, _ in FOUND_IN_CLUSTERS.values()} >= BY_SITUATION


@pytest.mark.parametrize("situation", FOUND_IN_CLUSTERS)
def test_a_situation_that_broke_a_law_keeps_it(
    situation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It breaks that law again with the bug of then, so that it is still the same situation."""
    name, law, plan = FOUND_IN_CLUSTERS[situation]
    assert judged(play(plan)).breaches == []
    BY_NAME[name].plant(monkeypatch)
    assert law in [breach.law for breach in judged(play(plan)).breaches]


@pytest.mark.parametrize("appended", [False, True])
def test_a_log_that_lost_events_ends_the_servers(appended: bool) -> None:
    """Each that has read them ends, whether others have appended since or not; none goes on."""
    actions = (Join(1000, "node 1"), RewindLog(20_000, 4, appended))
    chronicle = play(Plan(1, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judged(chronicle).breaches == []
    assert chronicle.held[REWOUND.name] == SERVERS


def test_a_server_may_find_what_was_appended_behind_a_lost_event() -> None:
    """A log takes what counts on as many messages as there are, though it was built on a lost one.

    Who reads it says that it does not follow, and not that the log lost events: it never had those.
    """
    cuts = (Cut(103_450, 70, replica=2, other=other) for other in (LOG, 0))
    busy = TroubleAll(108_080, 100, Trouble.BUSY)
    expiry = Expire(12_270, "node 1", in_s=0, replica=2)
    actions = (Ask(6205, 30), expiry, *cuts, busy, RewindLog(163_690, 1, appended=False))
    chronicle = play(Plan(161_000_946, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judged(chronicle).breaches == []
    assert "does not follow" in str(chronicle)


def test_a_log_that_gives_a_server_other_bytes_ends_it_and_that_is_no_crash() -> None:
    """The others go on. Its tasks end by what was reported already: none says `task.crashed`."""
    actions = (Join(1000, "node 1"), ForkLog(20_000, 0), Join(30_000, "node 2", 1))
    chronicle = play(Plan(1, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judged(chronicle).breaches == []
    assert "server 1 ends: " in str(chronicle)
    assert "server 2 ends: " not in str(chronicle)


def test_what_a_copy_loses_at_a_power_cut_is_read_again() -> None:
    """What was not synced is gone from it, and the server's state is the log's in the end."""
    found = []
    for keep in (0.0, 1.0):
        actions = (Ask(2000, 15), CutPower(9000, 3, keep, 1, down_s=0, replica=1))
        chronicle = play(Plan(1, "10.1.1.1/24", is_shared=True, actions=actions))
        assert judged(chronicle).breaches == []
        lines = [line for line in chronicle.lines if "server 2 has a copy of the log" in line]
        found.append(int(lines[-1].rpartition(" ")[2]))
    lost, kept = found
    assert 0 < lost < kept


def test_an_address_may_be_given_back_between_two_looks() -> None:
    """Who held it twice may have lost it in between: agents come and go without a call."""
    actions = (
        *(Join(1000 * min(number, 2), f"node {number}") for number in range(1, 7)),
        Call(4000, CheckState("node 1")),
        SwitchOff(5000, "node 1", silently=False),
        Join(10_000, "node 7"),  # the network is full: it is given what node 1 had
        Call(20_000, CheckState("node 7")),
        Call(21_000, Unregister("node 7")),
        SwitchOn(30_000, "node 1"),
        Call(45_000, CheckState("node 1")),
    )
    chronicle = play(Plan(1, "10.1.1.1/28", is_shared=False, actions=actions))
    assert sum(" connected as 10.1.1.3" in line for line in chronicle.lines) == 3
    assert judged(chronicle).breaches == []


def test_an_address_that_was_assigned_without_an_answer_may_be_a_nodes() -> None:
    """The disk failed after it was written, and the server says so when it has started again."""
    actions = (
        Join(1000, "node 1"),
        Call(3000, CheckState("node 1")),
        FailSync(6000, in_steps=2),
        Call(6000, AssignAddress("node 1", address="10.1.1.5", caller="admin")),
        Call(20_000, CheckState("node 1")),
    )
    chronicle = play(Plan(1, "10.1.1.1/24", is_shared=False, actions=actions))
    assert any("AssignAddress" in line and "no answer" in line for line in chronicle.lines)
    assert judged(chronicle).breaches == []
