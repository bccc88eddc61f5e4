"""When a replica takes a snapshot, how it does so while it serves, and how it starts from one.

States are immutable, so a snapshot of one can be made while the next ones come about: part by part
on the event loop, with pauses, since a thread would hold the interpreter for longer than a part
takes. Only writing and syncing the file is done off the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from eventlog.api import LogPosition, SnapshotStore, SnapshotWriter
from eventlog.errors import SnapshotFailed
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, decode, encode
from nc.domain.state import State

T = TypeVar("T")

# A snapshot is due when the events since the last one are this many: a start replays them in about
# half a second. With more in the state than that, when they are a quarter of it, so that what is
# written for snapshots stays in proportion to what happens.
SNAPSHOT_TAIL_EVENTS: Final = 100_000
_SNAPSHOT_TAIL_SHARE: Final = 4

# Between two parts the loop is left alone for longer than a part takes.
_PAUSE_S: Final = 0.002

# Handed to the disk at once.
_WRITE_BYTES: Final = 256 * 1024


class RunBlocking(Protocol):
    """Runs a blocking call while the event loop goes on; a simulation runs it in place."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """What the function returns."""


class Snapshots:
    """The snapshots of one replica.

    Args:
        store: where they are kept.
        run_blocking: runs what blocks for the disk.

    Attributes:
        tail_events: how many events a start may have to replay; a simulation wants fewer.
    """

    def __init__(self, store: SnapshotStore, run_blocking: RunBlocking) -> None:
        self._store = store
        self._off_loop = run_blocking
        self.tail_events = SNAPSHOT_TAIL_EVENTS
        self._last_seq = 0  # up to which the newest one goes
        self._taking: asyncio.Task[None] | None = None
        self.failed = asyncio.Event()  # set when one could not be written
        self.failure: SnapshotFailed | None = None  # why

    def load(self) -> State:
        """The state of the newest good snapshot; the one before everything if there is none.

        Blocks. What is passed over is in the store's warnings.
        """
        for snapshot in self._store.newest_first(SNAPSHOT_SCHEMA):
            try:
                state = decode(snapshot.payload)
            except ValueError as error:
                self._warn(snapshot.position, f"{error}")
                continue
            if state.seq != snapshot.position.last_seq:
                self._warn(snapshot.position, f"a state as of event {state.seq}")
                continue
            self._last_seq = state.seq
            return state
        return State()

    def _warn(self, position: LogPosition, found: str) -> None:
        self._store.warnings.append(f"snapshot {position.last_seq}: {found}; it is passed over")

    def is_due(self, state: State) -> bool:
        """Whether it is time for one, and none is being taken."""
        if self._taking is not None and not self._taking.done():
            return False
        size = len(state.nodes) + len(state.tokens) + len(state.presence)
        tail_events = max(self.tail_events, size // _SNAPSHOT_TAIL_SHARE)
        return state.seq - self._last_seq >= tail_events

    def begin(self, state: State, position: LogPosition) -> None:
        """Take one in the background, of the state at that position in the log."""
        self._last_seq = state.seq  # should it fail, the next one is due as long after it
        self._taking = asyncio.create_task(self._take(state, position, _PAUSE_S), name="snapshot")

    async def stop(self) -> None:
        """Give up the one that is being taken."""
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)

    async def take_last(self, state: State, position: LogPosition) -> None:
        """Take one without pauses, unless nothing has happened since the last one."""
        await self.stop()
        if state.seq > self._last_seq:
            await self._take(state, position, 0)

    async def _take(self, state: State, position: LogPosition, pause_s: float) -> None:
        try:
            writer = await self._off_loop(lambda: self._store.begin(position, SNAPSHOT_SCHEMA))
            try:
                await self._write(writer, state, pause_s)
            finally:
                writer.give_up()
            self._last_seq = max(self._last_seq, state.seq)
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
                await self._off_loop(lambda data=data: writer.write(data))  # type: ignore[misc]
            await asyncio.sleep(pause_s)
        await self._off_loop(lambda: writer.write(b"".join(gathered)))
        await self._off_loop(writer.finish)
