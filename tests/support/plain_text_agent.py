"""An agent at work in this process, and a server without TLS for it, written without our code."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import structlog

from nc.agent.agent import Agent
from nc.agent.connection import Target
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.clock import Clock, SystemClock
from nc.net.redirect import Redirect
from tests.support.plain_link_server import PlainLink, PlainLinkServer

TOKEN = "0123456789abcdef"  # noqa: S105 - made up
PATIENCE_S = 60.0


class NoLuck:
    """The least that chance can give: no test waits longer than it must."""

    def random_bytes(self, count: int) -> bytes:
        """Zeros."""
        return bytes(count)


@contextlib.asynccontextmanager
async def plain_text_server() -> AsyncIterator[PlainLinkServer]:
    """A server without TLS."""
    async with PlainLinkServer(None) as server:
        yield server


def target(server: PlainLinkServer, tls: ssl.SSLContext | None = None) -> Target:
    """The server, as a node with our token sees it."""
    return Target("127.0.0.1", server.port, TOKEN, tls)


class Running:
    """An agent at work, and what it logs."""

    def __init__(self, node: NodeIdentity, redirect: Path, clock: Clock) -> None:
        self.lines: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[self._collect])
        self.agent = Agent(
            node,
            AgentSettings(tun=False),
            Redirect(redirect),
            clock=clock,
            secrets=NoLuck(),
            log=log,
        )
        self.task = asyncio.create_task(self.agent.run())

    def _collect(self, _logger: object, _level: str, fields: Any) -> Any:
        self.lines.append(dict(fields))
        self._changed.set()
        raise structlog.DropEvent

    async def logged(self, event: str, count: int = 1) -> dict[str, Any]:
        """The log line of this name, or the last of so many, when it comes."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = [line for line in self.lines if line["event"] == event]
                if len(found) >= count:
                    return found[count - 1]
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def running(
    server: PlainLinkServer,
    tmp_path: Path,
    certificates: Path | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Running]:
    """An agent of this server's, stopped at the end."""
    node = NodeIdentity(TOKEN, "127.0.0.1", server.port, certificates)
    running = Running(node, tmp_path / "redirect.json", clock or SystemClock())
    try:
        yield running
    finally:
        running.task.cancel()
        await asyncio.wait([running.task])


async def next_link(server: PlainLinkServer) -> PlainLink:
    """The next link that is up."""
    async with asyncio.timeout(PATIENCE_S):
        return await server.links.get()


async def next_frame(link: PlainLink, opcode: int) -> bytes:
    """The next frame of this kind."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            kind, payload = await link.frames.get()
            if kind == opcode:
                return payload
