"""A history kept by the library `eventsourcing`, as its docs advise: an aggregate a node or token.

Needs what `pip install -c constraints.txt -e '.[bench]'` installs.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.histories import ENTRIES
from nc.domain.events import Entry, Event, pb


class Fact(NamedTuple):
    token_id: str
    expires_at_ms: int
    state: int
    link_id: str
    address: str


class Token(Aggregate):
    @staticmethod
    def create_id(token_id: str) -> UUID:
        """Its id is 32 hex digits already."""
        return UUID(token_id)

    @event("Issued")
    def __init__(self, token_id: str, expires_at_ms: int) -> None:
        self.token_id = token_id
        self.expires_at_ms = expires_at_ms
        self.is_gone = False

    @event("Expired")
    def expire(self) -> None:
        self.is_gone = True


class Node(Aggregate):
    @staticmethod
    def create_id(node_id: str) -> UUID:
        """Its id is 32 hex digits already."""
        return UUID(node_id)

    @event("Registered")
    def __init__(self, node_id: str, token_id: str) -> None:
        self.node_id = node_id
        self.token_id = token_id
        self.expires_at_ms = 0
        self.state: int = pb.CONNECTION_STATE_IDLE
        self.link_id = ""
        self.address = ""
        self.is_gone = False

    @event("StateChanged")
    def change_state(self, state: int, link_id: str) -> None:
        """Its link is where the event says."""
        self.state = state
        self.link_id = "" if state == pb.CONNECTION_STATE_IDLE else link_id

    @event("AddressBound")
    def bind(self, address: str) -> None:
        self.address = address

    @event("AddressReleased")
    def release(self) -> None:
        self.address = ""

    @event("ExpiryChanged")
    def change_expiry(self, expires_at_ms: int) -> None:
        """It expires at another moment."""
        self.expires_at_ms = expires_at_ms

    @event("Unregistered")
    def unregister(self) -> None:
        self.is_gone = True


class Store:
    """A history in an application of the library.

    Args:
        path: of its SQLite database; None: it is kept in memory, as plain objects.
    """

    def __init__(self, path: Path | None) -> None:
        sqlite = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
        self._application: Any = Application(env=sqlite if path else None)
        self._ids: list[UUID] = []

    def write(self, entries: Iterable[Entry]) -> None:
        """Record a history, as many entries in a transaction as the log has in a record."""
        living: dict[str, Any] = {}
        iterator = iter(entries)
        while some := list(islice(iterator, ENTRIES)):
            changed = (self._apply(living, event) for entry in some for event in entry.events)
            self._application.save(*{each.id: each for each in changed if each}.values())

    def _apply(self, living: dict[str, Any], recorded: Event) -> Any:
        """Trigger the event of the aggregate that this one is about."""
        kind = recorded.WhichOneof("kind")
        body = getattr(recorded, str(kind))
        aggregate: Any
        match kind:
            case "token_issued":
                aggregate = living[body.token_id] = Token(body.token_id, body.expires_at_ms)
                self._ids.append(aggregate.id)
            case "token_expired":
                aggregate = living.pop(body.token_id)
                aggregate.expire()
            case "node_registered":
                aggregate = living[body.node_id] = Node(body.node_id, body.token_id)
                self._ids.append(aggregate.id)
            case "state_changed":
                aggregate = living[body.node_id]
                aggregate.change_state(body.to_state, body.link_id)
            case "address_bound":
                aggregate = living[body.node_id]
                aggregate.bind(body.address)
            case "address_released":
                aggregate = living[body.node_id]
                aggregate.release()
            case "expiry_changed":
                aggregate = living[body.node_id]
                aggregate.change_expiry(body.expires_at_ms)
            case "unregistered":
                aggregate = living.pop(body.node_id)
                aggregate.unregister()
            case _:
                return None
        return aggregate

    def by_aggregate(self) -> list[Any]:
        """The aggregates, each asked of the repository; their ids are given."""
        return [self._application.repository.get(aggregate_id) for aggregate_id in self._ids]

    def in_order(self) -> list[Any]:
        """The aggregates, by one pass over all notifications."""
        recorder, mapper = self._application.recorder, self._application.mapper
        aggregates: dict[UUID, Any] = {}
        start = 1
        while some := recorder.select_notifications(start, limit=1000):
            for notification in some:
                happened = mapper.to_domain_event(notification)
                before = aggregates.get(happened.originator_id)
                aggregates[happened.originator_id] = happened.mutate(before)
            start = some[-1].id + 1
        return list(aggregates.values())

    def close(self) -> None:
        self._application.close()


def facts_of_aggregates(aggregates: Iterable[Any]) -> dict[str, Fact]:
    """What is known of every node."""
    nodes = (each for each in aggregates if isinstance(each, Node) and not each.is_gone)
    return {
        n.node_id: Fact(n.token_id, n.expires_at_ms, n.state, n.link_id, n.address) for n in nodes
    }
