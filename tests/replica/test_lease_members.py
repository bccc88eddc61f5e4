"""Whom a leader waits for, and what it grants followers: at the bounds, to the nanosecond.

The search of `test_replica_leases.py` seldom comes as near; each of these is one rule.
"""

import pytest

from nc.replica.leases import (
    BROKEN_OUT_AFTER_S,
    FOLLOWER_LEASE_S,
    GRANT_S,
    LAG_S,
    OUT_AFTER_S,
    LeaderLeases,
    Member,
)
from tests.replica.lease_bench import ALL, LEADER, hear, hold, leases, ns


def well(now_s: float) -> LeaderLeases:
    """A leader with a lease, and a follower that came in just now."""
    leader = leases(appended_s=now_s)
    hear(leader, now_s, sent_s=now_s, asked_s=now_s)
    return leader


def test_a_new_member_is_nothing() -> None:
    """Not in, and heard of never."""
    assert Member() == Member(0, 0, 0, 0, 0, None, is_in=False, is_broken=False)


def test_a_follower_is_in_once_it_has_what_was_acknowledged() -> None:
    """Before that nobody waits for it, and it may not answer."""
    leader = leases(appended_s=10)
    hear(leader, 10, applied=0)
    assert leader.named() == []
    assert leader.grant("a", ALL, ns(10)) is None
    hear(leader, 10, applied=1)
    assert leader.named() == ["a"]
    leader.forget("a")
    assert leader.named() == []


def test_only_what_all_that_are_in_have_is_acknowledged() -> None:
    """The others wait, in their order; what is applied never becomes less."""
    leader = well(10)
    answers = hold(leader, 2, 3)
    hear(leader, 10, applied=1, session="b")
    everyone = (*ALL, "b")
    leader.applied(2)
    hear(leader, 10, applied=3, asked_s=10)
    hear(leader, 10, applied=2, asked_s=10)
    leader.advance(everyone, ns(10))
    assert (answers, leader.acknowledged_seq) == ([], 1)
    hear(leader, 10, applied=2, session="b")
    leader.advance(everyone, ns(10))
    assert (answers, leader.acknowledged_seq) == ([(2, True)], 2)
    hear(leader, 10, applied=3, session="b")
    leader.advance(everyone, ns(10))
    assert (answers, leader.acknowledged_seq) == ([(2, True), (3, True)], 3)


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_follower_is_out_when_its_lease_must_have_ended(is_broken: bool) -> None:
    """Counted from the last message that it was granted something for; hearing it is not enough."""
    leader = well(10)
    answers = hold(leader, 2)
    hear(leader, 10.5, sent_s=10.5)
    if is_broken:
        leader.broke("a")
    out_s = BROKEN_OUT_AFTER_S if is_broken else OUT_AFTER_S
    leader.appended(ns(10 + out_s))
    leader.advance(ALL, ns(10 + out_s))
    assert (answers, leader.named()) == ([], ["a"])
    leader.advance(ALL, ns(10 + out_s) + 1)
    assert (answers, leader.named()) == ([(2, True)], [])


def test_a_follower_that_is_heard_again_is_not_broken() -> None:
    """It has called anew."""
    leader = well(10)
    leader.broke("a")
    hear(leader, 11, sent_s=11)
    leader.advance(ALL, ns(10 + BROKEN_OUT_AFTER_S) + 1)
    assert leader.named() == ["a"]
    leader.broke("nobody")
    assert leader.named() == ["a"]


def test_each_grant_is_waited_for() -> None:
    """A grant is of the newest message, and from when that came the wait is counted."""
    leader = well(10)
    assert leader.grant("a", ALL, ns(10)) == ns(10)
    hear(leader, 11, sent_s=5)
    assert leader.grant("a", ALL, ns(11)) == ns(10)
    hear(leader, 11, sent_s=11, asked_s=11)
    assert leader.grant("a", ALL, ns(11)) == ns(11)
    assert leader.grant("a", ALL, ns(11)) == ns(11)
    leader.advance(ALL, ns(11 + OUT_AFTER_S))
    assert leader.named() == ["a"]
    leader.advance(ALL, ns(11 + OUT_AFTER_S) + 1)
    assert leader.named() == []


def test_who_is_out_or_has_ended_is_granted_nothing() -> None:
    """Nor who was never heard of; one that has ended is waited for while it is in."""
    leader = well(10)
    assert leader.grant("b", (*ALL, "b"), ns(10)) is None
    assert leader.grant("a", (LEADER,), ns(10)) is None
    leader.advance((LEADER,), ns(10 + OUT_AFTER_S))
    assert leader.named() == ["a"]
    leader.advance((LEADER,), ns(10 + OUT_AFTER_S) + 1)
    assert leader.grant("a", ALL, ns(10)) is None
    assert "a" in leader.members
    leader.advance(ALL, ns(20))
    assert "a" in leader.members
    leader.advance((LEADER,), ns(20))
    assert "a" not in leader.members


def test_without_a_lease_of_its_own_a_leader_grants_nothing() -> None:
    """To the nanosecond."""
    leader = well(10)
    end = ns(10 + GRANT_S)
    assert leader.grant("a", ALL, end - 1) == ns(10)
    assert leader.grant("a", ALL, end) is None


def test_a_message_that_is_old_is_granted_nothing() -> None:
    """What it would give has ended."""
    leader = well(10)
    leader.appended(ns(20))
    assert leader.grant("a", ALL, ns(10 + FOLLOWER_LEASE_S)) == ns(10)
    assert leader.grant("a", ALL, ns(10 + FOLLOWER_LEASE_S) + 1) is None


def test_a_follower_that_lags_is_granted_nothing() -> None:
    """After a while; and again once it has caught up, or has come in anew."""
    leader = well(10)
    hold(leader, 2)
    leader.advance(ALL, ns(10))
    leader.advance(ALL, ns(10.5))
    lagging = ns(10 + LAG_S)
    leader.appended(lagging)
    assert leader.grant("a", ALL, lagging) == ns(10)
    assert leader.grant("a", ALL, lagging + 1) is None
    hear(leader, 11, applied=2, sent_s=11)
    leader.advance(ALL, ns(11))
    assert leader.grant("a", ALL, lagging + 1) == ns(11)
    hold(leader, 3)
    leader.advance(ALL, ns(11.5))
    leader.advance(ALL, ns(20))
    hear(leader, 20, applied=3, sent_s=20, asked_s=20)
    leader.appended(ns(20))
    assert leader.named() == ["a"]
    assert leader.grant("a", ALL, ns(20)) == ns(20)


def test_a_follower_that_has_broken_off_is_not_asked_to_lead() -> None:
    """Its process may have ended; once it is heard of again, it is."""
    leader = well(10)
    hear(leader, 10, session="b")
    leader.broke("a")
    assert leader.successors((*ALL, "b")) == ["b"]
    hear(leader, 11, sent_s=11)
    assert leader.successors((*ALL, "b")) == ["a", "b"]
