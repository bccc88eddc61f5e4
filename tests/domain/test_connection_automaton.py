"""The connection automaton: the table, the machine and the picture in words are one."""

from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.errors import IllegalTransition
from nc.domain.fsm import _MACHINE, TRANSITIONS, ConnectionState, Trigger, next_state

IDLE, INIT, CONNECTED = ConnectionState.IDLE, ConnectionState.INIT, ConnectionState.CONNECTED

# As the contract tells it; the code's own table is compared with this one.
MOVES = {
    (IDLE, "begin"): INIT,
    (INIT, "establish"): CONNECTED,
    (INIT, "drop"): IDLE,
    (CONNECTED, "drop"): IDLE,
}


def test_the_table_is_the_contract() -> None:
    """The table lists exactly the moves of the contract, each once."""
    listed = [((move.source, move.trigger.value), move.destination) for move in TRANSITIONS]
    assert sorted(listed, key=repr) == sorted(MOVES.items(), key=repr)


@pytest.mark.parametrize(("state", "trigger"), [*product(ConnectionState, Trigger)])
def test_machine_and_table_agree(state: ConnectionState, trigger: Trigger) -> None:
    """For each state and trigger the machine goes where the table says, or refuses by name."""
    destination = MOVES.get((state, trigger.value))
    if destination is not None:
        assert next_state(state, trigger) is destination
        return
    with pytest.raises(IllegalTransition) as refused:
        next_state(state, trigger)
    assert (refused.value.state, refused.value.trigger) == (state.name, trigger.value)


def test_there_are_no_other_triggers() -> None:
    """The library adds no moves of its own, such as `to_IDLE`."""
    assert set(_MACHINE.events) == {trigger.value for trigger in Trigger}
    assert set(_MACHINE.states) == {state.name for state in ConnectionState}


def test_the_machine_reaches_all_states_from_idle() -> None:
    """No state is out of reach, and every state can come back to IDLE."""
    reached = {IDLE}
    for _ in ConnectionState:
        reached |= {to for (source, _), to in MOVES.items() if source in reached}
    assert reached == set(ConnectionState)
    assert {source for (source, _), to in MOVES.items() if to is IDLE} == {INIT, CONNECTED}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(Trigger)), max_size=30))
def test_any_sequence_of_triggers(triggers: list[tuple[int, Trigger]]) -> None:
    """Whatever is tried on three nodes in turn, an illegal move changes nothing.

    The machine is shared, so it must not remember one node when it is asked about the next.
    """
    actual, expected = [IDLE] * 3, [IDLE] * 3
    for node, trigger in triggers:
        expected[node] = MOVES.get((expected[node], trigger.value), expected[node])
        with suppress(IllegalTransition):
            actual[node] = next_state(actual[node], trigger)
        assert actual == expected
