"""A walk through a log's events, on `nc.domain.invariants`, with more facts that laws need."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nc.domain import invariants
from nc.domain.invariants import Situation
from nc.pb import events_pb2 as pb
from nc.testing.contract.history import History
from nc.testing.contract.values import DAY_MS


@dataclass
class Background:
    """Facts from the events so far that the situation lacks; the walk updates them."""

    network: str
    # The event that made a node idle, and its time.
    idle_since: dict[str, tuple[int, int]] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)  # nodes that were unregistered
    linked: set[str] = field(default_factory=set)  # nodes that were handed an address
    # By token: when its day began, which its first node after a day begins, and its nodes since.
    days: dict[str, tuple[int, int]] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)  # by node: the number of those then
    expires_at_ms: dict[str, int] = field(default_factory=dict)  # or revoked; by token, 0 never

    def learn(self, place: invariants.Place) -> None:  # noqa: C901 - a table
        match place.kind:
            case "state_changed" if place.event.to_state == pb.CONNECTION_STATE_IDLE:
                self.idle_since[place.event.node_id] = _when(place)
            case "state_changed" if place.event.to_state == pb.CONNECTION_STATE_CONNECTED:
                self.linked.add(place.event.node_id)
            case "address_bound" if place.event.node_id not in place.before.link_ids:
                self.idle_since[place.event.node_id] = _when(place)
            case "unregistered":
                self.left.add(place.event.node_id)
            case "token_issued":
                self.expires_at_ms[place.event.token_id] = place.event.expires_at_ms
            case "token_revoked":
                _, recorded_ms = _when(place)
                expires_ms = self.expires_at_ms.get(place.event.token_id, 0)
                ends_ms = min(expires_ms or recorded_ms, recorded_ms)
                self.expires_at_ms[place.event.token_id] = ends_ms
            case "node_registered":
                token_id, (_, at_ms) = place.event.token_id, _when(place)
                began_ms, count = self.days.get(token_id, (at_ms, 0))
                if not began_ms <= at_ms < began_ms + DAY_MS:
                    began_ms, count = at_ms, 0
                self.days[token_id] = began_ms, count + 1
                self.ranks[place.event.node_id] = count + 1 if token_id else 0
            case "token_expired":
                self.expires_at_ms.pop(place.event.token_id, None)
            case "replica_started":
                self.network = place.event.network_address


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
        background.learn(place)


def _when(place: invariants.Place) -> tuple[int, int]:
    return place.seq, place.entry.recorded_at_ns // 1_000_000


def written(history: History) -> Iterator[Written]:
    situation = Situation()
    for entry in history.entries:
        seq, before = situation.seq + 1, set(situation.link_ids)
        for event in entry.events:
            kind = event.WhichOneof("kind") or ""
            situation.apply(kind, getattr(event, kind, event))
        yield Written(seq, entry, before, dict(situation.owners), set(situation.sessions))
