"""A walk through a log's events, on `nc.domain.invariants`, with more facts that laws need."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nc.domain import invariants
from nc.domain.invariants import Situation
from nc.pb import events_pb2 as pb
from nc.testing.contract.history import History


@dataclass
class Background:
    """Facts from the events so far that the situation lacks; the walk updates them."""

    network: str
    idle_since: dict[str, int] = field(default_factory=dict)  # the event that made a node idle
    left: set[str] = field(default_factory=set)  # nodes that were unregistered
    expires_at_ms: dict[str, int] = field(default_factory=dict)  # by token, 0 never


class Place(NamedTuple):
    """An event, its entry, and the situation before it; valid until the next one is asked for."""

    seq: int
    entry: pb.Entry
    kind: str
    event: Any
    before: Situation
    background: Background

    def __str__(self) -> str:
        return f"event {self.seq}, {self.kind}"


class Written(NamedTuple):
    """An entry of the log, and the nodes that have links before and after it."""

    seq: int  # of its first event
    entry: pb.Entry
    before: set[str]
    after: dict[str, str]  # with the sessions that own them
    sessions: set[str]  # that are going on after it

    def __str__(self) -> str:
        return f"event {self.seq}, {self.entry.method}"


def walk(history: History) -> Iterator[Place]:
    background = Background(history.network)
    for place in invariants.walk(history.entries):
        yield Place(*place, background)
        match place.kind:
            case "state_changed" if place.event.to_state == pb.CONNECTION_STATE_IDLE:
                background.idle_since[place.event.node_id] = place.seq
            case "unregistered":
                background.left.add(place.event.node_id)
            case "token_issued":
                background.expires_at_ms[place.event.token_id] = place.event.expires_at_ms
            case "token_expired":
                background.expires_at_ms.pop(place.event.token_id, None)
            case "replica_started":
                background.network = place.event.network_address


def written(history: History) -> Iterator[Written]:
    situation = Situation()
    for entry in history.entries:
        seq, before = situation.seq + 1, set(situation.link_ids)
        for event in entry.events:
            kind = event.WhichOneof("kind") or ""
            situation.apply(kind, getattr(event, kind, event))
        yield Written(seq, entry, before, dict(situation.owners), set(situation.sessions))
