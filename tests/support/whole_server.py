"""A whole server in this process: any free ports, real TLS, a clock that moves when told to."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from nc.client.channel import Channel
from nc.client.tls import ClientTls
from nc.clock import SystemClock
from nc.data_folder import DataFolder
from nc.hub.hub import Hub
from nc.replica.replica import Replica
from nc.rpc.api import Endpoints
from nc.secrets import SystemSecrets
from nc.server.certificates import Certificates
from nc.server.installation import Tuning, serve_installation
from nc.server.server import Server
from nc.server.settings import ServerSettings

LOOPBACK = "127.0.0.1"
PATIENCE_S = 60.0


class MovableClock(SystemClock):
    """The machine's clock, later: time has passed, or somebody has set it."""

    ahead_ms = 0  # so much time has passed
    stepped_ms = 0  # by so much it was set forward, or back

    def now_ns(self) -> int:
        """Unix time in nanoseconds, and so much more."""
        return super().now_ns() + (self.ahead_ms + self.stepped_ms) * 1_000_000

    def monotonic_ns(self) -> int:
        """It knows of no step."""
        return super().monotonic_ns() + self.ahead_ms * 1_000_000


def settings(data_dir: Path, **more: Any) -> ServerSettings:
    """Any free ports, on loopback."""
    ports = {"grpc_port": 0, "bootstrap_port": 0, "link_port": 0}
    names = {"advertise": (LOOPBACK,), "listen": LOOPBACK}
    return ServerSettings(data_dir=data_dir, **(ports | names | more))


class Lines(list[dict[str, Any]]):
    """Log lines, kept; an unforeseen error's traceback is shown with a test that fails."""

    def __call__(self, _logger: object, _method: str, line: Any) -> str:
        self.append(dict(line))
        if isinstance(error := line.get("exc_info"), Exception):
            traceback.print_exception(error)
        return ""

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self if line["event"] == event]


@dataclass(frozen=True)
class WholeServer:
    settings: ServerSettings
    folder: DataFolder
    certificates: Certificates
    server: Server
    endpoints: Endpoints
    hub: Hub
    replica: Replica


@asynccontextmanager
async def running(
    data_dir: Path,
    clock: SystemClock | None = None,
    lines: Lines | None = None,
    *,
    tuning: Tuning | None = None,
    **more: Any,
) -> AsyncIterator[WholeServer]:
    """A server, from start to stop."""
    log = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[Lines() if lines is None else lines]
    )
    serving = serve_installation(
        settings(data_dir, **more),
        clock=clock or SystemClock(),
        secrets=SystemSecrets(),
        logger=log,
        tuning=tuning,
    )
    async with serving as (made, server):
        yield WholeServer(
            made.settings,
            made.folder,
            made.certificates,
            server,
            server.endpoints,
            server.hub,
            server.replica,
        )


def admin(server: WholeServer) -> Channel:
    """A client with the administrator's certificate, or in plain text if that is what is spoken."""
    if server.settings.plaintext:
        return Channel(LOOPBACK, server.endpoints.control_port, None)
    paths = server.certificates.grpc.paths
    tls = ClientTls(*(p.read_bytes() for p in (paths.ca, paths.client_key, paths.client)))
    return Channel(LOOPBACK, server.endpoints.control_port, tls)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a background task is to bring about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.005)
