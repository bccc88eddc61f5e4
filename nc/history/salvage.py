"""The events behind a cut that can still be read, by node and token. Not proved to be genuine.

The records that are found there have right checksums, and nothing proves that they belonged to the
log in that place.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from eventlog.api import Record
from eventlog.repair import Remnant
from nc.domain.codec.records import Recorded, events_of
from nc.domain.invariants import InconsistentHistory
from nc.history.events import field_of


class LostEvents(NamedTuple):
    """The lost events that can be read, in order, and by node and token."""

    events: list[Recorded]
    nodes: dict[str, list[Recorded]]  # those about each node
    tokens: dict[str, list[Recorded]]  # and about each bootstrap token


def lost_events(remnants: Iterable[Remnant], last_seq: int) -> LostEvents:
    """The events in remnants of a log that ends with `last_seq` now."""
    found: dict[int, Recorded] = {}
    for remnant in remnants:
        if remnant.payload is not None:
            record = Record(*remnant[:2], 0, 0, b"", remnant.payload)
            with suppress(InconsistentHistory):
                found |= {recorded.seq: recorded for recorded in events_of(record)}
    nodes: dict[str, list[Recorded]] = {}
    tokens: dict[str, list[Recorded]] = {}
    events_found = [found[seq] for seq in sorted(found) if seq > last_seq]
    for recorded in events_found:
        for name, things in (("node_id", nodes), ("token_id", tokens)):
            if thing := field_of(recorded.event, name):
                things.setdefault(thing, []).append(recorded)
    return LostEvents(events_found, nodes, tokens)
