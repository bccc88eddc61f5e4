"""What the invariants know of a history."""

from hypothesis import given
from hypothesis import strategies as st

from nc.domain.events import Entry, Event
from nc.domain.evolve import evolve
from nc.domain.fsm import ConnectionState
from nc.domain.identity_invariants import Identities
from nc.domain.invariants import InvariantChecker, Situation, walk
from nc.domain.membership_invariants import Members
from nc.domain.state import State
from tests.support.busy_log import busy_history
from tests.support.event_strategies import events as any_event


def facts(situation: Situation) -> dict[str, object]:
    slots = {name: getattr(situation, name) for name in Situation.__slots__}
    for part, kind in (("identities", Identities), ("members", Members)):
        known = slots.pop(part)
        slots |= {name: getattr(known, name) for name in kind.__slots__}
    return slots


def test_a_situation_is_what_the_folds_say() -> None:
    """Before each event of a real history, `walk` has the state's nodes, links and holders."""
    history = busy_history(nodes=12, events=400)
    state = State()
    places = walk(Entry(events=[recorded.event]) for recorded in history)
    for recorded, place in zip(history, places, strict=True):
        assert (place.seq, place.before.seq) == (recorded.seq, state.seq)
        assert facts(place.before) == facts(Situation(state))
        assert str(place) == f"event {recorded.seq}, {recorded.event.WhichOneof('kind')}"
        state = evolve(state, [recorded.event])
    linked = [link.state for link in state.links.values()]
    assert ConnectionState.CONNECTED in linked


def test_what_the_decisions_write_may_follow() -> None:
    """The checker refuses no event of a real history, and is where the walk is."""
    history = busy_history(nodes=12, events=400)
    checker = InvariantChecker(State())
    for recorded in history:
        checker.follow(recorded.event)
    state = evolve(State(), [recorded.event for recorded in history])
    assert facts(checker.situation) == facts(Situation(state))


@given(st.lists(any_event, max_size=20))
def test_a_walk_refuses_nothing(history: list[Event]) -> None:
    """Laws can be held against any history, also one that cannot have happened."""
    places = list(walk([Entry(events=history)]))
    assert [place.seq for place in places] == list(range(1, len(history) + 1))
