"""Explains how a node, address, token or invitation came to its state, in sentences. Pure.

The explanation of a node begins with the issue of the bootstrap token that it came with, and holds
what no client asked for, too: an address that was reclaimed, a link that was lost in a crash.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from nc.domain.bindings import session_of
from nc.domain.events import Event, pb
from nc.domain.links import link_of
from nc.domain.nodes import certificates_end_ms
from nc.domain.profile import facts_in
from nc.domain.state import State
from nc.history.events import Recorded, field_of
from nc.history.present import (
    INVITATION_WORDS,
    expiry_clause,
    invitation_sentence,
    token_sentence,
)
from nc.history.running import Running
from nc.text import moment

__all__ = ["Kind", "Line", "Target", "explain", "now_line"]

Kind = str  # `node`, `address`, `token` or `invitation`


class Target(NamedTuple):
    kind: Kind
    id: str  # of the node, the token, the invitation; the address


class Line(NamedTuple):
    recorded: Recorded
    text: str  # what happened, as a clause
    by: str  # who did it, through what


def explain(history: Iterable[Recorded], target: Target) -> Iterator[Line]:
    """The events that concern the target, in order, each as a clause."""
    explainer = Explainer(target)
    issued: dict[str, Recorded] = {}
    for recorded in history:
        event = recorded.event
        explainer.follow(recorded)
        if event.HasField("token_issued"):
            issued[event.token_issued.token_id] = recorded
        if not explainer.concerns(event):
            continue
        if event.HasField("node_registered") and target.kind == "node":
            origin = issued.get(event.node_registered.token_id)
            if origin is not None:
                yield explainer.line(origin)
        yield explainer.line(recorded)


def now_line(state: State, target: Target, now_ms: int) -> str:
    """The target as a state has it, as a sentence."""
    if target.kind == "address":
        holder = state.addresses.holder_of(target.id)
        if (session := session_of(holder)) is not None:
            return f"{target.id} is held by the server with the session {session}"
        return f"{target.id} is held by node {holder}" if holder else f"{target.id} is free"
    if target.kind == "invitation":
        return invitation_sentence(state, target.id, now_ms)
    if target.kind == "token":
        return token_sentence(state, target.id, now_ms)
    node = state.nodes.get(target.id)
    if node is None:
        return "the node is not registered: its token and its certificates are refused"
    name = link_of(state.links, target.id).state.name
    address = state.addresses.address_of(target.id) or "no address"
    called = f"node {node.profile.name}" if node.profile.name else "the node"
    expiry = expiry_clause(node.expires_at_ms, now_ms)
    return f"{called} is {name} with {address}, and its token {expiry}"


_FIELDS: Final = {
    "node": "node_id",
    "address": "address",
    "token": "token_id",
    "invitation": "invitation_id",
}

_HOLDER: Final = "the server that held its link"
_LOST: Final = {
    pb.STATE_CHANGE_REASON_LINK_CLOSED: "its link was closed",
    pb.STATE_CHANGE_REASON_LINK_SILENT: "nothing was heard from it for too long",
    pb.STATE_CHANGE_REASON_LINK_REFUSED: "the handshake was refused, or took too long",
    pb.STATE_CHANGE_REASON_LINK_SUPERSEDED: "a newer link of the same node took over",
    pb.STATE_CHANGE_REASON_UNREGISTERED: "it was unregistered",
    pb.STATE_CHANGE_REASON_EXPIRED: "its token had expired",
    pb.STATE_CHANGE_REASON_ADDRESS_REASSIGNED: "an administrator gave it another address",
    pb.STATE_CHANGE_REASON_CERTIFICATE_ENDED: "its certificate had ended",
    pb.STATE_CHANGE_REASON_REPLICA_STOPPED: f"{_HOLDER} stopped",
    pb.STATE_CHANGE_REASON_REPLICA_LOST: f"{_HOLDER} was silent for too long",
}

_RELEASED: Final = {
    pb.ADDRESS_RELEASE_REASON_UNREGISTERED: "since it was unregistered",
    pb.ADDRESS_RELEASE_REASON_RECLAIMED: (
        "reclaimed, since the pool was used up and it had been idle longest"
    ),
    pb.ADDRESS_RELEASE_REASON_NETWORK_CHANGED: "which the overlay network no longer has",
    pb.ADDRESS_RELEASE_REASON_REASSIGNED: "since an administrator gave it another one",
}


class Explainer:
    """Puts events into words; remembers what later sentences refer to."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._nodes: set[str] = set()  # registered with the token, if the target is one
        self._running = Running()
        self._restart = "the server started again"
        self._reclaimed: dict[str, str] = {}  # from whom an address was last taken
        self._repair = "the log was repaired"
        self._is_alive = False  # the target exists, as of the events so far
        self._names: dict[str, str] = {}  # of nodes
        self._servers: dict[str, str] = {}  # of several, by session

    def follow(self, recorded: Recorded) -> None:
        event = recorded.event
        has_crashed = self._running.follow(event)
        if event.HasField("replica_started"):
            how = "after a crash" if has_crashed else "after a stop"
            self._restart = f"the server started again {how} (event {recorded.seq})"
            if (started := event.replica_started).session and not started.is_alone:
                self._servers[started.session] = started.replica_id
        elif event.HasField("log_repaired"):
            self._repair = _repair(recorded)
        elif name := field_of(event, "name"):
            self._names[field_of(event, "node_id")] = name
        elif event.HasField("address_released"):
            released = event.address_released
            if released.reason == pb.ADDRESS_RELEASE_REASON_RECLAIMED:
                self._reclaimed[released.address] = released.node_id
            else:
                self._reclaimed.pop(released.address, None)

    def concerns(self, event: Event) -> bool:
        kind, target_id = self._target
        if event.HasField("log_repaired"):
            return self._is_alive
        if kind != "token":
            return field_of(event, _FIELDS[kind]) == target_id
        if field_of(event, "token_id") == target_id:
            self._nodes.add(field_of(event, "node_id"))
            return True
        return event.HasField("unregistered") and event.unregistered.node_id in self._nodes

    def line(self, recorded: Recorded) -> Line:
        """The event as a clause, and who did it."""
        entry, event = recorded.entry, recorded.event
        kind = event.WhichOneof("kind")
        self._is_alive = kind not in _ENDS.get(self._target.kind, ())
        words = _WORDS.get(kind or "")
        text = "something unknown happened" if words is None else words(self, _body(event))
        by = f"{entry.actor} ({entry.method}, request {entry.request_id})"
        return Line(recorded, text, by)

    def name(self, node_id: str) -> str:
        if Target("node", node_id) == self._target:
            return "the node"
        name = self._names.get(node_id)
        return f"node {name} ({node_id})" if name else f"node {node_id}"

    def token_name(self, token_id: str) -> str:
        is_target = Target("token", token_id) == self._target
        return "the bootstrap token" if is_target else f"bootstrap token {token_id}"

    def issued(self, event: Any) -> str:
        until = event.expires_at_ms
        good = f"until {moment(until)}" if until else "for ever"
        label = f" ({event.label})" if event.label else ""
        return f"{self.token_name(event.token_id)}{label} was issued, good {good}{_terms(event)}"

    def registered(self, event: Any) -> str:
        if event.taken_back:
            how = "taken back: the log did not know it"
        elif event.imported:
            how = "imported from an upstream server's database"
        else:
            how = f"registered with {self.token_name(event.token_id)}"
        name = f", as {event.name}" if event.name else ""
        return f"{self.name(event.node_id)} was {how}{name}"

    def updated(self, event: Any) -> str:
        changes = []
        if event.HasField("name"):
            changes.append(f"was named {event.name}")
        if event.HasField("labels"):
            labels = ", ".join(f"{each.key}={each.value}" for each in event.labels.labels)
            changes.append(f"was given the labels {labels}" if labels else "lost its labels")
        if event.HasField("note"):
            changes.append(f"was noted: {event.note}" if event.note else "lost its note")
        return f"{self.name(event.node_id)} {' and '.join(changes) or 'stayed as it was'}"

    def facts_reported(self, event: Any) -> str:
        facts = ", ".join(filter(None, facts_in(event.facts)))
        return f"{self.name(event.node_id)} reported of its machine: {facts}"

    def renewed(self, event: Any) -> str:
        end = certificates_end_ms(event.certificates)
        return f"{self.name(event.node_id)} was given new certificates, good until {moment(end)}"

    def state_changed(self, event: Any) -> str:
        name, server = self.name(event.node_id), self._servers.get(event.session, "")
        if event.to_state == pb.CONNECTION_STATE_INIT:
            return f"{name} became INIT: its link was accepted{server and f' by {server}'}"
        if event.to_state == pb.CONNECTION_STATE_CONNECTED:
            return f"{name} became CONNECTED: it was handed its address"
        if event.reason == pb.STATE_CHANGE_REASON_REPLICA_RESTARTED:
            return f"{name} became IDLE: its link was lost when {self._restart}"
        lost = _LOST.get(event.reason, "its link was lost")
        held = f"the server {server}, which held its link," if server else _HOLDER
        return f"{name} became IDLE: {lost.replace(_HOLDER, held)}"

    def bound(self, event: Any) -> str:
        former = self._reclaimed.pop(event.address, None)
        taken = f", which was taken from {self.name(former)}" if former else ""
        given = "assigned" if event.assigned else "given"
        return f"{self.name(event.node_id)} was {given} {event.address}{taken}"

    def released(self, event: Any) -> str:
        why = _RELEASED.get(event.reason, "for a reason that this version does not know")
        return f"{self.name(event.node_id)} gave up {event.address}, {why}"

    def expiry_changed(self, event: Any) -> str:
        until = moment(event.expires_at_ms) if event.expires_at_ms else "never"
        return f"the expiry of {self.name(event.node_id)} was set to {until}"

    def repaired(self, _event: Any) -> str:
        return self._repair

    def unregistered(self, event: Any) -> str:
        return f"{self.name(event.node_id)} was unregistered, for good"


def _terms(event: Any) -> str:
    """What limits a token beside its time, as the end of a sentence."""
    uses = f", for {event.max_uses} uses" if event.max_uses else ""
    return uses + (f", for {event.max_nodes} nodes at one time" if event.max_nodes else "")


def _repair(recorded: Recorded) -> str:
    first, through = recorded.seq, recorded.event.log_repaired.lost_through_seq
    if through < first:
        return "the log was repaired, and no event is known to be lost"
    if through == first:
        return f"event {first} was lost in a repair: it may be missing here"
    return f"events {first} to {through} were lost in a repair: some may be missing here"


def _body(event: Event) -> Any:
    return getattr(event, event.WhichOneof("kind") or "")


_WORDS: Final[dict[str, Callable[[Explainer, Any], str]]] = {
    "token_issued": Explainer.issued,
    "token_expired": lambda explainer, e: (
        f"{explainer.token_name(e.token_id)} was forgotten: "
        "it had expired, or was revoked, a day before"
    ),
    "token_revoked": lambda explainer, e: (
        f"{explainer.token_name(e.token_id)} was revoked: it registers nobody any more"
    ),
    "node_registered": Explainer.registered,
    "node_updated": Explainer.updated,
    "node_facts_reported": Explainer.facts_reported,
    "certificates_renewed": Explainer.renewed,
    "state_changed": Explainer.state_changed,
    "address_bound": Explainer.bound,
    "address_released": Explainer.released,
    "replica_address_bound": lambda _, e: (
        f"a server was given {e.address} as its own, until its session {e.session} ends"
    ),
    "expiry_changed": Explainer.expiry_changed,
    "unregistered": Explainer.unregistered,
    "node_forgotten": lambda explainer, e: (
        f"{explainer.name(e.node_id)} was forgotten: its certificates have ended"
    ),
    "log_repaired": Explainer.repaired,
    **{
        kind: lambda _, e, words=words: words(e)  # type: ignore[misc]  # bound for each kind
        for kind, words in INVITATION_WORDS.items()
    },
}

# The event after which a target exists no more; addresses always exist.
_ENDS: Final = {
    "node": {"unregistered", "node_forgotten"},
    "token": {"token_expired"},
    "invitation": {"invitation_ended"},
}
