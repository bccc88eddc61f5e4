"""The laws of leadership: one is elected at a time, and a lost replica's links end, no others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.codec.digest import digest
from nc.domain.codec.snapshot import decode, encode
from nc.domain.decide import Command, decide
from nc.domain.errors import ElectionLost, LeaderKept, SessionEnded
from nc.domain.events import Event, LeaderElected, ReplicaLost
from nc.domain.evolve import evolve
from nc.domain.invariants import InconsistentHistory, InvariantChecker
from nc.domain.leadership import DropUnowned, LoseReplica, StandForElection, unowned
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken, RedeemToken

NODES, SESSIONS = tuple("abcdef"), ("s1", "s2", "s3")


def after(state: State, *commands: Command) -> State:
    for command in commands:
        state = evolve(state, decide(state, command))
    return state


def with_replicas() -> State:
    return after(
        State(),
        *(StartReplica(f"r{s}", "1", "10.1.1.1/24", session=s) for s in SESSIONS),
        IssueToken("t", 10, 0),
        *(RedeemToken("t", node, (), 1) for node in NODES),
    )


def test_of_two_that_stand_one_is_elected() -> None:
    """Whoever stands for an epoch that another has is refused, and the first stays."""
    state = after(with_replicas(), StandForElection("s1", 1, "192.0.2.1:6440"))
    with pytest.raises(ElectionLost):
        decide(state, StandForElection("s2", 1, "192.0.2.2:6440"))
    assert (state.leader.session, state.leader.epoch) == ("s1", 1)


def test_one_that_was_lost_meanwhile_is_not_elected() -> None:
    """The leader goes on. Nor is any other that does not know the leader's last event."""
    state = after(with_replicas(), StandForElection("s1", 1, ""), LoseReplica("s2"))
    for session in ("s2", "s3", "new"):
        with pytest.raises(ElectionLost):
            decide(state, StandForElection(session, 2, "", last_seq=state.seq - 1))
    assert decide(state, StandForElection("s3", 2, "", last_seq=state.seq))


def test_who_is_elected_before_it_has_started_awaits_that() -> None:
    """So that nobody takes it for one that has ended; snapshots and digests know it, too."""
    elected = after(State(), StandForElection("s1", 1, ""))
    started = after(elected, StartReplica("r", "1", "10.1.1.1/24", session="s1"))
    stopped = after(started, StopReplica("r", "s1"))
    later = after(with_replicas(), StandForElection("s1", 1, ""))
    assert elected.leader.awaits_start
    assert not any(state.leader.awaits_start for state in (started, stopped, later))
    assert decode(b"".join(encode(elected)), elected.seq) == elected
    known = replace(elected, leader=elected.leader._replace(awaits_start=False))
    assert digest(known) != digest(elected)


def test_the_level_never_falls() -> None:
    """An older version that is elected reads on what newer ones may have written."""
    state = after(with_replicas(), StandForElection("s1", 1, "", 7), StandForElection("s2", 2, ""))
    assert state.leader.level == 7


def test_a_leader_does_not_lose_itself() -> None:
    """It would end its own session, and go on."""
    state = after(with_replicas(), StandForElection("s1", 1, ""))
    with pytest.raises(LeaderKept):
        decide(state, LoseReplica("s1"))


_steps = st.one_of(
    st.tuples(st.just("lose"), st.sampled_from(SESSIONS)),
    st.tuples(st.just("stop"), st.sampled_from(SESSIONS)),
    st.tuples(st.just("drop"), st.sampled_from(SESSIONS)),
    st.tuples(st.just("elect"), st.sampled_from(SESSIONS)),
    st.tuples(st.sampled_from(NODES), st.sampled_from(SESSIONS)),
)


@given(st.lists(_steps, max_size=30), st.integers(1, 3))
def test_a_lost_replicas_links_end_and_no_others(steps: list[tuple[str, str]], most: int) -> None:
    """Until none is left, some at a time; what it wants to begin is refused from its loss on."""
    state = with_replicas()
    checker = InvariantChecker(state)
    for number, (what, session) in enumerate(steps):
        command: Command = AcceptLink(what, f"link {number}", 1, session)
        if what == "lose":
            command = LoseReplica(session)
        elif what == "stop":
            command = StopReplica(f"r{session}", session)
        elif what == "drop":
            command = DropUnowned(most)
        elif what == "elect":
            command = StandForElection(session, state.leader.epoch + 1, "")
        try:
            events = decide(state, command)
        except (SessionEnded, LeaderKept):
            assert session not in state.sessions or session == state.leader.session
            continue
        before, owned = state, {node for node, link in state.links.items() if link.session}
        for event in events:
            checker.follow(event)
        state = evolve(state, events)
        if what == "drop":
            gone = {event.state_changed.node_id for event in events}
            assert len(gone) <= most
            assert gone <= set(unowned(before.links, before.sessions)) <= owned
    while events := decide(state, DropUnowned(most)):
        state = evolve(state, events)
    assert all(link.session in state.sessions for link in state.links.values())


def test_a_link_of_a_lost_replica_can_still_be_superseded() -> None:
    """A node that has moved keeps its newer link, whatever becomes of the older one's owner."""
    state = after(
        with_replicas(),
        AcceptLink("a", "old", 1, "s1"),
        LoseReplica("s1"),
        AcceptLink("a", "new", 1, "s2"),
        HandOverAddress("a", "new", 1),
        DropUnowned(10),
    )
    assert state.links["a"].link_id == "new"


@pytest.mark.parametrize(
    "event",
    [
        Event(leader_elected=LeaderElected(session="s1", epoch=3)),
        Event(replica_lost=ReplicaLost(session="s4")),
    ],
)
def test_an_impossible_history_is_refused(event: Event) -> None:
    """An epoch is left out; a session is lost that never began."""
    state = after(with_replicas(), StandForElection("s1", 1, ""))
    with pytest.raises(InconsistentHistory):
        InvariantChecker(state).follow(event)
