"""Snapshots of the state: when one is due, how it is written and loaded.

States are immutable, so a snapshot can be encoded while later commands are served: part by part on
the event loop, with pauses, since a thread would hold the interpreter for longer than a part takes.
Only writing and syncing the file runs off the loop.
"""

import asyncio
from typing import Final

from eventlog.api import LogPosition, SnapshotStore, SnapshotWriter
from eventlog.errors import SnapshotFailed
from eventlog.offloop import RunBlocking
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, decode, encode
from nc.domain.state import State

# A snapshot is due after max(100,000, a quarter of the entries) events: a start replays 100,000 in
# about half a second, and the share keeps the snapshots' bytes in proportion to the events.
SNAPSHOT_TAIL_EVENTS: Final = 100_000
_SNAPSHOT_TAIL_SHARE: Final = 4

# The pause between two parts is longer than a part takes.
_PAUSE_S: Final = 0.002

# Written to the disk at once.
_WRITE_BYTES: Final = 256 * 1024


class Snapshots:
    """The snapshots of one replica.

    Args:
        store: of the log.
        run_blocking: runs what blocks for the disk.

    Attributes:
        tail_events: how many events a start may have to replay; a simulation sets fewer.
        failed: set when a snapshot could not be written.
        failure: why; None once one was written again.
        written_seq: the event that the newest one was taken after; 0 without one.
    """

    def __init__(self, store: SnapshotStore, run_blocking: RunBlocking) -> None:
        self._store = store
        self._run_blocking = run_blocking
        self.tail_events = SNAPSHOT_TAIL_EVENTS
        self._last_seq = 0  # of the newest snapshot, also of one that is being taken
        self.written_seq = 0
        self._taking: asyncio.Task[None] | None = None
        self.failed = asyncio.Event()
        self.failure: SnapshotFailed | None = None

    def load(self) -> State:
        """The state of the newest good snapshot; the empty state if there is none.

        Blocks. The store's warnings name those that were skipped.
        """
        for snapshot in self._store.newest_first(SNAPSHOT_SCHEMA):
            seq = snapshot.position.last_seq
            try:
                state = decode(snapshot.payload, seq)
            except ValueError as error:
                self._store.warnings.append(f"snapshot {seq}: {error}; it is passed over")
                continue
            self._last_seq = self.written_seq = seq
            return state
        return State()

    def is_due(self, state: State) -> bool:
        """Whether a snapshot is due, and none is being taken."""
        if self._taking is not None and not self._taking.done():
            return False
        events = state.seq - self._last_seq
        if events < self.tail_events:  # nearly always: this is asked after each commit
            return False
        size = sum(map(len, (state.nodes, state.tokens, state.links, state.unregistered)))
        return events >= size // _SNAPSHOT_TAIL_SHARE

    def begin(self, state: State, position: LogPosition) -> None:
        """Take a snapshot in the background, of the state at that place in the log."""
        self._last_seq = state.seq  # if this one fails, the next is due as many events later
        self._taking = asyncio.create_task(self._take(state, position, _PAUSE_S), name="snapshot")

    async def stop(self) -> None:
        """Abandon the snapshot that is being taken."""
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)

    async def take_last(self, state: State, position: LogPosition) -> None:
        """Take a snapshot without pauses, unless the newest one has this state."""
        await self.stop()
        if state.seq > self._last_seq:
            await self._take(state, position, 0)

    async def _take(self, state: State, position: LogPosition, pause_s: float) -> None:
        try:
            writer = await self._run_blocking(lambda: self._store.begin(position, SNAPSHOT_SCHEMA))
            try:
                await self._write(writer, state, pause_s)
            finally:
                writer.give_up()
            self._last_seq = max(self._last_seq, state.seq)
            self.written_seq = state.seq
            self.failure = None
        except SnapshotFailed as error:
            self.failure = error
            self.failed.set()

    async def _write(self, writer: SnapshotWriter, state: State, pause_s: float) -> None:
        gathered: list[bytes] = []
        size_bytes = 0
        for part in encode(state):
            gathered.append(part)
            size_bytes += len(part)
            if size_bytes >= _WRITE_BYTES:
                data = b"".join(gathered)
                gathered, size_bytes = [], 0
                await self._run_blocking(lambda data=data: writer.write(data))  # type: ignore[misc]
            await asyncio.sleep(pause_s)
        await self._run_blocking(lambda: writer.write(b"".join(gathered)))
        await self._run_blocking(writer.finish)
