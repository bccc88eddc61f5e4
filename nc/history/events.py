"""A log as a history: its events in order, each as `Recorded`, and the places between them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from eventlog import LogReader
from nc.domain.codec.records import Recorded, events_of
from nc.domain.events import Event

Progress = Callable[[int], None]  # called with the sequence numbers that were reached


def no_progress(_seq: int) -> None:
    """Default progress callback: does nothing."""


class Point(NamedTuple):
    """A place in a history: after an event, at a moment, or, if both are None, its end."""

    seq: int | None = None
    at_ns: int | None = None  # Unix time in ns


class Ids(NamedTuple):
    nodes: frozenset[str]
    tokens: frozenset[str]
    names: Mapping[str, str] = MappingProxyType({})  # the last node that had each name
    holders: Mapping[str, str] = MappingProxyType({})  # the last node that held each address
    invitations: frozenset[str] = frozenset()


def history(
    reader: LogReader, after: int = 0, progress: Progress = no_progress
) -> Iterator[Recorded]:
    """Every event after a sequence number."""
    for record in reader.read(after):
        progress(record.last_seq)
        yield from (recorded for recorded in events_of(record) if recorded.seq > after)


def field_of(event: Event, name: str) -> str:
    """A field of an event's body by its name, "" for one that this kind does not have."""
    kind = event.WhichOneof("kind")
    return "" if kind is None else str(getattr(getattr(event, kind), name, ""))


def ids_in(events: Iterable[Recorded]) -> Ids:
    nodes, tokens, names, holders, invitations = set(), set(), {}, {}, set()
    for recorded in events:
        node_id = field_of(recorded.event, "node_id")
        nodes.add(node_id)
        tokens.add(field_of(recorded.event, "token_id"))
        invitations.add(field_of(recorded.event, "invitation_id"))
        if node_id and (name := field_of(recorded.event, "name")):
            names[name] = node_id
        if node_id and (address := field_of(recorded.event, "address")):
            holders[address] = node_id
    known = (frozenset(ids - {""}) for ids in (nodes, tokens, invitations))
    of_nodes, of_tokens, of_invitations = known
    return Ids(of_nodes, of_tokens, names, holders, of_invitations)


def seq_of(events: Iterable[Recorded], point: Point) -> int:
    """The last event at or before a place; a history that is shorter ends before `point.seq`.

    For a moment that is the last event recorded at or before it, also if a clock once was wrong.
    """
    last = 0
    for recorded in events:
        if point.at_ns is None:
            last = recorded.seq
            if last == point.seq:
                break
        elif recorded.entry.recorded_at_ns <= point.at_ns:
            last = recorded.seq
    return min(last, last if point.seq is None else point.seq)
