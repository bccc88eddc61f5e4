"""Serves the metrics over HTTP, in threads of its own: no link or call waits for a scrape."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.metrics.census import Census
from nc.metrics.families import Families
from nc.metrics.loop_lag import LoopLag
from nc.metrics.sources import ServedMetrics, Sources
from nc.metrics.tally import Tally
from nc.net.sockets import listen
from nc.text import host_port

# Connections at once; each has a thread. Further ones are closed.
MAX_CONNECTIONS: Final = 8

# How long a connection may send nothing, or take nothing.
_PATIENCE_S: Final = 10.0

# How soon the server's thread sees that it is to end.
_POLL_S: Final = 0.1

# With no file descriptor left, how long until the next try: the connection still waits for it.
_OUT_OF_FILES_PAUSE_S: Final = 0.1


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base has it
        """Nothing: a line for each scrape would bury the others."""


class _Server(ThreadingMixIn, WSGIServer):
    """On a socket that listens already; closes it at the end."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        # `server_bind` would ask the DNS for them
        self.server_name, self.server_port = listener.getsockname()[:2]
        self.setup_environ()
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(_OUT_OF_FILES_PAUSE_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: the client has gone, or took too long."""


@contextlib.asynccontextmanager
async def open_metrics(
    host: str, port: int, logger: FilteringBoundLogger, sources: Sources
) -> AsyncIterator[ServedMetrics]:
    """Serve the metrics on an address; see `nc.metrics.sources.OpenMetrics`."""
    tally = Tally(sources.replica.state, sources.clock)
    census, lag = Census(sources, tally), LoopLag(sources.clock)
    server = _Server(listen(host, port))
    try:
        sources.replica.observe(tally.observe)
        server.set_app(make_wsgi_app(registry_of(Families(sources, tally, census, lag))))
        thread = threading.Thread(
            target=server.serve_forever, args=(_POLL_S,), daemon=True, name="metrics"
        )
        thread.start()
        address = host_port(host.strip("[]"), server.server_port)
        url = f"http://{address}/metrics"
        logger.info(log_events.SERVER_METRICS, url=url)

        async def keep() -> None:
            async with asyncio.TaskGroup() as both:
                both.create_task(census.keep())
                both.create_task(lag.keep())

        try:
            yield ServedMetrics(url, keep)
        finally:
            await asyncio.to_thread(server.shutdown)
            await asyncio.to_thread(thread.join)
    finally:
        server.server_close()


def registry_of(families: Families) -> CollectorRegistry:
    """The server's metrics, and those of its process and interpreter."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(families)
    return registry
