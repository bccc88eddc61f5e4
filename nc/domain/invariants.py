"""The invariants of a history: can this event have followed those before it?

A node moves along the state machine's table and from where it was, an address has one holder, and
digests are of earlier events, in their order; others are in `nc.domain.identity_invariants` and
`replica_invariants` and `membership_invariants` beside it. Pure, and independent of the folds: the
situation before each event is kept in plain dictionaries.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from typing import Any, Final, NamedTuple

from nc.domain import replica_invariants
from nc.domain.bindings import session_holder, session_of
from nc.domain.errors import IllegalTransition
from nc.domain.events import DigestRecorded, Entry, Event
from nc.domain.evolve import UnknownEvent
from nc.domain.fsm import ConnectionState, Trigger, next_state
from nc.domain.identity_invariants import Identities
from nc.domain.links import link_of
from nc.domain.membership_invariants import Members
from nc.domain.replicas import ended_by
from nc.domain.state import State
from nc.errors import DAMAGED, OperatorError

_ADVICE = (
    "the log was changed after it was written, or a faulty version wrote it: compare it with a copy"
)


class InconsistentHistory(OperatorError):
    """The log's bytes are intact, but their events are not a possible history."""

    exit_code = DAMAGED
    kind = "damaged"

    def __init__(self, seq: int, found: str, expected: str, advice: str = _ADVICE) -> None:
        self.seq = seq
        self.found = found
        self.expected = expected
        self.advice = advice
        super().__init__(f"event {seq}: {found}, expected {expected}; {advice}")


def _moves() -> Iterator[tuple[int, int]]:
    for state, trigger in product(ConnectionState, Trigger):
        with suppress(IllegalTransition):
            yield state.value, next_state(state, trigger).value


_MOVES: Final = frozenset(_moves())
_IDLE: Final = ConnectionState.IDLE.value


class Situation:
    """Nodes, links, addresses and digests as of one event. No event is refused.

    Args:
        base: the state to begin with.

    Attributes:
        seq: the last event that was applied.
        states: each registered node's connection state, as the events' number.
        link_ids: the current link of each node that is not IDLE.
        owners: the session that holds that link.
        sessions: those that have not ended, each with its replica's id.
        holders: the node, or the session, that holds each bound address.
        own: the address of each session that has one.
        epoch: of the last leader that was elected; 0: none was.
        digest_seq: the event that the last recorded digest is of, 0 if none was.
        identities: names, keys, tokens and administrators.
        members: replicas and invitations.
    """

    __slots__ = (
        *("digest_seq", "epoch", "holders", "identities", "link_ids", "members", "own", "owners"),
        *("seq", "sessions", "states"),
    )

    def __init__(self, base: State | None = None) -> None:
        base = base or State()
        self.seq = base.seq
        self.states = {n: int(link_of(base.links, n).state.value) for n in base.nodes}
        self.link_ids = {node_id: link.link_id for node_id, link in base.links.items()}
        self.owners = {node_id: link.session for node_id, link in base.links.items()}
        self.sessions = dict(base.sessions.items())
        by_node = base.addresses.by_node.items()
        self.holders = {held.address: node_id for node_id, held in by_node if held.address}
        sessions = ((session_of(holder), held.address) for holder, held in by_node)
        self.own = {session: address for session, address in sessions if session is not None}
        self.epoch = base.leader.epoch
        self.digest_seq = base.digest_seq
        self.identities = Identities(base)
        self.members = Members(base)

    def apply(self, kind: str, event: Any) -> None:
        self.seq += 1
        self.identities.apply(kind, event)
        self.members.apply(kind, event)
        match kind:
            case "state_changed":
                node_id = event.node_id  # each look at a field makes a string
                state = self.states[node_id] = event.to_state
                if state == _IDLE:
                    self.link_ids.pop(node_id, None)
                    self.owners.pop(node_id, None)
                else:
                    self.link_ids[node_id] = event.link_id
                    self.owners[node_id] = event.session
            case "replica_started" | "replica_stopped" | "replica_lost" | "replica_removed":
                self._follow_session(kind, event)
            case "node_registered":
                self.states[event.node_id] = _IDLE
            case "address_bound" | "address_released" | "replica_address_bound":
                self._follow_address(kind, event)
            case "unregistered":
                self.states.pop(event.node_id, None)
            case "leader_elected":
                self.epoch = event.epoch
            case "digest_recorded":
                self.digest_seq = event.seq

    def _follow_session(self, kind: str, event: Any) -> None:
        is_start = kind == "replica_started"
        if kind == "replica_removed":
            of_it = self.sessions.items()
            gone = [session for session, owner in of_it if owner == event.replica_id]
        else:
            gone = ended_by(self.sessions.items(), event) if is_start else [event.session]
        for ended in gone:
            self.sessions.pop(ended, None)
            self._free(ended)
        if is_start and event.session:
            self.sessions[event.session] = event.replica_id

    def _follow_address(self, kind: str, event: Any) -> None:
        if kind == "address_bound":
            self.holders[event.address] = event.node_id
        elif kind == "address_released":
            self.holders.pop(event.address, None)
        else:
            self._free(event.session)
            self.holders[event.address] = session_holder(event.session)
            self.own[event.session] = event.address

    def _free(self, session: str) -> None:
        self.holders.pop(self.own.pop(session, ""), None)


class Place(NamedTuple):
    """An event, the entry that it was recorded with, and the situation before it."""

    seq: int
    entry: Entry
    kind: str  # "" for one that a newer version wrote
    event: Any  # its body; of an unknown kind, the Event
    before: Situation

    def __str__(self) -> str:
        return f"event {self.seq}, {self.kind}"


def walk(entries: Iterable[Entry], base: State | None = None) -> Iterator[Place]:
    """Each event in its place. `before` changes when the next place is asked for."""
    situation = Situation(base)
    for entry in entries:
        for event in entry.events:
            kind = event.WhichOneof("kind") or ""
            body = getattr(event, kind, event)
            yield Place(situation.seq + 1, entry, kind, body, situation)
            situation.apply(kind, body)


class InvariantChecker:
    """Follows a history, and refuses the first event that cannot have happened.

    Args:
        base: the state to begin with.
    """

    def __init__(self, base: State) -> None:
        self.situation = Situation(base)

    def follow(self, event: Event) -> None:
        """Check the next event, then apply it.

        Raises:
            InconsistentHistory: it cannot have followed.
            UnknownEvent: a newer version wrote it.
        """
        kind = event.WhichOneof("kind")
        if kind is None:
            raise UnknownEvent(self.situation.seq + 1)
        body = getattr(event, kind)
        if kind in _CHECKS:
            _CHECKS[kind](self.situation, body)
        fault = self.situation.identities.fault(kind, body)
        fault = fault or self.situation.members.fault(kind, body)
        fault = fault or replica_invariants.fault(self.situation, kind, body)
        if fault is not None:
            _refuse(self.situation, *fault)
        self.situation.apply(kind, body)


def _check_registered(before: Situation, event: Any) -> None:
    if event.node_id in before.states:
        _refuse(before, f"node {event.node_id} is registered again", "another id")


def _check_state_changed(before: Situation, event: Any) -> None:
    node_id, source, destination = event.node_id, event.from_state, event.to_state
    was = before.states.get(node_id)
    if was != source:
        _refuse(before, f"node {node_id} leaves {_name(source)}", f"{_name(was)}, where it was")
    if (source, destination) not in _MOVES:
        found = f"node {node_id} goes from {_name(source)} to {_name(destination)}"
        _refuse(before, found, "a move of the state machine")
    session = event.session
    owner = before.owners.get(node_id, session)
    if session != owner:
        _refuse(before, f"session {session!r} changes a link of node {node_id}", f"{owner!r}")
    if source == _IDLE and session and session not in before.sessions:
        found = f"session {session} accepts a link of node {node_id}"
        _refuse(before, found, "a session that has started, and not ended")


def _check_bound(before: Situation, event: Any) -> None:
    node_id, address = event.node_id, event.address
    if node_id not in before.states:
        _refuse(before, f"{address} is given to {node_id}", "a node that is registered")
    holder = before.holders.get(address, node_id)
    if holder != node_id:
        _refuse(before, f"{address} is given to {node_id}", f"{holder} to hold it")


def _check_released(before: Situation, event: Any) -> None:
    holder = before.holders.get(event.address, "no node")
    if holder != event.node_id:
        _refuse(before, f"{event.node_id} gives {event.address} up", f"{holder} to hold it")


def _check_unregistered(before: Situation, event: Any) -> None:
    was = before.states.get(event.node_id)
    if was != _IDLE:
        found = f"node {event.node_id} is unregistered while {_name(was)}"
        _refuse(before, found, _name(_IDLE))


def _check_forgotten(before: Situation, event: Any) -> None:
    if event.node_id in before.states:
        _refuse(before, f"node {event.node_id} is forgotten", "a node that is not registered")


def _check_digest(before: Situation, event: Any) -> None:
    digested_seq(before.seq + 1, event, before.digest_seq)


def digested_seq(seq: int, event: DigestRecorded, last: int) -> int:
    """The event that a DigestRecorded is about, an earlier one.

    Args:
        seq: of the DigestRecorded itself.
        event: the DigestRecorded.
        last: the event that the one before it is about, 0 if there is none.

    Raises:
        InconsistentHistory: that event is not between the last one and this.
    """
    if not last < event.seq < seq:
        found = f"a digest of event {event.seq}"
        raise InconsistentHistory(seq, found, f"one after {last} and before {seq}")
    return event.seq


def _refuse(before: Situation, found: str, expected: str) -> None:
    raise InconsistentHistory(before.seq + 1, found, expected)


def _name(state: int | None) -> str:
    if state is None:
        return "not registered"
    try:
        return ConnectionState(state).name
    except ValueError:
        return f"state {state}"


_CHECKS: Final[dict[str, Callable[[Situation, Any], None]]] = {
    "node_registered": _check_registered,
    "state_changed": _check_state_changed,
    "address_bound": _check_bound,
    "address_released": _check_released,
    "unregistered": _check_unregistered,
    "node_forgotten": _check_forgotten,
    "digest_recorded": _check_digest,
}
