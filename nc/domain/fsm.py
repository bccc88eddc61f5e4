"""The connection automaton of a node: three states, three triggers, one table.

Theory of operation: a node is IDLE until its link is accepted (`begin`), INIT until its address
has been handed over (`establish`), and CONNECTED until the link is dropped (`drop`). Every move
that the table does not list raises and changes nothing. Deciding asks the machine; folding the log
sets the state that the event records, since an event is a fact.

              begin            establish
       IDLE ─────────▶ INIT ─────────────▶ CONNECTED
        ▲               │                      │
        └───────────────┴──────── drop ────────┘
"""

from enum import Enum, StrEnum
from typing import NamedTuple

from transitions import Machine, MachineError

from nc.domain.errors import IllegalTransition
from nc.domain.events import pb


class ConnectionState(Enum):
    """The state of a node's link; the values are those of the events."""

    IDLE = pb.CONNECTION_STATE_IDLE
    INIT = pb.CONNECTION_STATE_INIT
    CONNECTED = pb.CONNECTION_STATE_CONNECTED


class Trigger(StrEnum):
    BEGIN = "begin"
    ESTABLISH = "establish"
    DROP = "drop"


class Transition(NamedTuple):
    trigger: Trigger
    source: ConnectionState
    destination: ConnectionState


TRANSITIONS = (
    Transition(Trigger.BEGIN, ConnectionState.IDLE, ConnectionState.INIT),
    Transition(Trigger.ESTABLISH, ConnectionState.INIT, ConnectionState.CONNECTED),
    Transition(Trigger.DROP, ConnectionState.INIT, ConnectionState.IDLE),
    Transition(Trigger.DROP, ConnectionState.CONNECTED, ConnectionState.IDLE),
)

_MACHINE = Machine(
    model=None,
    states=ConnectionState,
    initial=ConnectionState.IDLE,
    transitions=[
        {"trigger": move.trigger.value, "source": move.source, "dest": move.destination}
        for move in TRANSITIONS
    ],
    auto_transitions=False,
)


class _Subject:
    """The model that the shared machine moves, for one question."""

    def __init__(self, state: ConnectionState) -> None:
        self.state = state


def next_state(state: ConnectionState, trigger: Trigger) -> ConnectionState:
    """Where `trigger` leads from `state`.

    Raises:
        IllegalTransition: the table has no such move.
    """
    subject = _Subject(state)
    try:
        _MACHINE.events[trigger.value].trigger(subject)
    except MachineError:
        raise IllegalTransition(state.name, trigger.value) from None
    return subject.state
