from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nc.domain.events import Entry
from nc.domain.evolve import evolve
from nc.domain.state import State
from nc.history.events import Recorded, field_of, state_at
from nc.history.timelines import course_at, courses, standing_of
from tests.support import event_strategies

histories = event_strategies.histories.map(
    lambda events: [Recorded(seq, Entry(), event) for seq, event in enumerate(events, start=1)]
)


@given(histories, st.integers(0, 30))
def test_a_course_says_at_every_event_what_the_state_says(
    history: list[Recorded], cut: int
) -> None:
    """From any base on, at each event, each node's course is what the fold of all before it has."""
    base = state_at(history, cut)
    found = courses(base, history[cut:])
    for seq in range(base.seq, len(history) + 1):
        state = state_at(history, seq)
        told = {node_id: course_at(course, seq) for node_id, course in found.items()}
        assert {node_id for node_id, standing in told.items() if standing} == set(state.nodes)
        assert told == {node_id: standing_of(state, node_id) for node_id in found}


@given(histories)
def test_a_course_holds_changes_alone(history: list[Recorded]) -> None:
    """Nothing is said twice, and the first thing said of a node is that it is there."""
    for course in courses(State(), iter(history)).values():
        assert course[0].standing is not None
        assert all(a.seq < b.seq for a, b in pairwise(course))
        assert all(a.standing != b.standing for a, b in pairwise(course))


@given(histories)
def test_no_event_touches_a_node_that_it_does_not_name(history: list[Recorded]) -> None:
    """Which is what makes it enough to look at the node that an event names."""
    state = State()
    for recorded in history:
        after = evolve(state, [recorded.event])
        changed = {
            node_id
            for node_id in {*state.nodes, *after.nodes}
            if standing_of(state, node_id) != standing_of(after, node_id)
        }
        assert changed <= {field_of(recorded.event, "node_id")}
        state = after
