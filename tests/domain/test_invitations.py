"""Invitations are redeemed once, by one attempt; a replica that was removed starts no more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain import replica_errors as errors
from nc.domain.decide import Command, decide
from nc.domain.evolve import evolve
from nc.domain.invitations import (
    LONGEST_LIFETIME_S,
    RETENTION_MS,
    EndInvitation,
    ForgetInvitations,
    InviteReplica,
    RedeemInvitation,
    RemoveReplica,
)
from nc.domain.known_replicas import MOST_STOPPED
from nc.domain.leadership import LoseReplica
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.state import State
from tests.support.histories import NOW_MS, after, kinds, refused

INVITE = InviteReplica("i", NOW_MS)
REDEEM = RedeemInvitation("i", "b", "192.0.2.2", "attempt", NOW_MS)
HOUR_MS = 3_600_000


def start(replica_id: str, session: str = "", *, is_alone: bool = False) -> StartReplica:
    return StartReplica(replica_id, "1", "10.1.1.1/24", session=session, is_alone=is_alone)


def stop(replica_id: str) -> StopReplica:
    return StopReplica(replica_id, replica_id)


RUNNING = after(State(), start("a", "a"))
INVITED = after(RUNNING, INVITE)
REDEEMED = after(INVITED, REDEEM)
TWO = after(REDEEMED, start("b", "b"))


def test_the_attempt_that_redeemed_it_is_answered_again_and_no_other_one() -> None:
    """A repeat changes nothing, and neither does it help whoever has the code alone."""
    assert kinds(decide(INVITED, REDEEM)) == ["invitation_redeemed"]
    assert decide(REDEEMED, REDEEM) == []
    for other in (replace(REDEEM, attempt_id="other"), replace(REDEEM, attempt_id="")):
        assert refused(REDEEMED, other) is errors.InvitationUsed
    assert refused(RUNNING, REDEEM) is errors.InvitationUnknown


@given(st.integers(-HOUR_MS, HOUR_MS))
def test_it_is_good_until_its_very_millisecond(away_ms: int) -> None:
    """Also for who has redeemed it: an hour, unless another time was asked for."""
    late = replace(REDEEM, now_ms=NOW_MS + HOUR_MS + away_ms)
    for state in (INVITED, REDEEMED):
        expected = errors.InvitationExpired if away_ms >= 0 else None
        assert refused(state, late) is expected


@pytest.mark.parametrize("lifetime_s", [-1, LONGEST_LIFETIME_S + 1])
def test_it_lasts_a_week_at_most(lifetime_s: int) -> None:
    """Its code is worth every key of the cluster."""
    wanted = replace(INVITE, invitation_id="j", lifetime_s=lifetime_s)
    assert refused(INVITED, wanted) is errors.InvitationLifetimeWrong


def test_what_was_withdrawn_admits_nobody() -> None:
    """Not even the attempt that has redeemed it."""
    for state in (INVITED, REDEEMED):
        ended = after(state, EndInvitation("i"))
        assert refused(ended, REDEEM) is errors.InvitationUnknown
        assert decide(ended, EndInvitation("i")) == []


def test_it_is_forgotten_a_day_after_its_end() -> None:
    """Until then the refusal says why."""
    end_ms = NOW_MS + HOUR_MS + RETENTION_MS
    assert decide(INVITED, ForgetInvitations(end_ms - 1)) == []
    assert not after(INVITED, ForgetInvitations(end_ms)).membership.invitations


@pytest.mark.parametrize("name", ["", "x" * 81, "a b", "a\n"])
def test_a_name_is_one_word(name: str) -> None:
    """Of so many characters, and without spaces: it is printed, and typed."""
    assert refused(INVITED, replace(REDEEM, replica_id=name)) is errors.ReplicaIdWrong


def test_no_two_replicas_have_one_name() -> None:
    """Each would end the other's sessions; a name is free once its replica has stopped."""
    twin = replace(REDEEM, replica_id="a")
    assert refused(INVITED, twin) is errors.ReplicaIdTaken
    other = after(INVITED, start("c", "c"), stop("a"))
    assert kinds(decide(other, twin)) == ["invitation_redeemed"]


def test_a_removed_replica_starts_no_more_until_it_is_invited_again() -> None:
    """Its sessions end at once; all others go on."""
    removed = after(TWO, RemoveReplica("b", "a"))
    assert dict(removed.sessions.items()) == {"a": "a"}
    assert refused(removed, start("b", "b2")) is errors.ReplicaIsRemoved
    assert decide(removed, RemoveReplica("b", "a")) == []
    again = replace(REDEEM, invitation_id="j", attempt_id="again")
    back = after(removed, InviteReplica("j", NOW_MS), again, start("b", "b2"))
    assert dict(back.sessions.items()) == {"a": "a", "b2": "b"}


def test_what_decides_and_what_is_not_there_cannot_be_removed() -> None:
    """The last one stays."""
    assert refused(TWO, RemoveReplica("a", "a")) is errors.ReplicaInCharge
    assert refused(TWO, RemoveReplica("c", "a")) is errors.ReplicaUnknown


@pytest.mark.parametrize(
    ("ends", "is_lost"),
    [
        ([stop("b")], False),
        ([LoseReplica("b")], True),
        ([start("a", "a2", is_alone=True)], True),  # which shows that b had crashed
        ([stop("b"), start("a", "a2", is_alone=True)], False),
    ],
)
def test_it_is_known_how_and_when_a_replica_ended(ends: list[Command], is_lost: bool) -> None:
    """Who stopped has said so; its next start leaves nothing of that."""
    state = TWO
    for at_ms, command in enumerate(ends, NOW_MS):
        state = evolve(state, decide(state, command), at_ms)
    known = state.membership.replicas["b"]
    assert (known.ended_at_ms, known.is_lost) == (NOW_MS, is_lost)
    again = after(state, start("b", "b2")).membership.replicas["b"]
    assert (again.ended_at_ms, again.is_lost) == (0, False)


def test_replicas_that_have_stopped_are_known_up_to_a_number() -> None:
    """Where each start has another host name, the oldest are forgotten; those that run are not."""
    state = RUNNING
    for number in range(MOST_STOPPED + 3):
        name = f"pod-{number:03}"
        state = after(state, start(name, name), stop(name))
    known = sorted(state.membership.replicas)
    assert known[0] == "a"
    assert len(known) == MOST_STOPPED + 2  # who runs, and who was the last to start
