"""What the page shows, as chunks of JSON: all of a history, or what was added since the last one.

A chunk is arrays of numbers, so that 50,000 events are a few megabytes. A position is a number of
events that have happened: 0 is the base, 1 is after the first event.

    start      the position that the chunk begins after
    base       the sequence number of the base; this and what follows up to `known_from` are in the
               first chunk alone
    network    the overlay network as of the base
    states     names of connection states, in the order of their places
    types      names of the types of events that there can be
    tokens     [id, label] of the tokens that the base has
    until_ms   when the history ends; 0: with its last event
    known_from the position from which on it is known how nodes were
    texts      texts that were not there before; other arrays have the place among all
    kinds      [name, names of fields] of kinds of events that were not there before
    statuses   [state, address, expiry in ms, name, labels] that were not there before
    entries    [ms since the entry before, actor, method, request id, …], four an entry
    events     [sequence numbers since the event before, entries since, kind, fields, …]
    nodes      [id, positions since the change before, status from 1 on or 0 for none, …]

The first entry of a chunk has Unix time, and the first change of a node positions since `start`.
"""

from collections.abc import Callable, Iterable
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from nc.domain.codec.records import Recorded
from nc.domain.events import Entry, Event
from nc.domain.fsm import ConnectionState
from nc.history.fields import KIND_NAMES, Field, fields_of
from nc.history.timelines import NodeStatus
from nc.text import moment


class _Table(dict[Any, int]):
    """Distinct values; arrays refer to a value by its place."""

    def __init__(self) -> None:
        self._fresh: list[Any] = []

    def __missing__(self, value: Any) -> int:
        place = self[value] = len(self)
        self._fresh.append(value)
        return place

    def take_fresh(self) -> list[Any]:
        """The values that were not there before, in the order of their places."""
        fresh, self._fresh = self._fresh, []
        return fresh


class ChunkWriter:
    """Takes a history, event by event, and gives it as chunks.

    Args:
        base_seq: the sequence number of the state before the first event.
        network: the overlay network then; "": there was none.
        tokens: id and label of each bootstrap token then.
    """

    def __init__(self, base_seq: int, network: str, tokens: Iterable[tuple[str, str]] = ()) -> None:
        self.last_seq = base_seq
        self._first: dict[str, Any] = {
            "base": base_seq,
            "network": network,
            "states": [state.name for state in ConnectionState],
            "types": list(KIND_NAMES.values()),
            "tokens": [list(token) for token in tokens],
            "until_ms": 0,
            "known_from": 0,
        }
        self._texts, self._kinds, self._statuses = _Table(), _Table(), _Table()
        self._position = self._start = 0
        self._begin()

    def _begin(self) -> None:
        self._start = self._position
        self._entry: Entry | None = None
        self._recorded_at_ms = 0
        self._entries: list[int] = []
        self._events: list[list[int]] = []
        self._nodes: dict[str, list[int]] = {}
        self._changed_at: dict[str, int] = {}

    def note(self, recorded: Recorded) -> None:
        """Add the next event.

        Args:
            recorded: events of one entry have the same object as their entry.
        """
        is_new = self._entry is not recorded.entry
        if is_new:
            entry = self._entry = recorded.entry
            now_ms = entry.recorded_at_ns // 1_000_000
            texts = self._texts
            self._entries += (
                now_ms - self._recorded_at_ms,
                texts[entry.actor],
                texts[entry.method],
                texts[entry.request_id],
            )
            self._recorded_at_ms = now_ms
        kind = recorded.event.WhichOneof("kind") or ""
        columns, texts = _columns(kind), self._texts
        event = [recorded.seq - self.last_seq, int(is_new), self._kinds[columns.titles]]
        if kind:
            body = getattr(recorded.event, kind)
            event += [texts[read(body)] for read in columns.readers]
        self._events.append(event)
        self.last_seq = recorded.seq
        self._position += 1

    def last_until(self, until_ms: int) -> None:
        """The history lasts until then, Unix ms, though there is no more event."""
        self._first["until_ms"] = until_ms

    def know_from_here(self) -> None:
        """How nodes were before is not known: those that there are follow as changes."""
        self._first["known_from"] = self._position

    def change(self, node_id: str, status: NodeStatus | None) -> None:
        """A node has this status from the last event on, or from the base on."""
        steps = self._nodes.get(node_id)
        if steps is None:
            steps = self._nodes[node_id] = [self._texts[node_id]]
        before = self._changed_at.get(node_id, self._start)
        steps += (self._position - before, 0 if status is None else 1 + self._statuses[status])
        self._changed_at[node_id] = self._position

    def chunk(self) -> dict[str, Any]:
        """What was added since the last chunk."""
        written = {
            "start": self._start,
            **self._first,
            "texts": self._texts.take_fresh(),
            "kinds": self._kinds.take_fresh(),
            "statuses": [_shown(status) for status in self._statuses.take_fresh()],
            "entries": self._entries,
            "events": self._events,
            "nodes": list(self._nodes.values()),
        }
        self._first = {}
        self._begin()
        return written


def _shown(status: NodeStatus) -> list[Any]:
    state, address, expires_at_ms, name, labels = status
    shown = ", ".join(f"{key}={value}" if value else key for key, value in labels)
    return [state.name, address, expires_at_ms, name, shown]


class _Columns(NamedTuple):
    titles: tuple[str, tuple[str, ...]]  # of the kind, and of its fields
    readers: tuple[Callable[[Any], str], ...]  # of the fields' texts, from the body


@cache
def _columns(kind: str) -> _Columns:
    if not kind:
        return _Columns(("unknown", ()), ())
    fields = fields_of(Event.DESCRIPTOR.fields_by_name[kind].message_type)
    titles = KIND_NAMES[kind], tuple(field.key for field in fields)
    return _Columns(titles, tuple(map(_reader, fields)))


def _reader(field: Field) -> Callable[[Any], str]:
    name, key, plain, is_optional, is_text = field
    if is_text:
        return attrgetter(name)  # most are: half of the time would be lost otherwise
    if is_optional:
        return lambda body: _text(key, plain(getattr(body, name))) if body.HasField(name) else ""
    return lambda body: _text(key, plain(getattr(body, name)))


def _text(name: str, value: Any) -> str:
    """A field for people; a time stays a number, which the page writes in the reader's zone."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return "; ".join(_certificate(item) for item in value)
    if isinstance(value, dict):
        if "authority" in value:
            return _certificate(value)
        pairs = ((key, text) for key, text in value.items() if text or name != "facts")
        return ", ".join(f"{key}={text}" if text else key for key, text in pairs)
    return str(value)


def _certificate(fields: dict[str, Any]) -> str:
    until = moment(fields["not_after_ms"])
    return f"{fields['authority']} {fields['serial']}, until {until}"
