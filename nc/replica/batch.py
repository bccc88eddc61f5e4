"""A batch: queued commands, decided one after the other; their entries become one record.

Pure. Each command is decided on the state that the ones before it lead to; a refusal concerns its
own caller alone.
"""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from eventlog.api import MAX_PAYLOAD_BYTES
from eventlog.errors import RecordTooLarge
from nc.domain.decide import Command, decide
from nc.domain.events import Entry, Event
from nc.domain.evolve import evolve, recorded_ms
from nc.domain.state import State
from nc.replica.errors import NotLeading

# Commands in one record: enough that the disk is never the bottleneck, few enough to block the
# event loop for some ten milliseconds at the most.
MAX_BATCH_COMMANDS = 512

# A record is closed once it holds this much; one command's events may take it beyond.
MAX_BATCH_BYTES = 1024 * 1024

# What an entry takes in a record beside its own bytes.
_FRAME_BYTES = 8


class Origin(NamedTuple):
    """Who asked for a change, and through what; recorded in its entry."""

    actor: str
    method: str
    request_id: str
    session: str = ""  # that leads when it is decided; "": whichever does. Not recorded


class Decided(NamedTuple):
    """A decided batch, valid once its append succeeds."""

    state: State
    entries: list[Entry]
    outcomes: list[list[Event] | Exception]  # one a command, in order


def decide_batch(
    state: State,
    waiting: Iterable[tuple[Command, Origin]],
    recorded_at_ns: int,
    payload_bytes: int = MAX_PAYLOAD_BYTES,
) -> Decided:
    """Decide the first commands of a queue, as many as go into one record.

    Args:
        state: to decide on.
        waiting: the queue.
        recorded_at_ns: the time that the entries get.
        payload_bytes: what a record may hold; a command whose events are more is refused with
            RecordTooLarge.
    """
    size_bytes = 0
    entries: list[Entry] = []
    outcomes: list[list[Event] | Exception] = []
    for command, origin in islice(waiting, MAX_BATCH_COMMANDS):
        try:
            if origin.session and origin.session != state.leader.session:
                raise NotLeading  # noqa: TRY301 - a refusal as any other
            events = decide(state, command)
            entry = _entry(recorded_at_ns, origin, events)
            added_bytes = _size_bytes(entry, payload_bytes - _FRAME_BYTES) + _FRAME_BYTES
            if size_bytes + added_bytes > payload_bytes:
                break  # the next record's
            candidate = evolve(state, events, recorded_ms(entry))
        except Exception as error:  # noqa: BLE001 - a refusal, or a bug that is one caller's
            outcomes.append(error)
            continue
        outcomes.append(events)
        if events:  # nothing can fail from here: state and entries change together
            state = candidate
            entries.append(entry)
            size_bytes += added_bytes
        if size_bytes >= MAX_BATCH_BYTES:
            break
    return Decided(state, entries, outcomes)


def _entry(recorded_at_ns: int, origin: Origin, events: list[Event]) -> Entry:
    return Entry(
        recorded_at_ns=recorded_at_ns,
        actor=origin.actor,
        method=origin.method,
        request_id=origin.request_id,
        events=events,
    )


def _size_bytes(entry: Entry, most_bytes: int) -> int:
    """How many bytes an entry has.

    Raises:
        RecordTooLarge: more than `most_bytes`.
    """
    size_bytes = entry.ByteSize()
    if size_bytes > most_bytes:
        raise RecordTooLarge(size_bytes, most_bytes)
    return size_bytes
