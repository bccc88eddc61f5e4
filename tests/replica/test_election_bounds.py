"""Elections at their bounds: when a replica stands, how long it is quiet then, and who is lost."""

import pytest
from rpds import HashTrieMap

from nc.domain.leadership import NO_LEADER, Leader
from nc.replica.leadership import LOST_AFTER_LOOKS, SILENCE_S, Candidate, Silences
from nc.replica.leases import (
    APPEND_LEASE_S,
    BROKEN_OUT_AFTER_S,
    GRANT_S,
    NEWCOMER_S,
    NS,
    QUIET_S,
    LeaderLeases,
)

OTHER, OWN = Leader("other", 1), Leader("before", 1)
ALONE = HashTrieMap({"own": "r"})
TWO = ALONE.insert("other", "r2")
BEGAN, HEARD = 10 * NS, 20 * NS


def ns(seconds: float) -> int:
    return round(seconds * NS)


def candidate(session: str = "own") -> Candidate:
    """Of the replica `r`, which has heard the leader once."""
    made = Candidate("r", session, BEGAN)
    assert made.heard_ns == BEGAN
    made.heard(HEARD)
    made.heard(BEGAN)
    return made


def test_a_leader_that_goes_on_has_to_be_silent() -> None:
    """For longer if it does not know of us; and nobody acknowledges before that is over."""
    longest = max(QUIET_S, SILENCE_S)
    assert candidate().stands_ns(OTHER, TWO) == HEARD + ns(SILENCE_S)
    assert candidate().quiet_until_ns(OTHER, TWO) == HEARD + ns(longest)
    restarted = candidate(session="new")
    assert restarted.stands_ns(OTHER, TWO) == HEARD + ns(SILENCE_S)
    others = TWO.remove("own")
    assert restarted.stands_ns(OTHER, others) == HEARD + ns(NEWCOMER_S)
    assert restarted.quiet_until_ns(OTHER, others) == HEARD + ns(NEWCOMER_S)


@pytest.mark.parametrize(
    ("leader", "sessions"),
    [
        (NO_LEADER, TWO),  # there was none
        (OTHER, ALONE),  # its session is over
        (OWN, TWO.insert("before", "r")),  # this very replica, before a restart
    ],
)
def test_a_leader_that_has_ended_is_replaced_at_once(
    leader: Leader, sessions: "HashTrieMap[str, str]"
) -> None:
    """Its followers have their leases all the same, if it had any."""
    made = candidate()
    assert made.stands_ns(leader, sessions) == HEARD
    quiet = HEARD + ns(QUIET_S) if leader != NO_LEADER and len(sessions) > 1 else 0
    assert made.quiet_until_ns(leader, sessions) == quiet


def test_a_leader_that_hands_over_has_granted_nothing_since() -> None:
    """Whoever does not come any more holds changes up only until its lease has ended."""
    made = candidate()
    made.take_over(OTHER.epoch, frozenset({"other", "own", "gone"}))
    assert made.stands_ns(OTHER, TWO) == HEARD
    assert made.quiet_until_ns(OTHER, TWO) == HEARD + ns(BROKEN_OUT_AFTER_S)
    assert made.quiet_until_ns(OTHER, TWO.remove("other")) == HEARD + ns(BROKEN_OUT_AFTER_S)
    later = OTHER._replace(epoch=OTHER.epoch + 1)
    assert made.quiet_until_ns(later, TWO) == HEARD + ns(QUIET_S)


def test_a_leader_that_has_not_begun_its_session_goes_on() -> None:
    """It was elected just now, and may answer; if it ends so soon, nobody waits for long.

    Until it has begun an append speaks for it no longer than its followers do.
    """
    newcomer = OTHER._replace(awaits_start=True)
    assert candidate().stands_ns(newcomer, ALONE) == HEARD + ns(SILENCE_S)
    assert candidate().quiet_until_ns(newcomer, ALONE) == HEARD + ns(max(QUIET_S, SILENCE_S))
    nobody: HashTrieMap[str, str] = HashTrieMap()
    assert candidate("new").stands_ns(newcomer, nobody) == HEARD + ns(SILENCE_S)
    assert candidate("new").quiet_until_ns(newcomer, nobody) == HEARD + ns(QUIET_S)
    leases = LeaderLeases("other", 1, 0, HEARD)
    assert leases.until_ns(()) == HEARD + ns(GRANT_S)
    assert leases.until_ns(("other",)) == HEARD + ns(APPEND_LEASE_S)


def test_an_attempt_is_postponed() -> None:
    """Never to an earlier time."""
    made = candidate()
    made.postpone(HEARD + ns(100))
    made.postpone(HEARD + ns(50))
    assert made.stands_ns(OTHER, TWO) == HEARD + ns(100)
    assert Candidate("r", "own", BEGAN).stands_ns(OTHER, ALONE) == BEGAN


def test_who_is_silent_in_so_many_looks_is_lost() -> None:
    """And stays so until it is heard; a session that has ended is forgotten."""
    silences = Silences()
    for _ in range(LOST_AFTER_LOOKS - 1):
        assert silences.look(TWO, "own", set()) == []
    assert silences.look(TWO, "own", set()) == ["other"]
    assert silences.look(TWO, "own", set()) == ["other"]
    assert silences.look(ALONE, "own", set()) == []
    assert silences.look(TWO, "own", set()) == []
