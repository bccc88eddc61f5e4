"""Sets up the log lines: JSON for machines, colours for a terminal; stderr, or a file."""

import asyncio
import atexit
import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from nc import log_events
from nc.cli.log_file import LogFile
from nc.clock import Clock, SystemClock
from nc.text import iso_time, printable

if TYPE_CHECKING:
    from nc.rpc.api import Target
    from nc.rpc.call_lines import CallLine  # agents log no calls, and need no gRPC for it

# How long a line is buffered: each call is logged, and lines rendered and written in batches cost a
# busy server less than half.
FLUSH_S = 0.005

# json.dumps would make a new encoder for each line, because of `default`.
_JSON = json.JSONEncoder(default=repr)

Render = Callable[[str, EventDict], str]  # level and fields to a line


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class _Lines:
    """The logger at the end of structlog's chain: cheap to call, and never raises.

    Lines are rendered and written in batches, a few milliseconds later; at once where no loop runs.
    A full disk or a closed pipe loses lines; the server continues, and the event log is complete.
    """

    def __init__(self, stream: Stream, render: Render, clock: Clock) -> None:
        self._stream = stream
        self._render = render
        self._clock = clock
        self._waiting: list[tuple[int, str, EventDict]] = []  # Unix ns, level, fields
        self._writing = threading.Lock()  # calls are logged in a thread of their own
        atexit.register(self.write_out)

    def msg(self, level: str, fields: EventDict) -> None:
        self._waiting.append((self._clock.now_ns(), level, fields))
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_later(FLUSH_S, self.write_out)
            except RuntimeError:
                self.write_out()

    debug = info = warning = error = critical = msg

    def reopen(self) -> None:
        self.write_out()
        if isinstance(self._stream, LogFile):
            self._stream.reopen()

    def write_out(self) -> None:
        waiting, self._waiting = self._waiting, []
        lines = []
        for at_ns, level, fields in waiting:
            fields["level"] = level
            fields["timestamp"] = iso_time(at_ns)
            lines.append(self._render(level, fields))
        self._write(lines)

    def write_calls(self, calls: "Sequence[CallLine]") -> None:
        if self._render is _as_json:
            self._write(_calls_as_json(calls))
            return
        for call in calls:
            fields = {**call.fields(), "event": log_events.RPC}
            self._waiting.append((call.at_ns, "info", fields))
        self.write_out()

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        lines.append("")
        # ValueError: the stream is closed
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._stream.write("\n".join(lines))
            self._stream.flush()


def configure(*, debug: bool = False, log_dir: Path | None = None) -> FilteringBoundLogger:
    """Set up structlog, and return the logger.

    Args:
        debug: log debug lines too.
        log_dir: write to a file in there instead of stderr.

    Raises:
        DataFolderError: the file cannot be written.
    """
    stream: Stream = sys.stderr if log_dir is None else LogFile(log_dir)
    render: Render = _as_json
    if stream.isatty():
        # Never with the values of local variables: tokens and keys are among them.
        plain = structlog.dev.plain_traceback
        colours = structlog.dev.ConsoleRenderer(exception_formatter=plain)
        render = partial(_in_colours, colours)
    lines = _Lines(stream, render, SystemClock())
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _hand_over],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if debug else logging.INFO
        ),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    # bound, since the proxy that get_logger gives finds its settings anew with each line
    logger: FilteringBoundLogger = structlog.get_logger().bind()
    return logger


def flush() -> None:
    """Write the buffered lines, so that what is printed next comes after them."""
    lines = structlog.get_config()["logger_factory"]()
    if isinstance(lines, _Lines):
        lines.write_out()


def log_calls(calls: "Sequence[CallLine]") -> None:
    """Write the lines of calls, in any thread; cheaper than through the logger."""
    lines = structlog.get_config()["logger_factory"]()
    lines.write_calls(calls)


def _calls_as_json(calls: "Sequence[CallLine]") -> list[str]:
    """The same lines as `_as_json` makes, at a quarter of the cost."""
    lines = []
    made_ms, timestamp = -1, ""
    for at_ns, call, code, duration_ns, message, denied_so_far, node in calls:
        # As `nc.rpc.call_lines.milliseconds`, without a function for each line.
        duration_ms = round(duration_ns / 1000) / 1000
        if (at_ms := at_ns // 1_000_000) != made_ms:
            made_ms, timestamp = at_ms, iso_time(at_ns)
        more = f'"message": {_quoted(message)}, ' if message else ""
        if denied_so_far:
            more += f'"denied_so_far": {denied_so_far}, '
        if node:
            more += f'"node": {_quoted(node)}, '
        if call.target is not None:
            more += _target_as_json(call.target)
        lines.append(
            f'{{"method": "{call.method}", "code": "{code}", '
            f'"duration_ms": {duration_ms}, '
            f'"actor": {_quoted(call.caller.actor)}, "request_id": {_quoted(call.request_id)}, '
            f'{more}"event": "{log_events.RPC}", "level": "info", "timestamp": "{timestamp}"}}'
        )
    return lines


def _target_as_json(target: "Target") -> str:
    if isinstance(target, int):
        return f'"targets": {target}, '
    node_id, name = target
    named = f'"target": {_quoted(name)}, ' if name else ""
    return f'"target_id": "{node_id}", {named}'


def reopen() -> None:
    """Open the log file again, where there is one: logrotate has moved it."""
    lines = structlog.get_config()["logger_factory"]()
    if isinstance(lines, _Lines):
        lines.reopen()


def _hand_over(
    _logger: object, level: str, fields: EventDict
) -> tuple[tuple[str, EventDict], dict[str, object]]:
    return (level, fields), {}


def _as_json(_level: str, fields: EventDict) -> str:
    return _JSON.encode(fields)


def _in_colours(colours: structlog.dev.ConsoleRenderer, level: str, fields: EventDict) -> str:
    cleaned = {
        name: printable(value) if isinstance(value, str) and name != "exception" else value
        for name, value in fields.items()
    }
    return str(colours(None, level, cleaned))
