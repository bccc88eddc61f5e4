"""Sets up the log lines: JSON for machines, colours for a terminal; stderr, or a file."""

import contextlib
import logging
import sys
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from nc.data_folder import DataFolderError

FILE_NAME = "network-controller.log"


class _Sink:
    """A stream for log lines that never fails: work goes on when nobody can be told of it.

    A full disk or a closed pipe loses lines; what happened to the cluster is in the event log.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write if it can be done."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        """Flush if it can be done."""
        with contextlib.suppress(OSError, ValueError):
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
    renderers: list[Any]
    if stream.isatty():
        # Never with the values of local variables: tokens and keys are among them.
        plain = structlog.dev.plain_traceback
        renderers = [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    else:
        renderers = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if debug else logging.INFO
        ),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Sink(stream))),
        cache_logger_on_first_use=True,
    )
    # bound, since the proxy that get_logger gives finds its settings anew with each line
    logger: FilteringBoundLogger = structlog.get_logger().bind()
    return logger


def _open(log_dir: Path) -> TextIO:
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        return (log_dir / FILE_NAME).open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise DataFolderError(
            f"logDir {log_dir} cannot be written: {error.strerror}; choose another"
        ) from error
