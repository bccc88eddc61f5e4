"""Can this event have followed those before it?

Every node moves along the state machine's table and from where it was, an address has one holder,
digests are of earlier events, and in their order. Pure.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from typing import Final

from nc.domain.errors import IllegalTransition
from nc.domain.events import Event
from nc.domain.evolve import UnknownEvent
from nc.domain.fsm import ConnectionState, Trigger, next_state
from nc.domain.presence import link_of
from nc.domain.state import State
from nc.errors import DAMAGED, OperatorError

__all__ = ["InconsistentHistory", "InvariantChecker", "digested_seq"]

_ADVICE = (
    "the log was changed after it was written, or a faulty version wrote it: compare it with a copy"
)


class InconsistentHistory(OperatorError):
    """The log's bytes are as they were written, and what they say cannot have happened."""

    exit_code = DAMAGED
    kind = "damaged"

    def __init__(self, seq: int, found: str, expected: str, advice: str = _ADVICE) -> None:
        self.seq = seq
        self.found = found
        self.expected = expected
        self.advice = advice
        super().__init__(f"event {seq}: {found}, expected {expected}; {advice}")


def _moves() -> Iterator[tuple[int, int]]:
    """Every move that the state machine has."""
    for state, trigger in product(ConnectionState, Trigger):
        with suppress(IllegalTransition):
            yield state.value, next_state(state, trigger).value


_MOVES: Final = frozenset(_moves())
_IDLE: Final = ConnectionState.IDLE.value


def _name(state: int | None) -> str:
    if state is None:
        return "not registered"
    try:
        return ConnectionState(state).name
    except ValueError:
        return f"state {state}"


class InvariantChecker:
    """Where nodes, addresses and digests are, as far as a history was followed.

    Args:
        base: the state that it begins with.
    """

    def __init__(self, base: State) -> None:
        presence = base.presence
        self.states = {n: int(link_of(presence, n).state.value) for n in base.nodes}  # by node id
        by_node = base.addresses.by_node.items()
        self.holders = {held.address: n for n, held in by_node if held.address}  # node ids
        self.digest_seq = base.digest_seq  # the event that the last digest is of, 0 if none is

    def follow(self, seq: int, event: Event) -> None:
        """Go on to the next event.

        Raises:
            Impossible: it cannot have followed.
            UnknownEvent: a newer version wrote it.
        """
        check = _CHECKS.get(event.WhichOneof("kind"))
        if check is not None:
            check(self, seq, event)


def _unknown(_before: InvariantChecker, seq: int, _event: Event) -> None:
    raise UnknownEvent(seq)


def _registered(before: InvariantChecker, seq: int, event: Event) -> None:
    node_id = event.node_registered.node_id
    if node_id in before.states:
        raise InconsistentHistory(seq, f"node {node_id} is registered again", "another id")
    before.states[node_id] = _IDLE


def _state_changed(before: InvariantChecker, seq: int, event: Event) -> None:
    changed = event.state_changed
    node_id, source, destination = changed.node_id, changed.from_state, changed.to_state
    was = before.states.get(node_id)
    if was != source:
        found = f"node {node_id} leaves {_name(source)}"
        raise InconsistentHistory(seq, found, f"{_name(was)}, where it was")
    if (source, destination) not in _MOVES:
        found = f"node {node_id} goes from {_name(source)} to {_name(destination)}"
        raise InconsistentHistory(seq, found, "a move of the state machine")
    before.states[node_id] = destination


def _bound(before: InvariantChecker, seq: int, event: Event) -> None:
    node_id, address = event.address_bound.node_id, event.address_bound.address
    if node_id not in before.states:
        raise InconsistentHistory(
            seq, f"{address} is given to {node_id}", "a node that is registered"
        )
    holder = before.holders.setdefault(address, node_id)
    if holder != node_id:
        raise InconsistentHistory(seq, f"{address} is given to {node_id}", f"{holder} to hold it")


def _released(before: InvariantChecker, seq: int, event: Event) -> None:
    node_id, address = event.address_released.node_id, event.address_released.address
    holder = before.holders.pop(address, "nobody")
    if holder != node_id:
        raise InconsistentHistory(seq, f"{node_id} gives {address} up", f"{holder} to hold it")


def _unregistered(before: InvariantChecker, seq: int, event: Event) -> None:
    node_id = event.unregistered.node_id
    was = before.states.pop(node_id, None)
    if was != _IDLE:
        found = f"node {node_id} is unregistered while {_name(was)}"
        raise InconsistentHistory(seq, found, _name(_IDLE))


def digested_seq(seq: int, event: Event, last: int) -> int:
    """The event that a DigestRecorded is about, an earlier one.

    Args:
        seq: of the DigestRecorded itself.
        event: it.
        last: the event that the one before it is about, 0 if there is none.

    Raises:
        Impossible: that event was still to come, or was not after the last one.
    """
    about = event.digest_recorded.seq
    if not last < about < seq:
        raise InconsistentHistory(
            seq, f"a digest of event {about}", f"one after {last} and before {seq}"
        )
    return about


def _digested(before: InvariantChecker, seq: int, event: Event) -> None:
    before.digest_seq = digested_seq(seq, event, before.digest_seq)


_CHECKS: Final[dict[str | None, Callable[[InvariantChecker, int, Event], None]]] = {
    None: _unknown,
    "node_registered": _registered,
    "state_changed": _state_changed,
    "address_bound": _bound,
    "address_released": _released,
    "unregistered": _unregistered,
    "digest_recorded": _digested,
}
