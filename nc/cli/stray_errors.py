"""Reports exceptions that nothing awaits."""

from typing import Any

from structlog.typing import FilteringBoundLogger

from nc import log_events

# aiofastnet's message when a client leaves during the TLS handshake, as port scanners do. The link
# port counts those.
_TLS_FAILED = "SSL handshake failed"


def report_stray(log: FilteringBoundLogger, context: dict[str, Any]) -> None:
    """Log an exception that no task awaits, by its type only: its text may hold a peer's bytes."""
    if context["message"] == _TLS_FAILED:
        return
    error = type(context.get("exception")).__name__
    log.error(log_events.LOOP_ERROR, message=f"{context['message']}: {error}")
