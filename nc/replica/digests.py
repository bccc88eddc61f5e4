"""Digests of the state: when one is due, and how it is computed while the replica serves.

`log replay --check` folds the events again and compares with each recorded digest, so that a later
version whose folds differ is found. States are immutable: a digest is computed part by part on the
event loop, with pauses, and recorded as an event some events after the one that it is about.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, Protocol

from nc.domain.codec.digest import count_entries, joined, parts
from nc.domain.events import Event
from nc.domain.replicas import RecordDigest
from nc.domain.state import State
from nc.replica.batch import Origin
from nc.replica.errors import NotLeading, OutcomeOpen, Stopping, Unwritable, WriteRefused

# A digest is due after max(256, 0.8 entries) events; that bounds the cost at 1.25 entries an event
# (some 3 µs), however large the cluster is. A factor of 1 would be too large: a cluster that only
# grows adds an entry with each event.
DIGEST_EVENTS: Final = 256
_EVENTS_PER_ENTRY: Final = 0.8

# The pause between two parts is longer than a part takes.
_PAUSE_S: Final = 0.002


class Submit(Protocol):
    """`Replica.submit`."""

    def __call__(
        self, command: RecordDigest, origin: Origin, *, internal: bool
    ) -> Awaitable[list[Event]]: ...


class Digests:
    """The digests that one replica records.

    Args:
        submit: makes a command durable.

    Attributes:
        interval_events: the least number of events between two; a simulation sets fewer.
    """

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self.interval_events = DIGEST_EVENTS
        self.recording: asyncio.Task[None] | None = None

    def is_due(self, state: State) -> bool:
        """Whether a digest is due, and none is being computed."""
        if self.recording is not None and not self.recording.done():
            return False
        events = state.seq - state.digest_seq
        if events < self.interval_events:  # nearly always: this is asked after each commit
            return False
        return events >= count_entries(state) * _EVENTS_PER_ENTRY

    def begin(self, state: State) -> None:
        """Compute and record the digest of a state, in the background."""
        self.recording = asyncio.create_task(self._record(state), name="digest")

    async def stop(self) -> None:
        """Abandon the digest that is being computed; the next start of the replica computes one."""
        if self.recording is not None:
            self.recording.cancel()
            await asyncio.gather(self.recording, return_exceptions=True)

    async def _record(self, state: State) -> None:
        summands = []
        for part in parts(state):
            summands.append(part)
            await asyncio.sleep(_PAUSE_S)
        command = RecordDigest(state.seq, joined(summands).hex())
        origin = Origin("system", "digest", f"digest-{state.seq}")
        # the replica reports it; of several, another may have been elected, which records its own
        with suppress(WriteRefused, OutcomeOpen, Stopping, Unwritable, NotLeading):
            await self._submit(command, origin, internal=True)
