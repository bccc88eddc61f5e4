"""`demo --console`: three named nodes, played slowly, with the console beside them until Ctrl-C."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn
from rich.console import Console

from nc.agent.program import (
    Invitation,
    LinkEnded,
    NodeIdentity,
    NodeLink,
    StateFolder,
    TokenRefused,
    enrol,
    open_link,
)
from nc.cli import signals
from nc.cli.event_loop import report_stray
from nc.cli.ncadm.console import open_browser
from nc.client.client import AsyncClient
from nc.client.contexts import Context
from nc.client.types import IssuedToken
from nc.clock import SystemClock
from nc.console.serving import LOOPBACK, console
from nc.net import ipv4
from nc.secrets import SystemSecrets
from nc.server.installation import serve_installation
from nc.server.server import Server
from nc.server.settings import ServerSettings

_MACHINES: Final = ("alpha", "beta", "gamma")
_REST: Final = 5  # pauses between what is repeated until the end


async def play(output: Console, pause_s: float, *, opens: bool) -> None:
    """Play until a signal to stop.

    Args:
        output: what happens is printed there.
        pause_s: between two steps.
        opens: the console in the browser.
    """
    is_over = asyncio.Event()
    signals.handle(stop=is_over.set, reload=lambda: None)
    async with AsyncExitStack() as stack:
        prefix = "network-controller-demo-"
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        server = await stack.enter_async_context(_server(folder / "data"))
        context = Context.of_data_dir(folder / "data", port=server.endpoints.control_port)
        url = await stack.enter_async_context(_served(context))
        output.print(f"The console, live: [bold]{url}[/]", soft_wrap=True)
        output.print("The link is good for one time; Ctrl-C ends the demo.\n")
        if opens:
            open_browser(url)
        client = await stack.enter_async_context(AsyncClient(context))
        story = _Story(client, server, folder, output, pause_s)
        playing = asyncio.create_task(story.run())
        stack.push_async_callback(_ended, playing)
        ending = asyncio.create_task(is_over.wait())
        await asyncio.wait({playing, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
    output.print("\nThe demo has ended; nothing of it is left.")


@asynccontextmanager
async def _server(data_dir: Path) -> AsyncIterator[Server]:
    settings = ServerSettings(
        data_dir=data_dir,
        advertise=(LOOPBACK,),
        listen=LOOPBACK,
        grpc_port=0,
        bootstrap_port=0,
        link_port=0,
    )
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_silence])
    asyncio.get_running_loop().set_exception_handler(lambda _, context: report_stray(log, context))
    made = serve_installation(settings, clock=SystemClock(), secrets=SystemSecrets(), logger=log)
    async with made as (_, server):
        yield server


def _silence(*_: object) -> Any:
    raise structlog.DropEvent


class _Quiet(uvicorn.Server):
    """The signals are those of the whole demo."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _served(context: Context) -> AsyncIterator[str]:
    async with console(context, 0, SystemSecrets()) as (url, made, listening):
        web = _Quiet(made.config)
        serving = asyncio.create_task(web.serve(sockets=[listening]))
        try:
            yield url
        finally:
            web.should_exit = True
            await serving


async def _ended(task: "asyncio.Task[None]") -> None:
    """End a task; what it failed with is raised."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class _Story:
    """What happens, one step after the other."""

    def __init__(
        self, client: AsyncClient, server: Server, folder: Path, output: Console, pause_s: float
    ) -> None:
        self._client = client
        self._endpoints = server.endpoints
        self._folder = folder
        self._output = output
        self._pause_s = pause_s
        self._nodes: dict[str, NodeIdentity] = {}
        self._links: dict[str, NodeLink] = {}
        self._open: dict[str, AsyncExitStack] = {}
        self._step = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            traffic = group.create_task(exchange(self._links))
            try:
                await self._life()
            finally:
                traffic.cancel()
                for name in list(self._open):
                    await self._leave(name)

    async def _life(self) -> None:
        await self._say("The operator issues a bootstrap token, good for an hour")
        token = await self._client.tokens.issue(lifetime=timedelta(hours=1), label="demo")
        for name in _MACHINES:
            await self._say(f"{name} joins with it, and opens its link")
            await self._join(name, token)
        await self._say("Each sends packets to the others: see Links")
        await self._say("The operator labels beta site=berlin")
        await self._client.nodes.update("beta", set_labels={"site": "berlin"})
        await self._away("gamma")
        await self._say("The operator issues a second token, and revokes it: it has leaked")
        leaked = await self._client.tokens.issue(label="leaked")
        await self._pause()
        await self._client.tokens.revoke(leaked.issued.id)
        await self._say("A machine tries to join with it, and is refused")
        await self._refused(leaked)
        self._output.print("\nMove the slider to see any moment again. This goes on until Ctrl-C:")
        while True:
            for name in _MACHINES:
                await self._pause(_REST)
                await self._away(name)

    async def _join(self, name: str, token: IssuedToken) -> None:
        folder = StateFolder(self._folder / name)
        node = self._nodes[name] = await enrol(folder, self._invitation(token))
        found = await self._client.nodes.get(node.token)
        await self._client.nodes.update(found.id, name=name)
        await self._connect(name)

    async def _refused(self, token: IssuedToken) -> None:
        with contextlib.suppress(TokenRefused):
            await enrol(StateFolder(self._folder / "late"), self._invitation(token))

    def _invitation(self, token: IssuedToken) -> Invitation:
        port = self._endpoints.bootstrap_port
        return Invitation(token.token, LOOPBACK, port, token.ca_cert_hash)

    async def _away(self, name: str) -> None:
        await self._say(f"{name} goes away")
        await self._leave(name)
        await self._say(f"{name} comes back, with the address that it had")
        await self._connect(name)

    async def _connect(self, name: str) -> None:
        stack = self._open[name] = AsyncExitStack()
        self._links[name] = await stack.enter_async_context(open_link(self._nodes[name]))

    async def _leave(self, name: str) -> None:
        self._links.pop(name, None)
        await self._open.pop(name).aclose()

    async def _say(self, text: str) -> None:
        await self._pause()
        self._step += 1
        self._output.print(f"{self._step:>3}. {text}", soft_wrap=True)

    async def _pause(self, times: int = 1) -> None:
        await asyncio.sleep(times * self._pause_s)


_EVERY_S: Final = 0.25


async def exchange(links: Mapping[str, NodeLink]) -> None:
    """Send packets over all links that are there at the time, until this is cancelled."""
    while True:
        there = list(links.values())
        for link in there:
            for other in there:
                if other is not link:
                    with contextlib.suppress(LinkEnded):
                        await link.send(_packet(link, other))
        await asyncio.sleep(_EVERY_S)
        for link in there:
            await _take_all(link)


def _packet(source: NodeLink, target: NodeLink) -> bytes:
    return ipv4.build_packet(source.interface.ip, target.interface.ip, b"are you there?")


async def _take_all(link: NodeLink) -> None:
    with contextlib.suppress(LinkEnded, TimeoutError):
        while True:
            async with asyncio.timeout(0):
                await link.receive()
