"""Levels: a kind of event is written only while every session that goes on knows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.decide import decide
from nc.domain.events import Event, ReplicaStarted
from nc.domain.evolve import FOLDS, evolve
from nc.domain.invitations import InviteReplica
from nc.domain.levels import FIRST_LEVEL, LEVEL, SINCE
from nc.domain.replica_errors import ReplicaTooOld
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken

INVITE = InviteReplica("invitation", 1)
NETWORK = "10.1.1.1/24"

levels = st.lists(st.integers(0, LEVEL + 1), max_size=4)


def started(*said: int) -> State:
    """Replicas `r0`, `r1` …, each with a session and what it says of its level."""
    state = State()
    for number, level in enumerate(said):
        start = StartReplica(f"r{number}", "0.9", NETWORK, session=f"s{number}", level=level)
        state = evolve(state, decide(state, start))
    return state


@given(levels)
def test_the_lowest_level_decides(said: list[int]) -> None:
    """Those that are too old are named, whatever the others know; 0 is the first level."""
    state = started(*said)
    old = [f"r{number}" for number, level in enumerate(said) if level < SINCE["replica_invited"]]
    if not old:
        assert decide(state, INVITE)
        return
    with pytest.raises(ReplicaTooOld) as refused:
        decide(state, INVITE)
    assert list(refused.value.versions) == old
    assert all(f"{name}' (0.9)" in str(refused.value) for name in old)


@given(levels)
def test_what_all_know_is_always_written(said: list[int]) -> None:
    """A cluster in the middle of an upgrade does what it did before."""
    assert decide(started(*said), IssueToken("t", 0, 0))


def test_a_session_that_has_ended_has_no_say() -> None:
    """Stopped, or upgraded: started anew."""
    state = started(LEVEL, FIRST_LEVEL)
    for last in (StopReplica("r1", "s1"), StartReplica("r1", "1", NETWORK, session="new")):
        assert decide(evolve(state, decide(state, last)), INVITE)


def test_a_start_without_a_level_is_of_the_first() -> None:
    """As older versions wrote it."""
    start = ReplicaStarted(replica_id="r", session="s", network_address=NETWORK)
    with pytest.raises(ReplicaTooOld):
        decide(evolve(State(), [Event(replica_started=start)]), INVITE)


def test_the_list_names_kinds() -> None:
    """None that there is not, and none beyond this version's level."""
    assert SINCE.keys() <= FOLDS.keys()
    assert set(SINCE.values()) <= set(range(FIRST_LEVEL + 1, LEVEL + 1))
