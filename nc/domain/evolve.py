"""Evolve: state and events in, the next state out.

    state(n) = evolve(state(m), events m+1 … n)      for every m ≤ n

which is why a running server, a replay and a rewind agree. An event is a fact: folding never
refuses one that this version knows.
"""

from collections.abc import Callable, Iterable
from typing import Any

from nc.domain import addresses, links, nodes, replicas, tokens
from nc.domain.events import Event
from nc.domain.state import State
from nc.domain.transient_map import TransientMap
from nc.errors import OperatorError


class _TransientState:
    """The state while events are folded into it."""

    __slots__ = (
        *("addresses", "authorities", "digest_seq", "key_check", "links"),
        *("nodes", "sessions", "tokens", "unregistered"),
    )

    def __init__(self, base: State) -> None:
        self.tokens = TransientMap(base.tokens)
        self.nodes = TransientMap(base.nodes)
        self.links = TransientMap(base.links)
        self.addresses = addresses.TransientAddresses(base.addresses)
        self.digest_seq = base.digest_seq
        self.key_check = base.key_check
        self.unregistered = TransientMap(base.unregistered)
        self.authorities = base.authorities
        self.sessions = base.sessions

    def finish(self, seq: int) -> State:
        return State(
            seq,
            self.tokens.finish(),
            self.nodes.finish(),
            self.links.finish(),
            self.addresses.finish(),
            self.digest_seq,
            self.key_check,
            self.unregistered.finish(),
            self.authorities,
            self.sessions,
        )


def _replica_started(state: _TransientState, _seq: int, event: Any) -> None:
    addresses.evolve_replica_started(state.addresses, event)
    state.key_check = event.key_check or state.key_check
    state.authorities = replicas.evolve_authorities(state.authorities, event)
    state.sessions = replicas.evolve_sessions_started(state.sessions, event)


def _replica_stopped(state: _TransientState, _seq: int, event: Any) -> None:
    state.sessions = state.sessions.discard(event.session)


def _state_changed(state: _TransientState, seq: int, event: Any) -> None:
    links.evolve_state_changed(state.links, event)
    addresses.evolve_state_changed(state.addresses, seq, event)


def _digest_recorded(state: _TransientState, _seq: int, event: Any) -> None:
    state.digest_seq = event.seq


# How each kind of event is folded; the keys are the members of `Event.kind`.
FOLDS: dict[str, Callable[[_TransientState, int, Any], None]] = {
    "replica_started": _replica_started,
    "replica_stopped": _replica_stopped,
    "token_issued": lambda state, _, e: tokens.evolve_issued(state.tokens, e),
    "token_expired": lambda state, _, e: tokens.evolve_expired(state.tokens, e),
    "node_registered": lambda state, _, e: nodes.evolve_registered(
        state.nodes, state.unregistered, e
    ),
    "state_changed": _state_changed,
    "address_bound": lambda state, _, e: addresses.evolve_bound(state.addresses, e),
    "address_released": lambda state, _, e: addresses.evolve_released(state.addresses, e),
    "expiry_changed": lambda state, _, e: nodes.evolve_expiry_changed(state.nodes, e),
    "unregistered": lambda state, _, e: nodes.evolve_unregistered(
        state.nodes, state.unregistered, e
    ),
    "node_forgotten": lambda state, _, e: nodes.evolve_forgotten(state.unregistered, e),
    "digest_recorded": _digest_recorded,
    "log_repaired": lambda _state, _, _e: None,
}


class Fold:
    """A fold under way, for events that come in pieces.

    Args:
        state: what the events follow.
    """

    def __init__(self, state: State) -> None:
        self._state = _TransientState(state)
        self._seq = state.seq

    def add(self, events: Iterable[Event]) -> None:
        """Fold in the events that come next.

        Raises:
            UnknownEvent: an event is of a kind, or has a state or an address, that this version
                does not know.
        """
        state = self._state
        for seq, event in enumerate(events, self._seq + 1):
            kind = event.WhichOneof("kind")
            if kind is None:
                raise UnknownEvent(seq)
            try:
                FOLDS[kind](state, seq, getattr(event, kind))
            except ValueError as error:
                raise UnknownEvent(seq) from error
            self._seq = seq

    def finish(self) -> State:
        """The state now; more events may be added after it."""
        return self._state.finish(self._seq)


def evolve(state: State, events: Iterable[Event]) -> State:
    """Fold the events that follow `state.seq` into it.

    Raises:
        UnknownEvent: a newer version wrote an event.
    """
    fold = Fold(state)
    fold.add(events)
    return fold.finish()


class UnknownEvent(OperatorError):
    """The log holds an event that a newer version wrote; ignoring it would give a wrong state."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__(
            f"event {seq} is nothing that this version knows how to read; "
            "run the version that wrote the log, or a newer one"
        )
