"""Routes that an agent is making while it is stopped."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from nc.agent.agent import REAL_KERNEL, Agent
from nc.agent.device import Device, DeviceSettings, Kernel
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.agent.traffic import Traffic
from nc.clock import SystemClock
from nc.net.redirect import Redirect, Server
from nc.net.routes import DeviceNetwork
from nc.net.tun import Receive
from nc.net.wire import Frame
from tests.support.plain_text_agent import PATIENCE_S, TOKEN, NoLuck, plain_text_server
from tests.support.whole_server import Lines


class SlowRedirect(Redirect):
    """A kernel that takes its time to make routes, and takes back those that there are."""

    def __init__(self, record: Path) -> None:
        super().__init__(record)
        self.is_begun, self.may_go_on = threading.Event(), threading.Event()
        self.routes: list[str] = []

    def begin(self, device: str, server: Server) -> None:
        """When the test says so."""
        self.is_begun.set()
        assert self.may_go_on.wait(PATIENCE_S)
        self.routes.append(f"{server} by another way than {device}")

    def end(self) -> None:
        """At once."""
        self.routes.clear()


class IdleDevice:
    """A device that carries nothing: a TUN device takes privileges."""

    name = "nc9"

    def __init__(self, offload: bool) -> None:
        self.offload = offload

    def start(self, receive: Receive, lost: Callable[[], None]) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def write(self, frame: Frame) -> int:
        del frame
        return 0

    def close(self) -> None: ...


async def test_a_stop_while_routes_are_made_takes_them_back(tmp_path: Path) -> None:
    """What a thread is making is waited for: nothing stays behind that is made later."""
    redirect = SlowRedirect(tmp_path / "redirect.json")

    async def open_device(_network: DeviceNetwork, offload: bool) -> Device:
        return IdleDevice(offload)

    async def watch(_restore: object, _report: object) -> None: ...

    async with plain_text_server() as server:
        node = NodeIdentity(TOKEN, "127.0.0.1", server.port, None)
        agent = Agent(
            node, AgentSettings(device=DeviceSettings(redirect_gateway=True)), redirect,
            kernel=Kernel(open_device, lambda *_: [], watch),
            clock=SystemClock(), secrets=NoLuck(), log=structlog.get_logger(),
        )  # fmt: skip
        task = asyncio.create_task(agent.run())
        assert await asyncio.to_thread(redirect.is_begun.wait, PATIENCE_S)
        task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done()
        redirect.may_go_on.set()
        await asyncio.wait([task])
    await asyncio.get_running_loop().shutdown_default_executor()
    assert redirect.routes == []


class StubbornRedirect(Redirect):
    """A kernel that lacks something while the routes are to be taken back."""

    def end(self) -> None:
        """As without a file descriptor."""
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def test_routes_that_cannot_be_taken_back_now_end_no_agent(tmp_path: Path) -> None:
    """The link has ended, and another one is tried: that takes them back, or says why not."""
    lines = Lines()
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lines])
    redirect = StubbornRedirect(tmp_path / "redirect.json")
    traffic = Traffic(AgentSettings(), redirect, log, REAL_KERNEL)
    await traffic.end()
    (line,) = lines.named("agent.routes_left")
    assert "Too many open files" in line["message"]
