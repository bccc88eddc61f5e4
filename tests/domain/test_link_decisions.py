"""Links: the newer wins, and what is said late about an old one touches nothing."""

import pytest

from nc.domain.decide import decide
from nc.domain.errors import IllegalTransition, KeyOfAnotherLog, LinkSuperseded
from nc.domain.events import Event, pb
from nc.domain.fsm import ConnectionState
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.nodes import Unregister
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.state import State
from tests.support.histories import (
    CLOSED,
    NOW_MS,
    after,
    connect,
    kinds,
    refusal,
    register,
    started,
    state_of,
)

IDLE, INIT, CONNECTED = ConnectionState.IDLE, ConnectionState.INIT, ConnectionState.CONNECTED


def registered() -> State:
    """One node `n`, without a link."""
    return after(started(), *register("n"))


def moves(events: list[Event]) -> list[tuple[str, str, str]]:
    """The state changes among the events: from, to, link."""
    changes = [event.state_changed for event in events if event.HasField("state_changed")]
    return [
        (ConnectionState(c.from_state).name, ConnectionState(c.to_state).name, c.link_id)
        for c in changes
    ]


def test_the_life_of_a_link() -> None:
    """Accepted: INIT. Handed its address: CONNECTED. Dropped: IDLE. Each event names the link."""
    state = registered()
    steps = (
        (AcceptLink("n", "l", NOW_MS), [("IDLE", "INIT", "l")], INIT),
        (HandOverAddress("n", "l", NOW_MS), [("INIT", "CONNECTED", "l")], CONNECTED),
        (DropLink("n", "l", CLOSED), [("CONNECTED", "IDLE", "l")], IDLE),
    )
    for command, expected, end in steps:
        assert moves(decide(state, command)) == expected
        state = after(state, command)
        assert state_of(state, "n") is end


def test_the_address_is_bound_before_the_node_is_connected() -> None:
    """Nobody is CONNECTED without an address, not even between two events."""
    state = after(registered(), AcceptLink("n", "l", NOW_MS))
    events = decide(state, HandOverAddress("n", "l", NOW_MS))
    assert kinds(events) == ["address_bound", "state_changed"]


def test_the_newer_link_wins() -> None:
    """A second link of a node drops the first, and begins; the first can do nothing any more."""
    state = after(registered(), *connect("n"))
    events = decide(state, AcceptLink("n", "new", NOW_MS))
    assert moves(events) == [("CONNECTED", "IDLE", "link-n"), ("IDLE", "INIT", "new")]
    assert events[0].state_changed.reason == pb.STATE_CHANGE_REASON_LINK_SUPERSEDED
    state = after(state, AcceptLink("n", "new", NOW_MS))
    old = HandOverAddress("n", "link-n", NOW_MS)
    assert refusal(lambda: decide(state, old)) is LinkSuperseded


def test_a_late_drop_of_an_old_link_touches_nothing() -> None:
    """Only the current link can be dropped."""
    state = after(registered(), *connect("n"), AcceptLink("n", "new", NOW_MS))
    assert decide(state, DropLink("n", "link-n", CLOSED)) == []
    assert state_of(after(state, DropLink("n", "link-n", CLOSED)), "n") is INIT
    assert moves(decide(state, DropLink("n", "new", CLOSED))) == [("INIT", "IDLE", "new")]


@pytest.mark.parametrize("link_id", ["l", ""])
def test_a_drop_without_a_link_is_nothing(link_id: str) -> None:
    """Dropping what is idle, was never there, or is gone for good leads to no event."""
    for state in (State(), registered(), after(registered(), Unregister("n"))):
        assert decide(state, DropLink("n", link_id, CLOSED)) == []


def test_the_same_link_twice() -> None:
    """Accepting a link again changes nothing, in INIT as in CONNECTED."""
    state = after(registered(), AcceptLink("n", "link-n", NOW_MS))
    assert decide(state, AcceptLink("n", "link-n", NOW_MS)) == []
    assert decide(after(registered(), *connect("n")), AcceptLink("n", "link-n", NOW_MS)) == []


def test_no_hand_over_without_an_accepted_link() -> None:
    """An idle node has no link that an address could be handed to."""
    unknown, none = (HandOverAddress("n", link_id, NOW_MS) for link_id in ("l", ""))
    assert refusal(lambda: decide(registered(), unknown)) is LinkSuperseded
    assert refusal(lambda: decide(registered(), none)) is IllegalTransition


def test_an_address_is_handed_over_once() -> None:
    """A link that is established cannot be established again."""
    state = after(registered(), *connect("n"))
    again = HandOverAddress("n", "link-n", NOW_MS)
    assert refusal(lambda: decide(state, again)) is IllegalTransition


def test_unregistering_ends_the_handshake() -> None:
    """A link that was accepted gets no address once its node is unregistered."""
    state = after(registered(), AcceptLink("n", "l", NOW_MS), Unregister("n"))
    assert refusal(lambda: decide(state, HandOverAddress("n", "l", NOW_MS))) is not None
    assert not state.links


def test_no_link_outlives_the_replica() -> None:
    """A start drops what the crash before it left, a stop what is there; each gives its reason."""
    state = after(registered(), *connect("n"))
    start, stop = StartReplica("r", "2", "10.1.1.1/24"), StopReplica("r")
    started_again, stopped = decide(state, start), decide(state, stop)
    assert kinds(started_again) == ["replica_started", "state_changed"]
    assert kinds(stopped) == ["state_changed", "replica_stopped"]
    assert started_again[1].state_changed.reason == pb.STATE_CHANGE_REASON_REPLICA_RESTARTED
    assert stopped[0].state_changed.reason == pb.STATE_CHANGE_REASON_REPLICA_STOPPED
    assert not after(state, start).links
    assert kinds(decide(after(state, stop), start)) == ["replica_started"]


def test_one_key_makes_the_ids_of_a_log() -> None:
    """After a start that said by which key, none with another; one that makes no ids may start.

    A log of before this was said takes the first key that is.
    """
    unsaid, right, wrong = (
        StartReplica("r", "1", "10.1.1.1/24", key_check) for key_check in ("", "one", "two")
    )
    state = after(started(), unsaid)
    assert state.key_check == ""
    state = after(state, right, right, unsaid)
    assert state.key_check == "one"
    assert refusal(lambda: decide(state, wrong)) is KeyOfAnotherLog
