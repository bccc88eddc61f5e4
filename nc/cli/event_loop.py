"""Runs a command's coroutine on uvloop, and reports what its loop could not."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

import uvloop

from nc import log_events

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

T = TypeVar("T")

# aiofastnet's message when a client leaves during the TLS handshake, as port scanners do. The link
# port counts those.
_TLS_FAILED: Final = "SSL handshake failed"


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    # What grpc logs of a failed call is part of the error that the command reports.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def report_stray(log: "FilteringBoundLogger", context: dict[str, Any]) -> None:
    """Log an exception that no task awaits, by its type only: its text may hold a peer's bytes."""
    if context["message"] == _TLS_FAILED:
        return
    error = type(context.get("exception")).__name__
    log.error(log_events.LOOP_ERROR, message=f"{context['message']}: {error}")
