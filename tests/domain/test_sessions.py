"""The laws of sessions: a start and a stop end what is theirs, and no link outlives its session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.codec.digest import digest
from nc.domain.codec.snapshot import decode, encode
from nc.domain.decide import Command, decide
from nc.domain.errors import SessionEnded
from nc.domain.events import Event, StateChanged, pb
from nc.domain.evolve import evolve
from nc.domain.invariants import InconsistentHistory, InvariantChecker
from nc.domain.leadership import StandForElection
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.nodes import ExpireNodes, Expiry, SetExpiries
from nc.domain.replica_addresses import BindReplicaAddress, without_address
from nc.domain.replicas import DropSome, StartReplica, StopReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken, RedeemToken
from tests.support.older_leader import started_again

NODES = tuple("abcdef")


def started(replica_id: str, session: str = "", *, is_alone: bool = False) -> StartReplica:
    return StartReplica(replica_id, "1", "10.1.1.1/24", session=session, is_alone=is_alone)


def after(state: State, *commands: Command) -> State:
    for command in commands:
        state = evolve(state, decide(state, command))
    return state


def with_nodes() -> State:
    """Some nodes, before any start of a version that knows sessions."""
    return after(
        State(),
        StartReplica("r1", "0", "10.1.1.1/24"),
        IssueToken("t", 10, 0),
        *(RedeemToken("t", node, (), 1) for node in NODES),
    )


def dropped(events: list[Event]) -> set[str]:
    return {e.state_changed.node_id for e in events if e.HasField("state_changed")}


def test_a_start_ends_earlier_sessions_of_the_same_replica_alone() -> None:
    """A replica that starts again drops its own links; another's go on, with all that they have."""
    state = after(
        with_nodes(),
        started("r1", "s1"),
        started("r2", "s2"),
        AcceptLink("a", "l1", 1, "s1"),
        AcceptLink("b", "l2", 1, "s2"),
    )
    again = decide(state, started("r1", "s3"))
    assert dropped(again) == {"a"}
    state = evolve(state, again)
    assert dict(state.sessions.items()) == {"s2": "r2", "s3": "r1"}
    assert state.links["b"].session == "s2"


def test_a_session_begins_once() -> None:
    """Who asks again changes nothing, as after an answer that was lost: links are not dropped."""
    start = started("r1", "s1")
    state = after(with_nodes(), start, AcceptLink("a", "l1", 1, "s1"))
    assert decide(state, start) == []
    ended = after(state, started("r1", "s2"))
    assert [event.WhichOneof("kind") for event in decide(ended, start)] == ["replica_started"]


@given(st.lists(st.sampled_from(("s1", "s2")), min_size=1, max_size=3))
def test_what_an_older_leader_records_again_is_taken_well(again: list[str]) -> None:
    """It lets links go and an address, and ends no session, no leader and no other's link."""
    state = after(
        with_nodes(),
        started("r1", "s1"),
        started("r2", "s2"),
        StandForElection("s2", 1, "192.0.2.1:6440"),
        *(AcceptLink(node, f"l{node}", 1, "s1" if node < "c" else "s2") for node in "abcd"),
        HandOverAddress("a", "la", 2),
        BindReplicaAddress("s1"),
        BindReplicaAddress("s2"),
    )
    before, checker = state, InvariantChecker(state)
    for session in again:
        events = started_again(state, session, "10.1.1.1/24")
        for event in events:
            checker.follow(event)
        state = evolve(state, events)
        read = decode(b"".join(encode(state)), state.seq)
        assert digest(read) == digest(state)
    assert state.sessions == before.sessions
    assert state.leader == before.leader
    assert all(each.ended_at_ms == 0 for each in state.membership.replicas.values())
    assert {link.session for link in state.links.values()} == {"s1", "s2"} - set(again)
    assert state.addresses.address_of("a") == before.addresses.address_of("a")
    lacking = without_address(state.addresses, state.sessions)
    assert lacking == sorted(set(again))
    state = after(state, *(BindReplicaAddress(session) for session in lacking))
    assert without_address(state.addresses, state.sessions) == []
    for session, replica in before.sessions.items():
        assert decide(state, started(replica, session)) == []
        assert decide(state, AcceptLink("a", f"newer of {session}", 3, session)) != []


def test_a_start_that_is_alone_ends_all() -> None:
    """It drops every link: none of the processes that held them has the log any more."""
    state = after(
        with_nodes(),
        AcceptLink("c", "old", 1),
        started("r1", "s1"),
        started("r2", "s2"),
        AcceptLink("a", "l1", 1, "s1"),
        AcceptLink("b", "l2", 1, "s2"),
    )
    state = after(state, started("r3", "s3", is_alone=True))
    assert not list(state.links)
    assert dict(state.sessions.items()) == {"s3": "r3"}


def test_links_of_older_versions_end_with_the_first_session() -> None:
    """Their owner was the only replica, and a log has that no longer once another starts."""
    state = after(with_nodes(), AcceptLink("a", "l", 1))
    assert state.links["a"].session == ""
    assert dropped(decide(state, started("r2", "s1"))) == {"a"}
    assert dropped(decide(state, StopReplica("r1"))) == {"a"}
    state = after(state, started("r2", "s1"), AcceptLink("b", "l", 1, "s1"), started("r1"))
    assert not list(state.links)
    assert not list(state.sessions)


def test_a_stop_drops_its_own_links() -> None:
    """Each change carries the session of the link's owner, whoever decides it."""
    state = after(
        with_nodes(),
        started("r1", "s1"),
        started("r2", "s2"),
        *(AcceptLink(node, f"l{node}", 1, "s1") for node in "abc"),
        AcceptLink("c", "newer", 1, "s2"),  # the node went from one replica to the other
    )
    events = decide(state, StopReplica("r1", "s1"))
    assert dropped(events) == {"a", "b"}
    assert {e.state_changed.session for e in events if e.HasField("state_changed")} == {"s1"}
    assert dict(evolve(state, events).sessions.items()) == {"s2": "r2"}


_commands = st.one_of(
    st.tuples(st.just("start"), st.sampled_from(("r1", "r2", "r3")), st.booleans()),
    st.tuples(st.just("stop"), st.sampled_from(("r1", "r2", "r3")), st.just(value=False)),
    st.tuples(st.sampled_from(NODES), st.sampled_from(("r1", "r2", "r3")), st.just(value=False)),
)


@given(st.lists(_commands, max_size=25))
def test_every_link_has_a_session_that_goes_on(steps: list[tuple[str, str, bool]]) -> None:
    """Whatever starts, crashes, stops and connects: and the history is one that may be."""
    state, running = with_nodes(), dict[str, str]()
    checker = InvariantChecker(state)
    for number, (what, replica, is_alone) in enumerate(steps):
        command: Command
        if what == "start":  # without a stop before: it crashed
            running = {} if is_alone else running
            running[replica] = f"session {number}"
            command = started(replica, running[replica], is_alone=is_alone)
        elif replica not in running:
            continue
        elif what == "stop":
            command = StopReplica(replica, running.pop(replica))
        else:
            command = AcceptLink(what, f"link {number}", 1, running[replica])
        events = decide(state, command)
        for event in events:
            checker.follow(event)
        state = evolve(state, events)
        assert dict(state.sessions.items()) == {s: r for r, s in running.items()}
        assert {link.session for link in state.links.values()} <= set(running.values())


@pytest.mark.parametrize(
    ("session", "to_state", "found"),
    [
        ("s1", pb.CONNECTION_STATE_CONNECTED, None),
        ("s2", pb.CONNECTION_STATE_CONNECTED, "session 's2' changes a link of node a"),
        ("", pb.CONNECTION_STATE_IDLE, "session '' changes a link of node a"),
    ],
)
def test_a_link_is_changed_in_its_owners_name(
    session: str, to_state: pb.ConnectionState, found: str | None
) -> None:
    """A history in which another session changes it is refused."""
    state = after(
        with_nodes(), started("r1", "s1"), started("r2", "s2"), AcceptLink("a", "l", 1, "s1")
    )
    changed = StateChanged(
        node_id="a",
        from_state=pb.CONNECTION_STATE_INIT,
        to_state=to_state,
        link_id="l",
        session=session,
    )
    checker = InvariantChecker(state)
    if found is None:
        checker.follow(Event(state_changed=changed))
    else:
        with pytest.raises(InconsistentHistory, match=found):
            checker.follow(Event(state_changed=changed))


@pytest.mark.parametrize("session", ["s1", "unknown"])
def test_a_session_that_has_ended_accepts_nothing(session: str) -> None:
    """What it wants to accept is refused, and so is a history in which it does."""
    accept = AcceptLink("a", "l", 1, session)
    (accepted,) = decide(after(with_nodes(), started("r2", session)), accept)
    state = after(with_nodes(), started("r1", "s1"), StopReplica("r1", "s1"))
    with pytest.raises(SessionEnded):
        decide(state, accept)
    with pytest.raises(InconsistentHistory, match=f"session {session} accepts a link of node a"):
        InvariantChecker(state).follow(accepted)


@given(
    st.sets(st.sampled_from(NODES)),
    st.integers(1, 4),
    st.sampled_from([started("r1", "s2"), StopReplica("r1", "s1"), ExpireNodes(5)]),
)
def test_what_ends_many_links_can_be_done_in_parts(
    linked: set[str], most: int, command: StartReplica | StopReplica | ExpireNodes
) -> None:
    """Each part ends at most so many, none more than the whole would; together they are the whole.

    Parts are needed only where the whole ends more than that.
    """
    state = after(
        with_nodes(),
        started("r1", "s1"),
        started("other", "s0"),
        AcceptLink("a", "l0", 1, "s0"),
        *(AcceptLink(node, f"l{node}", 1, "s1") for node in sorted(linked)),
        SetExpiries(tuple(Expiry(node, 4) for node in "bcdef"), 2),
    )
    whole = decide(state, command)
    ended: set[str] = set()
    while part := decide(state, DropSome(command, most)):
        assert len(dropped(part)) == len(part) == most
        ended |= dropped(part)
        state = evolve(state, part)
    last = decide(state, command)
    assert len(dropped(last)) <= most
    assert ended | dropped(last) == dropped(whole)
    assert bool(ended) == (len(dropped(whole)) > most)
