"""Folding events: it never refuses, and it does not matter how the history is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.events import (
    AddressBound,
    AddressReleased,
    Batch,
    Entry,
    Event,
    ExpiryChanged,
    ReplicaStarted,
    ReplicaStopped,
    StateChanged,
    Unregistered,
    pb,
)
from nc.domain.evolve import FOLDS, UnknownEvent, evolve
from nc.domain.state import State
from nc.domain.tokens import IssueToken
from tests.support.event_strategies import events as any_event
from tests.support.histories import NOW_MS, after, connect, register, started

histories = st.lists(any_event, max_size=25)


def test_every_kind_of_event_has_a_fold() -> None:
    """The catalogue and the folds name the same kinds."""
    (kind,) = Event.DESCRIPTOR.oneofs
    assert {field.name for field in kind.fields} == set(FOLDS)


@given(histories)
def test_an_event_is_a_fact(history: list[Event]) -> None:
    """Any sequence of well-formed events folds, however little sense it makes, and is counted."""
    assert evolve(State(), history).seq == len(history)


@given(histories, st.integers(0, 25))
def test_any_cut_gives_the_same_state(history: list[Event], cut: int) -> None:
    """state(n) = evolve(state(m), events m+1 … n), and one by one is as good as all at once."""
    at_once = evolve(State(), history)
    assert evolve(evolve(State(), history[:cut]), history[cut:]) == at_once
    one_by_one = State()
    for event in history:
        one_by_one = evolve(one_by_one, [event])
    assert one_by_one == at_once


@given(histories, histories)
def test_folding_leaves_the_state_before_alone(past: list[Event], future: list[Event]) -> None:
    """An old state can be kept: it says the same before and after later events are folded."""
    kept, same = evolve(State(), past), evolve(State(), past)
    evolve(kept, future)
    assert kept == same
    assert kept.seq == len(past)


@given(st.lists(histories, max_size=5))
def test_a_history_survives_its_bytes(entries: list[list[Event]]) -> None:
    """Written as a batch and read back, the events are the same, and so is what they amount to."""
    batch = Batch(entries=[Entry(recorded_at_ns=1, actor="a", events=part) for part in entries])
    read_back = Batch.FromString(batch.SerializeToString())
    assert read_back == batch
    folded = evolve(State(), (event for entry in read_back.entries for event in entry.events))
    assert folded == evolve(State(), (event for part in entries for event in part))


def test_nothing_folded_is_nothing_changed() -> None:
    """No events: the same state."""
    state = after(started(), *register("n"), *connect("n"))
    assert evolve(state, []) == state


def test_a_fact_about_somebody_gone_brings_nobody_back() -> None:
    """An expiry or an address of a node that is not there makes no node of it."""
    late = [
        Event(expiry_changed=ExpiryChanged(node_id="n", expires_at_ms=7)),
        Event(address_bound=AddressBound(node_id="n", address="10.1.1.3")),
        Event(address_released=AddressReleased(node_id="n", address="10.1.1.3")),
    ]
    assert not evolve(State(), late).nodes


UNKNOWN = {
    "no kind": Event(),
    "a kind of a newer version": Event.FromString(bytes.fromhex("fa0100")),
    "a state of a newer version": Event(
        state_changed=StateChanged.FromString(bytes.fromhex("0a016e 1809"))  # n, to state 9
    ),
    "no state": Event(state_changed=StateChanged(node_id="n")),
    "no network": Event(replica_started=ReplicaStarted(network_address="nowhere")),
    "no address bound": Event(address_bound=AddressBound(node_id="n", address="nowhere")),
    "no address released": Event(address_released=AddressReleased(node_id="n", address="::1")),
}


@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_a_newer_version_wrote_is_not_passed_over(unknown: Event) -> None:
    """An event that this version cannot read is an UnknownEvent that says which, and what to do."""
    before = evolve(State(), [Event(replica_stopped=ReplicaStopped())])
    known = Event(unregistered=Unregistered(node_id="n"))
    with pytest.raises(UnknownEvent) as refused:
        evolve(before, [known, unknown, known])
    assert refused.value.seq == 3
    assert "event 3 " in str(refused.value)
    assert "version" in str(refused.value)
    assert before == State(seq=1)


def test_a_new_field_of_a_newer_version_is_passed_over() -> None:
    """New fields may come: an event that has one folds as if it did not."""
    known = StateChanged(node_id="n", to_state=pb.CONNECTION_STATE_INIT, link_id="l")
    extended = StateChanged.FromString(known.SerializeToString() + bytes.fromhex("f80101"))
    assert extended != known
    folded = [evolve(State(), [Event(state_changed=change)]) for change in (known, extended)]
    assert folded[0] == folded[1]


def test_states_with_different_pasts_can_be_equal() -> None:
    """A state is what it says, not how it came to be."""
    one = after(State(), IssueToken("a", 1, NOW_MS), IssueToken("b", 1, NOW_MS))
    two = after(State(), IssueToken("b", 1, NOW_MS), IssueToken("a", 1, NOW_MS))
    assert one == two
