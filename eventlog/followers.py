"""Following a log: read to its end, sleep until the next append, continue.

A follower is registered only while it sleeps, and checks for records once more after registering:
it misses no append, and a consumer that stops leaves nothing behind.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

from eventlog.api import Record

__all__ = ["Followers", "follow"]


class _Sleeper:
    """One sleeping follower on its event loop."""

    __slots__ = ("_event", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    async def sleep(self) -> None:
        await self._event.wait()

    def wake(self) -> None:
        """Wake the follower, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # its loop is closed
            return


class Followers:
    """The sleeping followers of one log, on any event loops."""

    __slots__ = ("_lock", "_sleepers", "closed")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sleepers: set[_Sleeper] = set()
        self.closed = False  # once true, followers end when they have read what is there

    def __len__(self) -> int:
        return len(self._sleepers)

    def wake(self) -> None:
        """Wake all; called by the appending thread, after the new end is visible."""
        if not self._sleepers:  # a follower that registers right now checks once more after that
            return
        with self._lock:
            woken, self._sleepers = self._sleepers, set()
        for sleeper in woken:
            sleeper.wake()

    def close(self) -> None:
        """End all followers, after they have read everything."""
        self.closed = True
        self.wake()

    def _register(self) -> _Sleeper:
        sleeper = _Sleeper()
        with self._lock:
            self._sleepers.add(sleeper)
        return sleeper

    def _forget(self, sleeper: _Sleeper) -> None:
        with self._lock:
            self._sleepers.discard(sleeper)

    async def sleep_unless(self, something_new: Callable[[], bool]) -> None:
        """Sleep until the next `wake`, unless there is a new record already."""
        sleeper = self._register()
        try:
            if not (something_new() or self.closed):
                await sleeper.sleep()
        finally:
            self._forget(sleeper)


async def follow(
    next_records: Callable[[], Sequence[Record]],
    something_new: Callable[[], bool],
    followers: Followers,
) -> AsyncIterator[Record]:
    """Yield the records of `next_records`, until the log is closed.

    Args:
        next_records: a bounded number of the next records; empty if there are none yet.
        something_new: whether `next_records` would give more.
        followers: of the log.
    """
    while True:
        records = next_records()
        for record in records:
            yield record
        if something_new():
            await asyncio.sleep(0)  # a long history does not block the loop
        elif followers.closed:
            return
        else:
            await followers.sleep_unless(something_new)
