"""Evolve: state and events in, the next state out.

    state(n) = evolve(state(m), events m+1 … n)      for every m ≤ n

which is why a running server, a replay and a rewind agree. An event is a fact: folding never
refuses one that this version knows.
"""

from collections.abc import Callable, Iterable
from typing import Any

from nc.domain import (
    addresses,
    administrators,
    invitations,
    leadership,
    links,
    nodes,
    replica_addresses,
    replicas,
    tokens,
    updates,
)
from nc.domain.events import Entry, Event
from nc.domain.fsm import ConnectionState
from nc.domain.interning import shared_id
from nc.domain.state import State
from nc.domain.transient_map import TransientMap
from nc.errors import OperatorError


class _TransientState:
    """The state while events are folded into it.

    Attributes:
        at_ms: when the event that is folded was recorded; 0: not known.
    """

    __slots__ = (
        *("addresses", "administrators", "at_ms", "authorities", "digest_seq", "imported"),
        *("key_check", "leader", "links", "membership", "names", "nodes", "sessions", "tokens"),
        "unregistered",
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
        self.names = TransientMap(base.names)
        self.administrators = base.administrators
        self.imported = base.imported
        self.membership = base.membership
        self.leader = base.leader
        self.at_ms = 0

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
            self.names.finish(),
            self.administrators,
            self.imported,
            self.leader,
            self.membership,
        )


def _replica_started(state: _TransientState, _seq: int, event: Any) -> None:
    addresses.evolve_replica_started(state.addresses, event)
    state.key_check = event.key_check or state.key_check
    state.authorities = replicas.evolve_authorities(state.authorities, event)
    for session in replicas.ended_by(state.sessions.items(), event):
        _end_session(state, session, is_lost=True)
    state.sessions = replicas.evolve_sessions_started(state.sessions, event)
    state.leader = leadership.evolve_started(state.leader, event)
    members, sessions = state.membership, state.sessions
    state.membership = invitations.evolve_started(members, sessions, state.at_ms, event)


def _end_session(state: _TransientState, session: str, *, is_lost: bool) -> None:
    replica_addresses.end_session(state.addresses, session)
    state.membership = invitations.evolve_session_ended(
        state.membership, state.sessions.get(session, ""), state.at_ms, is_lost=is_lost
    )
    state.sessions = state.sessions.discard(session)


def _replica_invited(state: _TransientState, _seq: int, event: Any) -> None:
    state.membership = invitations.evolve_invited(state.membership, state.at_ms, event)


def _invitation_redeemed(state: _TransientState, _seq: int, event: Any) -> None:
    state.membership = invitations.evolve_redeemed(state.membership, state.at_ms, event)


def _invitation_ended(state: _TransientState, _seq: int, event: Any) -> None:
    state.membership = invitations.evolve_ended(state.membership, event)


def _replica_removed(state: _TransientState, _seq: int, event: Any) -> None:
    state.membership = invitations.evolve_removed(state.membership, state.at_ms, event)
    for session in invitations.sessions_of(state.sessions, event.replica_id):
        _end_session(state, session, is_lost=False)


def _leader_elected(state: _TransientState, _seq: int, event: Any) -> None:
    awaits_start = event.session not in state.sessions
    state.leader = leadership.evolve_elected(event, awaits_start=awaits_start)


def _token_issued(state: _TransientState, _seq: int, event: Any) -> None:
    tokens.evolve_issued(state.tokens, state.at_ms, event)


def _token_revoked(state: _TransientState, _seq: int, event: Any) -> None:
    tokens.evolve_revoked(state.tokens, state.at_ms, event)


def _node_registered(state: _TransientState, _seq: int, event: Any) -> None:
    rank = tokens.evolve_registered(state.tokens, state.at_ms, event.token_id)
    nodes.evolve_registered(state.nodes, state.names, state.unregistered, state.at_ms, rank, event)


def _unregistered(state: _TransientState, _seq: int, event: Any) -> None:
    tokens.evolve_unregistered(state.tokens, state.nodes.get(event.node_id))
    nodes.evolve_unregistered(state.nodes, state.names, state.unregistered, event)


def _state_changed(state: _TransientState, seq: int, event: Any) -> None:
    node_id, at_ms, to_state = (
        shared_id(event.node_id),
        state.at_ms,
        ConnectionState(event.to_state),
    )
    is_idle = to_state is ConnectionState.IDLE
    links.evolve_state_changed(state.links, node_id, to_state, at_ms, event)
    addresses.evolve_state_changed(state.addresses, node_id, seq, at_ms, is_idle=is_idle)
    nodes.evolve_state_changed(state.nodes, node_id, to_state, at_ms)


def _address_bound(state: _TransientState, seq: int, event: Any) -> None:
    has_link = state.links.get(event.node_id) is not None
    addresses.evolve_bound(state.addresses, event, None if has_link else (seq, state.at_ms))


def _administrator_added(state: _TransientState, _seq: int, event: Any) -> None:
    state.administrators = administrators.evolve_added(state.administrators, state.at_ms, event)


def _administrator_revoked(state: _TransientState, _seq: int, event: Any) -> None:
    state.administrators = administrators.evolve_revoked(state.administrators, state.at_ms, event)


def _litekube_imported(state: _TransientState, _seq: int, event: Any) -> None:
    state.imported |= {event.database_sha256}


def _digest_recorded(state: _TransientState, _seq: int, event: Any) -> None:
    state.digest_seq = event.seq


# How each kind of event is folded; the keys are the members of `Event.kind`.
FOLDS: dict[str, Callable[[_TransientState, int, Any], None]] = {
    "replica_started": _replica_started,
    "replica_invited": _replica_invited,
    "invitation_redeemed": _invitation_redeemed,
    "invitation_ended": _invitation_ended,
    "replica_removed": _replica_removed,
    "replica_stopped": lambda state, _, e: _end_session(state, e.session, is_lost=False),
    "replica_lost": lambda state, _, e: _end_session(state, e.session, is_lost=True),
    "replica_address_bound": lambda state, _, e: replica_addresses.evolve_own_bound(
        state.addresses, e
    ),
    "leader_elected": _leader_elected,
    "token_issued": _token_issued,
    "token_revoked": _token_revoked,
    "token_expired": lambda state, _, e: tokens.evolve_expired(state.tokens, e),
    "node_registered": _node_registered,
    "node_updated": lambda state, _, e: updates.evolve_updated(state.nodes, state.names, e),
    "node_facts_reported": lambda state, _, e: updates.evolve_facts(state.nodes, e),
    "certificates_renewed": lambda state, _, e: updates.evolve_renewed(state.nodes, e),
    "state_changed": _state_changed,
    "address_bound": _address_bound,
    "address_released": lambda state, _, e: addresses.evolve_released(state.addresses, e),
    "expiry_changed": lambda state, _, e: nodes.evolve_expiry_changed(state.nodes, e),
    "unregistered": _unregistered,
    "node_forgotten": lambda state, _, e: nodes.evolve_forgotten(state.unregistered, e),
    "administrator_added": _administrator_added,
    "administrator_revoked": _administrator_revoked,
    "litekube_imported": _litekube_imported,
    "digest_recorded": _digest_recorded,
    "log_repaired": lambda _state, _, _e: None,
}


def recorded_ms(entry: Entry) -> int:
    """When an entry was recorded, as folds keep it."""
    return entry.recorded_at_ns // 1_000_000


class Fold:
    """A fold under way, for events that come in pieces.

    Args:
        state: what the events follow.
    """

    def __init__(self, state: State) -> None:
        self._state = _TransientState(state)
        self._seq = state.seq

    def add_recorded(self, history: Iterable[tuple[int, Entry, Event]]) -> None:
        """Fold in events that come next, each with its sequence number and entry; as `add`."""
        for _, entry, event in history:
            self.add((event,), recorded_ms(entry))

    def add(self, events: Iterable[Event], at_ms: int = 0) -> None:
        """Fold in the events that come next.

        Args:
            events: of one entry, or of several.
            at_ms: when they were recorded; 0: not known.

        Raises:
            UnknownEvent: an event is of a kind, or has a state or an address, that this version
                does not know.
        """
        state = self._state
        state.at_ms = at_ms
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


def evolve(state: State, events: Iterable[Event], at_ms: int = 0) -> State:
    """Fold the events that follow `state.seq` into it.

    Args:
        state: what they follow.
        events: the events.
        at_ms: when they were recorded; 0: not known.

    Raises:
        UnknownEvent: a newer version wrote an event.
    """
    fold = Fold(state)
    fold.add(events, at_ms)
    return fold.finish()


def evolve_recorded(state: State, history: Iterable[tuple[int, Entry, Event]]) -> State:
    """Fold events with their sequence numbers and entries. Raises as `evolve`."""
    fold = Fold(state)
    fold.add_recorded(history)
    return fold.finish()


def evolve_entries(state: State, entries: Iterable[Entry]) -> State:
    """Fold the entries that follow `state.seq` into it. Raises as `evolve`."""
    fold = Fold(state)
    for entry in entries:
        fold.add(entry.events, recorded_ms(entry))
    return fold.finish()


class UnknownEvent(OperatorError):
    """The log holds an event that a newer version wrote; ignoring it would give a wrong state."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__(
            f"event {seq} is nothing that this version knows how to read; "
            "run the version that wrote the log, or a newer one"
        )
