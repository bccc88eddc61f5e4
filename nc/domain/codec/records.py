"""A log record's payload → its entries and events. Everything that reads a log decodes it here.

A payload is a `Batch` of `proto/nc/pb/events.proto`, with as many events as its record says.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Protocol

from google.protobuf.message import DecodeError

from nc.domain.events import Batch, Entry, Event
from nc.domain.invariants import InconsistentHistory


class _Record(Protocol):
    """The part of an `eventlog.Record` that decoding needs."""

    @property
    def first_seq(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


class Recorded(NamedTuple):
    """One event, its sequence number, and the entry that it was recorded with."""

    seq: int
    entry: Entry
    event: Event


def entries_of(record: _Record) -> Sequence[Entry]:
    """The entries of one record.

    Raises:
        InconsistentHistory: no version wrote these bytes.
    """
    return _decode(record)[0]


def entries_in(records: Iterable[_Record]) -> Iterator[Entry]:
    """The entries of these records, in order. Raises as `entries_of`."""
    return chain.from_iterable(map(entries_of, records))


def events_in(records: Iterable[_Record]) -> Iterator[Event]:
    """The events of these records, in order. Raises as `entries_of`."""
    return chain.from_iterable(chain.from_iterable(events for _, events in map(_decode, records)))


def events_of(record: _Record) -> Iterator[Recorded]:
    """The events of one record with their sequence numbers and entries. Raises as `entries_of`."""
    seq = record.first_seq
    for entry, events in zip(*_decode(record), strict=True):
        for event in events:
            yield Recorded(seq, entry, event)
            seq += 1


def _decode(record: _Record) -> tuple[Sequence[Entry], Sequence[Sequence[Event]]]:
    """The entries, and the events of each, since to look up a repeated field twice is slow."""
    try:
        entries = Batch.FromString(record.payload).entries
    except DecodeError:
        raise InconsistentHistory(record.first_seq, "a payload that is no Batch", "one") from None
    events = [entry.events for entry in entries]
    count = sum(map(len, events))
    if count != record.count:
        found = f"{count} events in its record"
        raise InconsistentHistory(record.first_seq, found, f"{record.count}")
    if not all(events):
        raise InconsistentHistory(record.first_seq, "an entry without events", "at least one")
    return entries, events
