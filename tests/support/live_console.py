"""A server and a console of it, in a thread of their own, for tests that drive a browser."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from nc.agent.program import Invitation, NodeIdentity, StateFolder, enrol
from nc.client.client import AsyncClient
from nc.client.contexts import Context
from nc.client.types import IssuedToken, Role
from nc.console.serving import console
from nc.domain.network import DEFAULT_NETWORK
from nc.secrets import SystemSecrets
from tests.support.chromium import Tab
from tests.support.shown_page import LIBRARY
from tests.support.whole_server import LOOPBACK, PATIENCE_S, WholeServer, running

T = TypeVar("T")

# What tells why a page stands still: where it is, whether it is in sight, what it says.
STATE = """JSON.stringify([location.href, document.readyState, document.visibilityState,
  document.body.innerText.slice(0, 500)])"""


class LiveConsole:
    """A server in a folder, and consoles of it, until the end of the `with` block.

    Args:
        folder: has the server's data, and the machines that join.
        network: the overlay network, as the server's own address in it.
    """

    def __init__(self, folder: Path, network: str = DEFAULT_NETWORK) -> None:
        self.folder = folder
        self._network = network
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._serving = AsyncExitStack()
        self._others = AsyncExitStack()
        self._machines = 0
        self.port = 0
        self.bootstrap_port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.start_server()
        self.context = Context.of_data_dir(self.folder / "data", port=self.port)
        self.client = self.run(self._others.enter_async_context(AsyncClient(self.context)))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._others.aclose())
        self.stop_server()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the thread's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def start_server(self) -> None:
        """Start it, with the ports that it had before."""
        made = running(
            self.folder / "data",
            network_addr=self._network,
            grpc_port=self.port,
            bootstrap_port=self.bootstrap_port,
        )
        server: WholeServer = self.run(self._serving.enter_async_context(made))
        self.port = server.endpoints.control_port
        self.bootstrap_port = server.endpoints.bootstrap_port

    def stop_server(self) -> None:
        self.run(self._serving.aclose())

    def start_console(self, context: Context | None = None) -> str:
        """One more console, until the end; gives the URL that lets a browser in."""
        return self.run(self._start_console(context or self.context))

    async def _start_console(self, context: Context) -> str:
        made = console(context, 0, SystemSecrets())
        url, server, listening = await self._others.enter_async_context(made)
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))

        async def stop() -> None:
            server.should_exit = True
            await serving

        self._others.push_async_callback(stop)
        return url

    def join(self, issued: IssuedToken) -> NodeIdentity:
        """A machine redeems a bootstrap token; gives the node."""
        return self.run(self.joined(issued))

    async def joined(self, issued: IssuedToken) -> NodeIdentity:
        self._machines += 1
        folder = StateFolder(self.folder / f"machine-{self._machines}")
        invitation = Invitation(issued.token, LOOPBACK, self.bootstrap_port, issued.ca_cert_hash)
        return await enrol(folder, invitation)

    def issue_viewer(self, name: str) -> Context:
        """The context of a new operator who may only read."""
        issued = self.run(self.client.administrators.issue(name, Role.VIEWER))
        folder = self.folder / name
        folder.mkdir()
        for file, pem in (
            ("ca.pem", issued.ca_pem),
            ("client.pem", issued.certificate_pem),
            ("client-key.pem", issued.key_pem),
        ):
            (folder / file).write_text(pem)
            (folder / file).chmod(0o600)
        return Context.of_certificates(folder, host=LOOPBACK, port=self.port)


SHOWS_ITS_LOG = "document.querySelector('#events-rows .row') !== null"


def enter(tab: Tab, url: str) -> None:
    """Open the one-time URL, and wait until the console shows its log."""
    tab.visit(url)
    arrive(tab, SHOWS_ITS_LOG)
    tab.run(LIBRARY)


def arrive(tab: Tab, condition: str) -> None:
    """Wait until an expression is true in the page, or in one that it goes on to."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            if tab.run(condition):
                return
        except RuntimeError:  # the page went on to another one meanwhile
            continue
    raise TimeoutError(f"{condition}: {tab.run(STATE)}, {tab.complaints()}")


def wait_for(tab: Tab, condition: str) -> None:
    """Wait until an expression is true in the page.

    Raises:
        TimeoutError: it never is.
        RuntimeError: it throws.
    """
    came = tab.run(
        f"""(async () => {{
              const end = performance.now() + {1000 * PATIENCE_S};
              while (!({condition})) {{
                if (performance.now() > end) return false;
                await new Promise((done) => setTimeout(done, 10));
              }}
              return true;
            }})()"""
    )
    if not came:
        raise TimeoutError(f"{condition}: {tab.run(STATE)}, {tab.complaints()}")
