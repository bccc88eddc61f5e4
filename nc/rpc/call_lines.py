"""The log lines of calls: taken as tuples where calls end, made and written by the dozen."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.rpc.api import Call


def milliseconds(duration_ns: int) -> float:
    """To the microsecond; `round` to three digits would take as long as the rest of a line."""
    return round(duration_ns / 1000) / 1000


class CallLine(NamedTuple):
    """What is logged of one call.

    Attributes:
        at_ns: when it ended, Unix time.
        message: of a refusal.
        denied_so_far: of a call that was refused with PERMISSION_DENIED.
        node: what the node that called is called; "" for another caller.
    """

    at_ns: int
    call: Call
    code: str
    duration_ns: int
    message: str = ""
    denied_so_far: int = 0
    node: str = ""

    def fields(self) -> dict[str, object]:
        more: dict[str, object] = {"message": self.message} if self.message else {}
        if self.denied_so_far:
            more["denied_so_far"] = self.denied_so_far
        if self.node:
            more["node"] = self.node
        target = self.call.target
        if isinstance(target, int):
            more["targets"] = target
        elif target is not None:
            more["target_id"], name = target
            if name:
                more["target"] = name
        return {
            "method": self.call.method,
            "code": self.code,
            "duration_ms": milliseconds(self.duration_ns),
            "actor": self.call.caller.actor,
            "request_id": self.call.request_id,
            **more,
        }


LogCalls = Callable[[Sequence[CallLine]], None]


def log_one_by_one(log: FilteringBoundLogger, lines: Sequence[CallLine]) -> None:
    for line in lines:
        log.info(log_events.RPC, **line.fields())


class CallLines:
    """Lines that wait to be written.

    Attributes:
        write_soon: called when lines begin to wait; by default they are written at once.
    """

    def __init__(self, log_calls: LogCalls) -> None:
        self._log_calls = log_calls
        self._waiting: list[CallLine] = []
        self.write_soon: Callable[[], None] = self.write

    def add(self, line: CallLine) -> None:
        self._waiting.append(line)
        if len(self._waiting) == 1:
            self.write_soon()

    def write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._log_calls(waiting)
