"""The log lines of calls: taken as tuples in the queue's thread, made by the dozen on the loop."""

from collections.abc import Callable
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.rpc.api import Call


class CallLine(NamedTuple):
    """What is logged of one call."""

    call: Call
    code: str
    duration_ns: int
    message: str = ""  # of a refusal
    denied_so_far: int = 0  # of a call that was refused with PERMISSION_DENIED


class CallLines:
    """Log lines that wait to be written.

    Attributes:
        write_later: called with `write` when lines begin to wait; by default they never do.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._waiting: list[CallLine] = []
        self.write_later: Callable[[Callable[[], None]], None] = lambda write: write()

    def add(self, line: CallLine) -> None:
        """Take a line, in any thread."""
        self._waiting.append(line)
        if len(self._waiting) == 1:
            self.write_later(self.write)

    def write(self) -> None:
        """Make and write the lines that wait; on the event loop."""
        waiting, self._waiting = self._waiting, []
        for call, code, duration_ns, message, denied_so_far in waiting:
            more: dict[str, object] = {"message": message} if message else {}
            if denied_so_far:
                more["denied_so_far"] = denied_so_far
            self._log.info(
                log_events.RPC,
                method=call.method,
                code=code,
                duration_ms=round(duration_ns / 1e6, 3),
                actor=call.caller.actor,
                request_id=call.request_id,
                **more,
            )
