from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nc.domain.codec.records import Recorded
from nc.domain.events import Entry
from nc.domain.evolve import evolve
from nc.domain.fsm import ConnectionState
from nc.domain.state import State
from nc.history.events import field_of
from nc.history.fold import state_at
from nc.history.timelines import NodeStatus, status_at, status_of, timelines
from tests.support import event_strategies
from tests.support.histories import after, connect, register, started

histories = event_strategies.histories.map(
    lambda events: [Recorded(seq, Entry(), event) for seq, event in enumerate(events, start=1)]
)


@given(histories, st.integers(0, 30))
def test_a_timeline_says_at_every_event_what_the_state_says(
    history: list[Recorded], cut: int
) -> None:
    """From any base on, after each event, a node's status is the same as in the fold of all."""
    base = state_at(history, cut)
    found = timelines(base, history[cut:])
    for seq in range(base.seq, len(history) + 1):
        state = state_at(history, seq)
        told = {node_id: status_at(timeline, seq) for node_id, timeline in found.items()}
        assert {node_id for node_id, status in told.items() if status} == set(state.nodes)
        assert told == {node_id: status_of(state, node_id) for node_id in found}


@given(histories)
def test_a_timeline_holds_changes_alone(history: list[Recorded]) -> None:
    """Nothing is said twice, and the first thing said of a node is that it is there."""
    for timeline in timelines(State(), iter(history)).values():
        assert timeline[0].status is not None
        assert all(a.seq < b.seq for a, b in pairwise(timeline))
        assert all(a.status != b.status for a, b in pairwise(timeline))


@given(histories)
def test_no_event_touches_a_node_that_it_does_not_name(history: list[Recorded]) -> None:
    """Which is what makes it enough to look at the node that an event names."""
    state = State()
    for recorded in history:
        after = evolve(state, [recorded.event])
        changed = {
            node_id
            for node_id in {*state.nodes, *after.nodes}
            if status_of(state, node_id) != status_of(after, node_id)
        }
        assert changed <= {field_of(recorded.event, "node_id")}
        state = after


def test_a_status_is_a_node_as_a_state_has_it() -> None:
    """State, address, expiry, name and labels; None for a node that is not registered."""
    state = after(started(), *register("a", "b"), *connect("a"))
    assert status_of(state, "a") == NodeStatus(ConnectionState.CONNECTED, "10.1.1.3", 0, "node-a")
    assert status_of(state, "b") == NodeStatus(ConnectionState.IDLE, "", 0, "node-b")
    assert status_of(state, "c") is None
