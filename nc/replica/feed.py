"""The feed: the events from a sequence number on, history first, then what is committed.

A watcher gets an event only when it is part of the replica's state: whoever asks after that is
answered with a state that has it.
"""

from collections.abc import AsyncIterator

from eventlog.api import ReadableLog
from eventlog.followers import Followers, follow
from nc.domain.codec.records import Recorded, events_of
from nc.replica.replica import Replica


class Feed:
    """Gives the events of one replica to any number of watchers.

    Args:
        log: the replica's.
        replica: may have started, or not.
    """

    def __init__(self, log: ReadableLog, replica: Replica) -> None:
        self._log = log
        self._replica = replica
        self._followers = Followers()
        replica.observe(lambda _: self._followers.wake())

    async def follow(
        self, after: int = 0, *, max_behind: int | None = None
    ) -> AsyncIterator[list[Recorded]]:
        """The events above `after`, in order, each once, until the feed is closed.

        Events come in the groups that became durable together, which are never empty. To resume,
        follow again after the last event that was dealt with. A watcher that takes its time costs
        no memory.

        Args:
            after: a sequence number.
            max_behind: once the watcher has been at the end of the log, the number of events that
                it may be behind it; None: any.

        Raises:
            FollowerBehind: `max_behind` was exceeded; it says where to resume.
            LogRewound: the log ends before event `after`.
            LogDamaged, LogUnavailable: the log cannot be read.
            InconsistentHistory: no version wrote the bytes of a record.
        """
        replica = self._replica
        records = follow(
            "of this server",
            self._log.reading(),
            lambda: replica.state.seq,
            self._followers,
            after,
            max_behind,
        )
        async for record in records:
            if self._followers.closed:
                return
            yield [recorded for recorded in events_of(record) if recorded.seq > after]

    def close(self) -> None:
        """End all watchers, also those that have not read everything. Idempotent."""
        self._followers.close()
