"""Leases when a leader hands over: which the search of `test_replica_leases.py` seldom meets."""

import pytest

from nc.replica.leases import NS
from tests.replica.test_replica_leases import NAMES, Leases


def joins(search: Leases, *names: str) -> None:
    """These read the log, and what they say of that is heard."""
    for name in names:
        search.reads(name)
        search.answers(name, search.replicas[name].leader.session)
        search.deliver()


def begun() -> Leases:
    search = Leases()
    search.begin((1.0, 1.0, 1.0))
    return search


@pytest.mark.parametrize("late", ["a", "c"])
def test_the_next_leader_waits_for_whoever_may_have_a_lease(late: str) -> None:
    """Where a leader hands over: itself, and the follower that is not to be elected.

    While one of them has not read of the election, it may answer, and nothing is acknowledged.
    """
    search = begun()
    search.all_is_well(list(NAMES))
    search.hands_over("a", "b", is_heard=True)
    early = "c" if late == "a" else "a"
    for names in ((early,), (late,)):
        before = search.acknowledged
        joins(search, *names)
        search.appends("b", is_marker=False)
        joins(search, *names)
        search.looks("b")
        search.whoever_may_answer_has_everything()
        assert (search.acknowledged > before) is (names == (late,))


def test_an_offer_that_comes_late_names_all_leases() -> None:
    """From the offer on the leader grants nothing: who joins it later has no lease of it."""
    search = begun()
    joins(search, "b")
    search.hands_over("a", "b", is_heard=False)
    (offer,), search.under_way = search.under_way, []
    joins(search, "c")
    search.beats("a", "c")
    search.deliver()
    search.take(offer)
    search.stands("b")
    assert search.replicas["b"].leads
    joins(search, "a")
    search.appends("b", is_marker=False)
    joins(search, "a")
    search.looks("b")
    assert search.acknowledged == search.replicas["b"].seq
    search.whoever_may_answer_has_everything()


def test_a_follower_that_does_not_come_is_not_waited_for_longer_than_it_may_answer() -> None:
    """By clocks whose rates differ: it has a lease from the moment of the offer."""
    search = Leases()
    search.begin((1.0, 1.04, 0.96))
    search.all_is_well(list(NAMES))
    search.hands_over("a", "b", is_heard=True)
    joins(search, "a")
    before = search.acknowledged
    search.appends("b", is_marker=False)
    joins(search, "a")
    gone = search.replicas["c"]
    assert gone.lease.is_valid(gone.seq, search.now(gone))
    for _ in range(170):
        may_answer = gone.lease.is_valid(gone.seq, search.now(gone))
        search.appends("b", is_marker=True)
        search.looks("b")
        assert not (may_answer and search.acknowledged > before)
        search.time_ns += NS // 100
    assert not may_answer
    assert search.acknowledged > before
