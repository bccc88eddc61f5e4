"""Replay: fold what a log holds beyond a state."""

from collections.abc import Callable, Iterable, Sequence

from eventlog.api import ReadableLog
from nc.domain.codec.records import entries_in
from nc.domain.events import Entry, Event
from nc.domain.evolve import evolve_entries
from nc.domain.state import State

Observer = Callable[[Sequence[Event]], None]


def replay(log: ReadableLog, state: State, observer: Observer | None = None) -> State:
    """The state after all events in the log. Blocks while it reads.

    Args:
        log: read once, from the event after `state.seq` on.
        state: of one of its events.
        observer: is given the events that were read, all at once; without one they are not kept.

    Raises:
        LogDamaged, LogUnavailable: the log cannot be read.
        InconsistentHistory: no version wrote the bytes of a record.
        UnknownEvent: a newer version wrote an event.
    """
    entries: Iterable[Entry] = entries_in(log.read(state.seq))
    if observer is None:
        return evolve_entries(state, entries)
    read = list(entries)
    state = evolve_entries(state, read)
    observer([event for entry in read for event in entry.events])
    return state
