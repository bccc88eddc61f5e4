"""A walk through a log's events, in plain dictionaries: the situation before each of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nc.pb import events_pb2 as pb
from nc.testing.contract.history import History


@dataclass
class Situation:
    """What the events so far amount to; the walk changes it."""

    network: str
    seq: int = 0
    links: dict[str, tuple[int, str]] = field(default_factory=dict)  # state and link, unless idle
    held: dict[str, str] = field(default_factory=dict)  # address by node
    idle_since: dict[str, int] = field(default_factory=dict)  # the event that made a node idle
    nodes: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)  # nodes that were unregistered
    tokens: dict[str, int] = field(default_factory=dict)  # expiry, ms, 0 never


class Place(NamedTuple):
    entry: pb.Entry
    kind: str
    event: Any
    before: Situation

    def __str__(self) -> str:
        return f"event {self.before.seq + 1}, {self.kind}"


class Written(NamedTuple):
    """An entry of the log, and the nodes that have links before and after it."""

    seq: int  # of its first event
    entry: pb.Entry
    before: set[str]
    after: set[str]

    def __str__(self) -> str:
        return f"event {self.seq}, {self.entry.method}"


def walk(history: History) -> Iterator[Place]:
    """Each event in its place; the situation is valid until the next one is asked for."""
    situation = Situation(history.network)
    for entry in history.entries:
        yield from _walk_entry(situation, entry)


def written(history: History) -> Iterator[Written]:
    situation = Situation(history.network)
    for entry in history.entries:
        seq, before = situation.seq + 1, set(situation.links)
        for _ in _walk_entry(situation, entry):
            pass
        yield Written(seq, entry, before, set(situation.links))


def _walk_entry(situation: Situation, entry: pb.Entry) -> Iterator[Place]:
    for event in entry.events:
        kind = event.WhichOneof("kind") or ""
        body = getattr(event, kind)
        yield Place(entry, kind, body, situation)
        situation.seq += 1
        _apply(situation, kind, body)


def _apply(now: Situation, kind: str, event: Any) -> None:
    match kind:
        case "state_changed":
            if event.to_state == pb.CONNECTION_STATE_IDLE:
                now.links.pop(event.node_id, None)
                now.idle_since[event.node_id] = now.seq
            else:
                now.links[event.node_id] = (event.to_state, event.link_id)
        case "address_bound":
            now.held[event.node_id] = event.address
        case "address_released":
            now.held.pop(event.node_id, None)
        case "node_registered":
            now.nodes.add(event.node_id)
        case "unregistered":
            now.nodes.discard(event.node_id)
            now.left.add(event.node_id)
        case "token_issued":
            now.tokens[event.token_id] = event.expires_at_ms
        case "token_expired":
            now.tokens.pop(event.token_id, None)
        case "replica_started":
            now.network = event.network_address
