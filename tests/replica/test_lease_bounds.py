"""Leases at their bounds: what holds until the last nanosecond, and not in the next one.

The search of `test_replica_leases.py` seldom comes as near; each of these is one rule.
"""

import pytest

from nc.replica.leases import (
    APPEND_LEASE_S,
    BROKEN_OUT_AFTER_S,
    FOLLOWER_LEASE_S,
    GRANT_S,
    LAG_S,
    NEWCOMER_S,
    OUT_AFTER_S,
    QUIET_S,
    FollowerLease,
)
from tests.replica.lease_bench import ALL, LEADER, hear, hold, leases, ns

RATES = 1.04  # so much faster than another a clock may be
LATE = 10**6  # no bound of the leader's own matters


def test_the_times_leave_room_for_clocks() -> None:
    """By the slowest clock and the fastest, what is waited for has ended before the wait does."""
    assert (GRANT_S + FOLLOWER_LEASE_S) * RATES < QUIET_S
    assert FOLLOWER_LEASE_S * RATES < BROKEN_OUT_AFTER_S <= OUT_AFTER_S
    assert APPEND_LEASE_S * RATES < NEWCOMER_S
    assert LAG_S + FOLLOWER_LEASE_S < OUT_AFTER_S


# A follower's lease.


def test_a_follower_has_a_lease_from_what_it_sent() -> None:
    """None before, and none once it has run out; only with what was acknowledged."""
    lease = FollowerLease()
    assert not lease.is_valid(0, 0)
    lease.grant(1, ns(10), 5)
    end = ns(10 + FOLLOWER_LEASE_S)
    assert lease.is_valid(5, end - 1)
    assert lease.is_valid(6, end - 1)
    assert not lease.is_valid(4, end - 1)
    assert not lease.is_valid(5, end)


def test_an_older_grant_changes_nothing() -> None:
    """It may come late: the end stays, and so does what is needed."""
    lease = FollowerLease()
    lease.grant(1, ns(10), 5)
    lease.grant(1, ns(9), 3)
    end = ns(10 + FOLLOWER_LEASE_S)
    assert lease.is_valid(5, end - 1)
    assert not lease.is_valid(4, end - 1)
    lease.grant(1, ns(11), 7)
    assert lease.is_valid(7, end)
    assert not lease.is_valid(6, end)


def test_a_lease_is_of_the_newest_leader() -> None:
    """It ends with the next one's first grant, and those of the one before count no more."""
    lease = FollowerLease()
    lease.grant(1, ns(100), 0)
    lease.grant(2, ns(10), 0)
    assert lease.is_valid(0, ns(11))
    assert not lease.is_valid(0, ns(100))
    lease.grant(1, ns(100), 9)
    assert not lease.is_valid(9, ns(100))
    assert lease.is_valid(0, ns(11))
    lease.grant(3, ns(-FOLLOWER_LEASE_S), 0)
    assert not lease.is_valid(0, 0)


@pytest.mark.parametrize(("epoch", "ends"), [(1, False), (2, True), (3, True)])
def test_an_end_is_of_a_leader_and_those_before(epoch: int, ends: bool) -> None:
    """What an earlier leader grants after it counts no more."""
    lease = FollowerLease()
    lease.grant(2, ns(10), 0)
    lease.end(epoch)
    assert lease.is_valid(0, ns(10)) is not ends
    assert lease.is_valid(0, 0) is not ends
    lease.grant(epoch - 1, ns(50), 0)
    assert not lease.is_valid(0, ns(50))


# The leader's own.


def test_the_leaders_lease() -> None:
    """From its last append, or the oldest that an asked one has answered, if that is later."""
    assert leases().until_ns(ALL) == ns(GRANT_S)
    leader = leases(appended_s=100)
    by_append = ns(100 + GRANT_S)
    assert leader.until_ns((LEADER,)) == ns(100 + APPEND_LEASE_S)
    assert leader.until_ns(ALL) == by_append
    hear(leader, LATE, asked_s=150)
    hear(leader, LATE, asked_s=140)
    assert leader.until_ns(ALL) == ns(150 + GRANT_S)
    assert leader.until_ns((*ALL, "b")) == by_append
    hear(leader, LATE, asked_s=130, session="b")
    assert leader.until_ns((*ALL, "b")) == ns(130 + GRANT_S)
    hear(leader, LATE, asked_s=500)
    assert leader.until_ns(ALL) == ns(100 + APPEND_LEASE_S)
    leader.appended(ns(50))
    assert leader.until_ns((LEADER,)) == ns(100 + APPEND_LEASE_S)
    leader.appended(ns(600))
    assert leader.until_ns(ALL) == ns(600 + GRANT_S)


def test_nothing_is_acknowledged_while_it_is_quiet() -> None:
    """From the end of it on what it has applied is."""
    leader = leases(quiet_s=5, appended_s=5)
    answers = hold(leader, 1, 4)
    leader.advance((LEADER,), ns(5) - 1)
    assert (answers, leader.acknowledged_seq, leader.waits) == ([], 1, True)
    leader.advance((LEADER,), ns(5))
    assert (answers, leader.acknowledged_seq, leader.waits) == ([(1, True), (4, True)], 4, False)


def test_nothing_is_acknowledged_without_a_lease() -> None:
    """Held, until there is one again; the answer comes once."""
    leader = leases(appended_s=10)
    answers, end = hold(leader, 2), ns(10 + APPEND_LEASE_S)
    leader.advance((LEADER,), end)
    assert answers == []
    leader.advance((LEADER,), end - 1)
    leader.advance((LEADER,), end - 1)
    assert answers == [(2, True)]


def test_what_is_given_up_stays_open() -> None:
    """Each is told so, once."""
    leader = leases()
    answers = hold(leader, 2, 3)
    leader.give_up()
    leader.give_up()
    leader.advance((LEADER,), 1)
    assert answers == [(2, False), (3, False)]
