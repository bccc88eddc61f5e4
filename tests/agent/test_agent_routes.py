"""Routes that an agent is making while it is stopped."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from nc.agent.agent import Agent
from nc.agent.device import Device, DeviceSettings, Kernel
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.clock import SystemClock
from nc.net.redirect import Redirect, Server
from nc.net.routes import DeviceNetwork
from nc.net.tun import Receive
from nc.net.wire import Frame
from tests.support.plain_text_agent import PATIENCE_S, TOKEN, NoLuck, plain_text_server


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
