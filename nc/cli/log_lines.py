"""Sets up the log lines: JSON for machines, colours for a terminal; stderr, or a file."""

import asyncio
import atexit
import contextlib
import json
import logging
import sys
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from nc.data_folder import DataFolderError

FILE_NAME = "network-controller.log"


# Made once: json.dumps would make one for each line, since it is told what to do with odd values.
_JSON = json.JSONEncoder(default=repr)
_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)


class _Sink:
    """A stream for log lines that costs little, and never fails.

    Lines are written together, once a turn of the event loop: a write a line would cost a busy
    server an eighth of its calls. And work goes on when nobody can be told of it: a full disk or a
    closed pipe loses lines; what happened to the cluster is in the event log.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []
        atexit.register(self._write_out)

    def write(self, line: str) -> int:
        """Write with what else is logged in this turn; at once where no loop runs."""
        self._waiting.append(line)
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._write_out)
            except RuntimeError:
                self._write_out()
        return len(line)

    def flush(self) -> None:
        """Nothing: `write` sees to it."""

    def _write_out(self) -> None:
        lines, self._waiting = self._waiting, []
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
            self._stream.write("".join(lines))
            self._stream.flush()


def configure(*, debug: bool = False, log_dir: Path | None = None) -> FilteringBoundLogger:
    """The logger that everything writes to.

    Args:
        debug: also what only matters to whoever looks for a fault.
        log_dir: write to a file in there instead of stderr.

    Raises:
        DataFolderError: the file cannot be written.
    """
    stream: TextIO = sys.stderr if log_dir is None else _open(log_dir)
    processors: list[Any] = [_json_line]
    if stream.isatty():
        # Never with the values of local variables: tokens and keys are among them.
        plain = structlog.dev.plain_traceback
        processors = [
            structlog.processors.add_log_level,
            _STAMP,
            structlog.dev.ConsoleRenderer(exception_formatter=plain),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if debug else logging.INFO
        ),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Sink(stream))),
        cache_logger_on_first_use=True,
    )
    # bound, since the proxy that get_logger gives finds its settings anew with each line
    logger: FilteringBoundLogger = structlog.get_logger().bind()
    return logger


def _json_line(_logger: object, level: str, fields: EventDict) -> str:
    """One line for machines. All in one step: each call is logged, and each step would cost it."""
    fields["level"] = level
    fields = _STAMP(_logger, level, fields)
    if "exc_info" in fields:
        fields = structlog.processors.format_exc_info(_logger, level, fields)
    return _JSON.encode(fields)


def _open(log_dir: Path) -> TextIO:
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        return (log_dir / FILE_NAME).open("a", encoding="utf-8")
    except OSError as error:
        raise DataFolderError(
            f"logDir {log_dir} cannot be written: {error.strerror}; choose another"
        ) from error
