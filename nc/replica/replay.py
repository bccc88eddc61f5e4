"""Replay: what a log amounts to, from the state as of one of its events."""

from itertools import chain

from eventlog.api import EventLog
from nc.domain.events import Batch
from nc.domain.evolve import evolve
from nc.domain.state import State


def replay(log: EventLog, state: State) -> State:
    """The state with everything folded in that the log holds beyond it. Blocks while it reads.

    Raises:
        LogDamaged, LogUnavailable: the log cannot be read.
        UnknownEvent: a newer version wrote it.
    """
    batches = (Batch.FromString(record.payload) for record in log.read(state.seq))
    entries = chain.from_iterable(batch.entries for batch in batches)
    return evolve(state, chain.from_iterable(entry.events for entry in entries))
