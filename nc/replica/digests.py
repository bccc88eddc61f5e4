"""When a replica records what its state amounts to, and how it finds that out while it serves.

A digest in the log is a promise that later versions are held to: `log replay --check` folds the
events once more and has to come to the same. As with snapshots, states are immutable, so one can be
digested while the next ones come about: part by part on the event loop, with pauses. What is
recorded is an event like any other, some events after the one that it is about.
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
from nc.replica.errors import DiskFull, Stopping, Unwritable

# A digest is due when the events since the one that the last is of are this many: an event in 256
# is next to nothing in the log, and where versions differ, the fault is among as few. With more in
# the state than that, when they are four fifths of the entries in it: digests cost an event no more
# than 1.25 entries take (some 3 µs), however large the cluster is. As many events as entries would
# be too many to wait for: a cluster that only grows adds an entry with each event.
DIGEST_EVENTS: Final = 256
_EVENTS_PER_ENTRY: Final = 0.8

# Between two parts the loop is left alone for longer than a part takes.
_PAUSE_S: Final = 0.002


class Submit(Protocol):
    """Makes a command durable, as `Replica.submit` does."""

    def __call__(
        self, command: RecordDigest, origin: Origin, *, is_ours: bool
    ) -> Awaitable[list[Event]]:
        """The events that it led to."""


class Digests:
    """The digests that one replica records.

    Args:
        submit: through which they become events.

    Attributes:
        interval_events: how many events lie between two at least; a simulation wants fewer.
    """

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self.interval_events = DIGEST_EVENTS
        self._recording: asyncio.Task[None] | None = None

    def is_due(self, state: State) -> bool:
        """Whether it is time for one, and none is under way."""
        if self._recording is not None and not self._recording.done():
            return False
        events = max(self.interval_events, count_entries(state) * _EVENTS_PER_ENTRY)
        return state.seq - state.digest_seq >= events

    def begin(self, state: State) -> None:
        """Record that of a state, in the background."""
        self._recording = asyncio.create_task(self._record(state), name="digest")

    async def stop(self) -> None:
        """Give up the one that is under way; the next run of the replica makes up for it."""
        if self._recording is not None:
            self._recording.cancel()
            await asyncio.gather(self._recording, return_exceptions=True)

    async def _record(self, state: State) -> None:
        made = []
        for part in parts(state):
            made.append(part)
            await asyncio.sleep(_PAUSE_S)
        command = RecordDigest(state.seq, joined(made).hex())
        origin = Origin("system", "digest", f"digest-{state.seq}")
        with suppress(DiskFull, Stopping, Unwritable):  # it was reported when it happened
            await self._submit(command, origin, is_ours=True)
