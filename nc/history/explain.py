"""Why is something as it is? The story of one node, address or bootstrap token, in sentences. Pure.

A node's story begins with the issue of the bootstrap token that it came with, and holds what
happened by itself, too: an address that was reclaimed, a link that a crash took.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from nc.domain.events import Event, pb
from nc.domain.expiry import has_passed
from nc.domain.links import link_of
from nc.domain.state import State
from nc.history.events import Recorded, field_of
from nc.text import moment

__all__ = ["Kind", "Line", "Target", "now_line", "story"]

Kind = str  # `node`, `address` or `token`


class Target(NamedTuple):
    """What a story is about."""

    kind: Kind
    id: str  # of the node or the token; the address


class Line(NamedTuple):
    """One event of a story."""

    recorded: Recorded
    text: str  # what happened, as a clause
    by: str  # who did it, through what


def story(history: Iterable[Recorded], subject: Target) -> Iterator[Line]:
    """The events that made the subject what it is, in order."""
    teller = Explainer(subject)
    issued: dict[str, Recorded] = {}
    for recorded in history:
        event = recorded.event
        teller.follow(recorded)
        if event.HasField("token_issued"):
            issued[event.token_issued.token_id] = recorded
        if not teller.concerns(event):
            continue
        if event.HasField("node_registered") and subject.kind == "node":
            origin = issued.get(event.node_registered.token_id)
            if origin is not None:
                yield teller.line(origin)
        yield teller.line(recorded)


def now_line(state: State, subject: Target, now_ms: int) -> str:
    """How the subject is in the end, as a sentence."""
    if subject.kind == "address":
        holder = state.addresses.holder_of(subject.id)
        return f"{subject.id} is held by node {holder}" if holder else f"{subject.id} is free"
    if subject.kind == "token":
        token = state.tokens.get(subject.id)
        if token is None:
            return "the bootstrap token is not remembered any more"
        users = sum(node.token_id == subject.id for node in state.nodes.values())
        nodes = (
            "1 node that came with it is" if users == 1 else f"{users} nodes that came with it are"
        )
        ending = _expiry(token.expires_at_ms, now_ms)
        return f"the bootstrap token {ending}; {nodes} registered"
    node = state.nodes.get(subject.id)
    if node is None:
        return "the node is not registered: its token and its certificates are refused"
    name = link_of(state.links, subject.id).state.name
    address = state.addresses.address_of(subject.id) or "no address"
    return f"the node is {name} with {address}, and its token {_expiry(node.expires_at_ms, now_ms)}"


def _expiry(expires_at_ms: int, now_ms: int) -> str:
    if expires_at_ms == 0:
        return "never expires"
    verb = "expired" if has_passed(expires_at_ms, now_ms) else "expires"
    return f"{verb} at {moment(expires_at_ms)}"


_TIED: Final = {"node": "node_id", "address": "address", "token": "token_id"}

_LOST: Final = {
    pb.STATE_CHANGE_REASON_LINK_CLOSED: "its link was closed",
    pb.STATE_CHANGE_REASON_LINK_SILENT: "nothing was heard from it for too long",
    pb.STATE_CHANGE_REASON_LINK_REFUSED: "the handshake was refused, or took too long",
    pb.STATE_CHANGE_REASON_LINK_SUPERSEDED: "a newer link of the same node took over",
    pb.STATE_CHANGE_REASON_UNREGISTERED: "it was unregistered",
    pb.STATE_CHANGE_REASON_EXPIRED: "its token had expired",
    pb.STATE_CHANGE_REASON_REPLICA_STOPPED: "the server that held its link stopped",
}

_RELEASED: Final = {
    pb.ADDRESS_RELEASE_REASON_UNREGISTERED: "since it was unregistered",
    pb.ADDRESS_RELEASE_REASON_RECLAIMED: (
        "reclaimed, since the pool was used up and it had been idle longest"
    ),
    pb.ADDRESS_RELEASE_REASON_NETWORK_CHANGED: "which the overlay network no longer has",
}


class Explainer:
    """Puts events into words; knows what a sentence refers to."""

    def __init__(self, subject: Target) -> None:
        self._subject = subject
        self._nodes: set[str] = set()  # that came with the token, if it is about one
        self._is_running = False
        self._restart = "the server started again"
        self._reclaimed: dict[str, str] = {}  # from whom an address was last taken
        self._repair = "the log was repaired"
        self._is_under_way = False  # the subject's life, as far as it was told

    def follow(self, recorded: Recorded) -> None:
        """Remember what later sentences need."""
        event = recorded.event
        if event.HasField("replica_started"):
            how = "after a crash" if self._is_running else "after a stop"
            self._restart = f"the server started again {how} (event {recorded.seq})"
            self._is_running = True
        elif event.HasField("replica_stopped"):
            self._is_running = False
        elif event.HasField("log_repaired"):
            self._repair = _repair(recorded)
        elif event.HasField("address_released"):
            released = event.address_released
            if released.reason == pb.ADDRESS_RELEASE_REASON_RECLAIMED:
                self._reclaimed[released.address] = released.node_id
            else:
                self._reclaimed.pop(released.address, None)

    def concerns(self, event: Event) -> bool:
        """Whether the story has this event."""
        kind, subject_id = self._subject
        if event.HasField("log_repaired"):
            return self._is_under_way
        if kind != "token":
            return field_of(event, _TIED[kind]) == subject_id
        if field_of(event, "token_id") == subject_id:
            self._nodes.add(field_of(event, "node_id"))
            return True
        return event.HasField("unregistered") and event.unregistered.node_id in self._nodes

    def line(self, recorded: Recorded) -> Line:
        """The event as a clause, and who did it."""
        entry, event = recorded.entry, recorded.event
        kind = event.WhichOneof("kind")
        self._is_under_way = kind != _ENDS.get(self._subject.kind)
        words = _WORDS.get(kind or "")
        text = "something unknown happened" if words is None else words(self, _body(event))
        by = f"{entry.actor} ({entry.method}, request {entry.request_id})"
        return Line(recorded, text, by)

    def name(self, node_id: str) -> str:
        """A node as the story calls it."""
        return "the node" if Target("node", node_id) == self._subject else f"node {node_id}"

    def token_name(self, token_id: str) -> str:
        """A bootstrap token as the story calls it."""
        is_subject = Target("token", token_id) == self._subject
        return "the bootstrap token" if is_subject else f"bootstrap token {token_id}"

    def issued(self, event: Any) -> str:
        """A TokenIssued in words."""
        until = event.expires_at_ms
        good = f"until {moment(until)}" if until else "for ever"
        return f"{self.token_name(event.token_id)} was issued, good {good}"

    def registered(self, event: Any) -> str:
        """A NodeRegistered in words."""
        return f"{self.name(event.node_id)} was registered with {self.token_name(event.token_id)}"

    def state_changed(self, event: Any) -> str:
        """A StateChanged in words."""
        name = self.name(event.node_id)
        if event.to_state == pb.CONNECTION_STATE_INIT:
            return f"{name} became INIT: its link was accepted"
        if event.to_state == pb.CONNECTION_STATE_CONNECTED:
            return f"{name} became CONNECTED: it was handed its address"
        if event.reason == pb.STATE_CHANGE_REASON_REPLICA_RESTARTED:
            return f"{name} became IDLE: its link was lost when {self._restart}"
        return f"{name} became IDLE: {_LOST.get(event.reason, 'its link was lost')}"

    def bound(self, event: Any) -> str:
        """An AddressBound in words."""
        former = self._reclaimed.pop(event.address, None)
        taken = f", which was taken from {self.name(former)}" if former else ""
        return f"{self.name(event.node_id)} was given {event.address}{taken}"

    def released(self, event: Any) -> str:
        """An AddressReleased in words."""
        why = _RELEASED.get(event.reason, "for a reason that this version does not know")
        return f"{self.name(event.node_id)} gave up {event.address}, {why}"

    def expiry_changed(self, event: Any) -> str:
        """An ExpiryChanged in words."""
        until = moment(event.expires_at_ms) if event.expires_at_ms else "never"
        return f"the expiry of {self.name(event.node_id)} was set to {until}"

    def repaired(self, _event: Any) -> str:
        """A LogRepaired in words."""
        return self._repair

    def unregistered(self, event: Any) -> str:
        """An Unregistered in words."""
        return f"{self.name(event.node_id)} was unregistered, for good"


def _repair(recorded: Recorded) -> str:
    """What a repair means for a story that it comes in."""
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
    "token_expired": lambda teller, e: (
        f"{teller.token_name(e.token_id)} was forgotten: it had expired a day before"
    ),
    "node_registered": Explainer.registered,
    "state_changed": Explainer.state_changed,
    "address_bound": Explainer.bound,
    "address_released": Explainer.released,
    "expiry_changed": Explainer.expiry_changed,
    "unregistered": Explainer.unregistered,
    "log_repaired": Explainer.repaired,
}

# What ends the life of a subject; addresses have no end.
_ENDS: Final = {"node": "unregistered", "token": "token_expired"}
