"""Following a log: read to its end, sleep until the next append, continue.

A follower is pulled by its consumer and keeps nothing but its position and the records of one read,
so a slow consumer costs no memory, and the log never waits for it. It is registered only while it
sleeps, and checks for records once more after registering: it misses no append, and a consumer
that stops leaves nothing behind.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from eventlog.api import NextRecords, Record
from eventlog.errors import FollowerBehind, LogRewound

FOLLOW_SLICE: Final = 256  # records that a follower yields before its event loop runs others


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


def check_reached(log: Path | str, after: int, last_seq: int) -> None:
    """Check that a log has the event that a follower continues after.

    Raises:
        LogRewound: it ends before.
    """
    if after > last_seq:
        reason = f"it ends at sequence number {last_seq}, and event {after} is not in it"
        raise LogRewound(log, reason)


async def follow(
    log: Path | str,
    next_records: NextRecords,
    last_seq: Callable[[], int],
    followers: Followers,
    after: int,
    max_behind: int | None,
) -> AsyncIterator[Record]:
    """Yield the records behind event `after`, until the log is closed; see `EventLog.follow`.

    Args:
        log: its name, for errors.
        next_records: what `EventLog.reading` gives.
        last_seq: the sequence number of the last event that it may give.
        followers: woken after `last_seq` has changed; once they are closed, it ends there.
        after: a sequence number.
        max_behind: see `EventLog.follow`.
    """
    check_reached(log, after, last_seq())
    was_at_end = False
    while True:
        end = last_seq()
        if was_at_end and max_behind is not None and end - after > max_behind:
            raise FollowerBehind(after, end)
        for record in next_records(after, end):
            yield record
            after = record.last_seq
        if last_seq() > after:
            await asyncio.sleep(0)  # a long history does not block the loop
        elif followers.closed:
            return
        else:
            was_at_end = True
            await followers.sleep_unless(lambda: last_seq() > after)  # noqa: B023 - awaited here
