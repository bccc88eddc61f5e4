"""Replay: what a log amounts to, from the state as of one of its events."""

from itertools import chain

from eventlog.api import EventLog
from nc.domain.events import Batch, Event
from nc.domain.state import State
from nc.projections import evolve

# Events folded at once: bounds the memory that a replay needs.
_CHUNK_EVENTS = 20_000


def replay(log: EventLog, state: State) -> State:
    """The state with everything folded in that the log holds beyond it. Blocks while it reads.

    Raises:
        LogDamaged, LogUnavailable: the log cannot be read.
        UnknownEvent: a newer version wrote it.
    """
    chunk: list[Event] = []
    for record in log.read(state.seq):
        chunk.extend(
            chain.from_iterable(e.events for e in Batch.FromString(record.payload).entries)
        )
        if len(chunk) >= _CHUNK_EVENTS:
            state = evolve(state, chunk)
            chunk = []
    return evolve(state, chunk)
