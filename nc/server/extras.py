"""What a server goes on without if it cannot be had: the report of its links, and its metrics."""

import contextlib
from functools import partial

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.hub.hub import Hub
from nc.hub.report import serve_report
from nc.metrics.sources import OpenMetrics, ServedMetrics, Sources
from nc.net.sockets import PortUnavailable, SocketUnavailable
from nc.server.parts import Parts
from nc.server.settings import ServerSettings


async def report_links(parts: Parts, hub: Hub, started: contextlib.AsyncExitStack) -> None:
    """Serve the report of the links until `started` ends, if it is wanted."""
    if parts.report_path is None:
        return
    try:
        report = await serve_report(parts.report_path, hub)
    except (OSError, SocketUnavailable) as error:
        parts.logger.warning(
            log_events.SERVER_EXTRA_FAILED,
            message=f"no report of the links (network-controller links) until a restart: "
            f"{error}; remove the cause, then restart",
        )
    else:
        started.push_async_callback(report.stop)


async def serve_metrics(
    parts: Parts, sources: Sources, started: contextlib.AsyncExitStack
) -> ServedMetrics | None:
    """Serve the metrics until `started` ends; None: they are not served."""
    if parts.open_metrics is None:
        return None
    try:
        return await started.enter_async_context(parts.open_metrics(sources))
    except PortUnavailable as error:
        parts.logger.warning(
            log_events.SERVER_EXTRA_FAILED,
            message=f"no metrics until a restart: {error}; --metrics-listen names another address, "
            "or none",
        )
        return None


def metrics_of(settings: ServerSettings, logger: FilteringBoundLogger) -> OpenMetrics | None:
    """What serves the metrics where the settings say; None: nothing does."""
    if settings.metrics_listen is None:
        return None
    from nc.metrics.exporter import open_metrics  # noqa: PLC0415 - loads an HTTP server

    return partial(open_metrics, *settings.metrics_listen, logger)
