"""Sets up the log lines: JSON for machines, colours for a terminal; stderr, or a file."""

import asyncio
import atexit
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from nc.clock import Clock, SystemClock
from nc.data_folder import DataFolderError
from nc.text import iso_time, printable

FILE_NAME = "network-controller.log"


# How long a line is buffered: each call is logged, and lines rendered and written in batches cost a
# busy server less than half.
FLUSH_S = 0.005

# json.dumps would make a new encoder for each line, because of `default`.
_JSON = json.JSONEncoder(default=repr)

Render = Callable[[str, EventDict], str]  # level and fields to a line


class _Lines:
    """The logger at the end of structlog's chain: cheap to call, and never raises.

    Lines are rendered and written in batches, a few milliseconds later; at once where no loop runs.
    A full disk or a closed pipe loses lines: the server goes on, and its event log has the events.
    """

    def __init__(self, stream: TextIO, render: Render, clock: Clock) -> None:
        self._stream = stream
        self._render = render
        self._clock = clock
        self._waiting: list[tuple[int, str, EventDict]] = []  # Unix ns, level, fields
        atexit.register(self.write_out)

    def msg(self, level: str, fields: EventDict) -> None:
        self._waiting.append((self._clock.now_ns(), level, fields))
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_later(FLUSH_S, self.write_out)
            except RuntimeError:
                self.write_out()

    debug = info = warning = error = critical = msg

    def write_out(self) -> None:
        waiting, self._waiting = self._waiting, []
        lines = []
        for at_ns, level, fields in waiting:
            fields["level"] = level
            fields["timestamp"] = iso_time(at_ns)
            lines.append(self._render(level, fields))
        lines.append("")
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
            self._stream.write("\n".join(lines))
            self._stream.flush()


def configure(
    *, debug: bool = False, log_dir: Path | None = None, clock: Clock | None = None
) -> FilteringBoundLogger:
    """Set up structlog, and return the logger.

    Args:
        debug: log debug lines too.
        log_dir: write to a file in there instead of stderr.
        clock: for the lines' times; the system's by default.

    Raises:
        DataFolderError: the file cannot be written.
    """
    stream: TextIO = sys.stderr if log_dir is None else _open(log_dir)
    render: Render = _as_json
    if stream.isatty():
        # Never with the values of local variables: tokens and keys are among them.
        plain = structlog.dev.plain_traceback
        colours = structlog.dev.ConsoleRenderer(exception_formatter=plain)
        render = partial(_in_colours, colours)
    lines = _Lines(stream, render, clock or SystemClock())
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


def _open(log_dir: Path) -> TextIO:
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        return (log_dir / FILE_NAME).open("a", encoding="utf-8")
    except OSError as error:
        raise DataFolderError(
            f"logDir {log_dir} cannot be written: {error.strerror}; choose another"
        ) from error
