"""A log that loses its majority, as one on several machines does: appends are open then."""

from eventlog import EventLog
from eventlog.api import Limits, LogPosition
from eventlog.errors import LogBusy, LogRewound, SequenceConflict
from eventlog.offloop import RunBlocking
from nc.clock import Clock
from nc.replica.local_log import LocalLog, in_thread

_NAME = "nats://trial"


class HesitantLog(LocalLog):
    """A `LocalLog` whose majority is there or not.

    Attributes:
        has_majority: while it has none, an append's outcome is open.
        arrives: whether what is open will be found in the log.
        has_rewound: nothing can be appended any more.
    """

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        *,
        run_blocking: RunBlocking = in_thread,
        payload_bytes: int | None = None,
    ) -> None:
        super().__init__(log, clock, run_blocking=run_blocking)
        if payload_bytes is not None:
            self.limits = Limits(payload_bytes)
        self.has_majority = True
        self.arrives = False
        self.has_rewound = False
        self._open: tuple[bytes, int, int] | None = None

    async def append(
        self, payload: bytes, count: int, expected: int, *, may_block: bool = False
    ) -> int:
        assert len(payload) <= self.limits.payload_bytes
        await self._settle()
        if expected != self.last_seq:
            raise SequenceConflict(expected, self.last_seq)
        if not self.has_majority:
            self._open = (payload, count, expected)
            raise LogBusy(_NAME, "no answer")
        return await super().append(payload, count, expected, may_block=may_block)

    async def write_sync_marker(self) -> LogPosition:
        await self._settle()
        if not self.has_majority:
            raise LogBusy(_NAME, "no answer")
        return await super().write_sync_marker()

    async def probe_space(self) -> None:
        await self._settle()
        if not self.has_majority:
            raise LogBusy(_NAME, "no answer")

    async def _settle(self) -> None:
        """Find out what became of the append that is open."""
        if self.has_rewound:
            raise LogRewound(_NAME, "it ends at message 1")
        if self._open is not None:
            if not self.has_majority:
                raise LogBusy(_NAME, "no answer")
            (payload, count, expected), self._open = self._open, None
            if self.arrives:
                await super().append(payload, count, expected)
