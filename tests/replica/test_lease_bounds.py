"""Leases at their bounds: what holds until the last nanosecond, and not in the next one.

The search of `test_replica_leases.py` seldom comes as near; each of these is one rule.
"""

from collections.abc import Callable

import pytest

from nc.replica.leases import (
    APPEND_LEASE_S,
    BROKEN_OUT_AFTER_S,
    FOLLOWER_LEASE_S,
    GRANT_S,
    LAG_S,
    NEWCOMER_S,
    NS,
    OUT_AFTER_S,
    QUIET_S,
    FollowerLease,
    LeaderLeases,
    Member,
)

RATES = 1.04  # so much faster than another a clock may be
LEADER, ALL = "l", ("l", "a")
LATE = 10**6  # no bound of the leader's own matters


def ns(seconds: float) -> int:
    return round(seconds * NS)


def leases(*, quiet_s: float = 0.0, appended_s: float = 0.0) -> LeaderLeases:
    """A leader's, elected with event 1."""
    return LeaderLeases(LEADER, 1, ns(quiet_s), ns(appended_s))


def hear(
    leader: LeaderLeases,
    now_s: float,
    applied: int = 1,
    *,
    sent_s: float = 0.0,
    asked_s: float = 0.0,
    session: str = "a",
) -> None:
    leader.heard(session, ns(sent_s), applied, ns(asked_s), ns(now_s))


def hold(leader: LeaderLeases, *seqs: int) -> list[tuple[int, bool]]:
    """Apply events, and have them acknowledged; returns the answers, which come later."""
    answers: list[tuple[int, bool]] = []

    def answer(seq: int) -> Callable[[bool], None]:
        return lambda is_known: answers.append((seq, is_known))

    for seq in seqs:
        leader.applied(seq)
        leader.wait(seq, answer(seq))
    return answers


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


# Who is waited for.


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
