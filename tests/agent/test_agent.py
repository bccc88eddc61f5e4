"""The agent against a server that speaks LiteKube's protocol alone, written without our code."""

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest
import structlog

from nc.agent import agent
from nc.agent.agent import Agent, AgentStopped
from nc.agent.certificates import node_tls
from nc.agent.connecting import connect
from nc.agent.connection import Target
from nc.agent.device import Device, DeviceSettings, Kernel
from nc.agent.link_errors import LinkEnded, NodeUnregistered, RetryLater, UntrustedServer
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.clock import Clock, SystemClock
from nc.domain.errors import NodeExpired, NodeUnknown
from nc.errors import UNREGISTERED
from nc.net import wire
from nc.net.redirect import Redirect, Server
from nc.net.routes import DeviceNetwork
from nc.net.tun import Receive
from nc.net.wire import Frame
from nc.pki import PkiError, PkiFolder
from tests.support.clock_steps import STEPS_S
from tests.support.node_certificates import network_folder, node_folder
from tests.support.plain_link_server import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    PlainLink,
    PlainLinkServer,
    server_tls,
)
from tests.support.whole_server import MovableClock

TOKEN = "0123456789abcdef"  # noqa: S105 - made up
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits a second for an agent to look at its clock."""
    monkeypatch.setattr(agent, "LOOK_INTERVAL_S", 0.01)


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


async def test_it_speaks_the_protocol_and_no_more() -> None:
    """Token in its header, the handshake, each packet a Text frame; Text and Binary come in."""
    async with plain_text_server() as server:
        end = await connect(target(server))
        link = await next_link(server)
        assert end.interface == IPv4Interface("10.1.1.3/24")
        assert not end.offload
        assert link.headers["node-token"] == TOKEN
        got: list[tuple[bytes, bool]] = []
        end.deliver = lambda frame, has_header: got.append((bytes(frame), has_header))
        packet = bytes([0x45, *range(200, 256)]) * 3  # nothing that could be UTF-8
        end.send(packet)
        assert await next_frame(link, TEXT) == packet
        link.send(TEXT, packet)
        link.send(BINARY, packet[:50])
        link.send(PING, b"are you there")
        assert await next_frame(link, PONG) == b"are you there"
        assert got == [(packet, False), (packet[:50], False)]
        await end.close()
        assert await next_frame(link, CLOSE) == b"\x03\xe8"


async def test_a_server_that_takes_no_more_is_not_pressed() -> None:
    """Once the buffer is full it is told, for the kernel to wait; and again when there is room."""
    async with plain_text_server() as server:
        end = await connect(target(server))
        link = await next_link(server)
        told: asyncio.Queue[bool] = asyncio.Queue()
        end.writable = told.put_nowait
        link.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it can be read from
        sent = 0
        while told.empty():
            end.send(bytes(60_000))
            sent += 1
            assert sent < 1000
            await asyncio.sleep(0)
        assert told.get_nowait() is False
        link.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
        assert await asyncio.wait_for(told.get(), PATIENCE_S) is True
        for _ in range(sent):
            assert len(await next_frame(link, TEXT)) == 60_000
        await end.close()


async def test_silence_ends_a_link() -> None:
    """Pings go out in their rhythm; when nothing at all comes back for the limit, it is over."""
    async with plain_text_server() as server:
        end = await connect(target(server), ping_interval_s=0.01, silence_limit_s=PATIENCE_S)
        link = await next_link(server)
        for _ in range(4):
            assert await next_frame(link, PING) == b""
        assert not end.ended.done()
        server.is_mute = True
        end._silence_limit_s = 0.01  # not before: a busy machine may be silent for any time
        async with asyncio.timeout(PATIENCE_S):
            assert "nothing was heard for 0.01 s" in str(await end.ended)


async def test_anything_heard_is_a_sign_of_life() -> None:
    """A server that answers no ping but sends packets is alive."""
    async with plain_text_server() as server:
        end = await connect(target(server), ping_interval_s=0.01, silence_limit_s=PATIENCE_S)
        link = await next_link(server)
        server.is_mute = True
        for _ in range(3):
            await next_frame(link, PING)
            heard_at_s = end._heard_at_s
            link.send(TEXT, b"E")
            async with asyncio.timeout(PATIENCE_S):
                while end._heard_at_s == heard_at_s:
                    await next_frame(link, PING)
        await end.close()


CLOSES = [
    (wire.UNREGISTERED, NodeUnregistered),
    (wire.EXPIRED, RetryLater),
    (wire.SUPERSEDED, RetryLater),
    (wire.CERTIFICATE_ENDED, RetryLater),
    (wire.STOPPING, LinkEnded),
    (wire.SILENT, LinkEnded),
    (wire.Close(wire.CloseCode.POLICY, "who knows"), LinkEnded),
    (wire.Close(wire.CloseCode.NORMAL, ""), LinkEnded),
]


@pytest.mark.parametrize(("close", "kind"), CLOSES)
async def test_a_close_frame_says_whether_to_come_back(close: wire.Close, kind: type) -> None:
    """Unregistered is for good, expired and superseded for later, all else for soon."""
    async with plain_text_server() as server:
        end = await connect(target(server))
        (await next_link(server)).close(close.code, close.reason)
        async with asyncio.timeout(PATIENCE_S):
            ended = await end.ended
        assert type(ended) is kind
        assert close.reason in str(ended)


REFUSALS = [
    (401, str(NodeUnknown()), RetryLater),
    (401, str(NodeUnknown(was_unregistered=True)), NodeUnregistered),
    (403, str(NodeUnknown(was_unregistered=True)), RetryLater),
    (404, str(NodeUnknown(was_unregistered=True)), LinkEnded),
    (403, str(NodeExpired(0, 1)), RetryLater),
    (401, str(NodeExpired(0, 1)), RetryLater),
    (403, "", RetryLater),
    (404, "no", LinkEnded),
    (503, "full", LinkEnded),
    (302, "elsewhere", LinkEnded),
    (200, "hello", LinkEnded),
]


@pytest.mark.parametrize(("status", "text", "kind"), REFUSALS)
async def test_a_refused_upgrade_says_whether_to_come_back(
    status: int, text: str, kind: type
) -> None:
    """401 and 403 are for later, but for a node that was unregistered; the sentence is passed on.

    And a redirection is not followed: the token is for this server alone.
    """
    async with plain_text_server() as server:
        server.refusal = (status, text)
        with pytest.raises(LinkEnded) as refused:
            await connect(target(server))
        assert type(refused.value) is kind
        assert text.partition(":")[0] in str(refused.value)
        assert TOKEN not in str(refused.value)
        assert server.requests == 1


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Switching"])
async def test_a_server_that_says_nothing_is_given_up(said: bytes) -> None:
    """Accepting a connection is not enough; nor is half an answer."""
    over = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.transport.abort()
        over.set()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkEnded):
            await connect(Target("127.0.0.1", port, TOKEN, None, timeout_s=0.2))
        await asyncio.wait_for(over.wait(), PATIENCE_S)


async def test_a_port_where_nobody_listens_is_no_reason_to_stop() -> None:
    """It may be there soon."""
    async with plain_text_server() as server:
        gone = target(server)
    with pytest.raises(LinkEnded, match="no connection"):
        await connect(gone)


def client_tls(folder: PkiFolder, path: Path) -> ssl.SSLContext:
    """What a node of this CA's has."""
    return node_tls(node_folder(folder, path)).context


@pytest.mark.parametrize("host", ["no..name", "a" * 64, "192.0.2.1:6441"])
async def test_a_name_that_is_none_is_said_to_be_no_connection(host: str) -> None:
    """Whatever a server or a state folder says of where to connect, it is one kind of error."""
    with pytest.raises(LinkEnded, match="no connection: "):
        await connect(Target(host, 1, TOKEN, None))


async def test_only_our_own_server_is_trusted(tmp_path: Path) -> None:
    """With our CA and its name: a link. Another CA or another name: Untrusted, and no token."""
    ours = network_folder(tmp_path / "ours", "127.0.0.1")
    theirs = network_folder(tmp_path / "theirs", "127.0.0.1")
    tls = client_tls(ours, tmp_path / "node")
    async with PlainLinkServer(server_tls(tmp_path / "ours")) as server:
        with pytest.raises(UntrustedServer, match="CA was replaced"):
            await connect(target(server, client_tls(theirs, tmp_path / "their-node")))
        await (await connect(target(server, tls))).close()
        assert server.links.qsize() == 1
    async with PlainLinkServer(server_tls(tmp_path / "ours"), "127.0.0.2") as server:
        with pytest.raises(UntrustedServer, match=r"not for 127\.0\.0\.2 .* --advertise"):
            await connect(replace(target(server, tls), host="127.0.0.2"))
    assert server.links.empty()


def test_a_network_in_the_field_need_not_be_strict(tmp_path: Path) -> None:
    """Certificates without key identifiers, as older servers make them, do on every Python."""
    paths = node_folder(network_folder(tmp_path / "server", "127.0.0.1"), tmp_path / "node")
    context = node_tls(paths).context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


@pytest.mark.parametrize(
    ("years", "says"),
    [
        (2, r"it ended 36\d days ago, or this machine's clock .* ahead; .* join again"),
        (-20, r"clock is at least \d+ days behind, .* join again"),
        (0, "^$"),
    ],
)
def test_a_certificate_out_of_its_time_is_used_and_explained(
    tmp_path: Path, years: int, says: str
) -> None:
    """The clock may be wrong: both dates and the clock are named, and the server decides."""
    folder = network_folder(tmp_path / "server", "127.0.0.1")
    tls = node_tls(node_folder(folder, tmp_path / "node"))
    assert re.search(says, tls.problem(datetime.now(UTC) + timedelta(days=365 * years)))


def test_the_end_of_a_certificate_is_announced(tmp_path: Path) -> None:
    """From 30 days before it on."""
    folder = network_folder(tmp_path / "server", "127.0.0.1")
    tls = node_tls(node_folder(folder, tmp_path / "node"))
    end = tls.certificate.not_valid_after_utc
    assert tls.announcement(end - timedelta(days=30, seconds=1)) == ""
    assert "join again" in tls.announcement(end - timedelta(days=30))
    assert "it ended 1 seconds ago" in tls.announcement(end + timedelta(seconds=1))


@pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client-key.pem"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"/{name}: cannot be read: No such file or directory; "),
        ("none", r"({name}: does not hold|/node: ca\.pem, client\.pem and .* are not usable: )"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    """With what a node can do about it: nothing is ever made in its place."""
    folder = network_folder(tmp_path / "server", "127.0.0.1")
    paths = node_folder(folder, tmp_path / "node")
    path = paths.client.with_name(name)
    path.unlink()
    if content is not None:
        path.write_text(content)
    remedy = "restore the files from a backup, or join again with a new bootstrap token"
    with pytest.raises(PkiError, match=says.format(name=name)) as raised:
        node_tls(paths)
    assert raised.value.remedy == remedy


async def test_it_comes_back_again_and_again(tmp_path: Path) -> None:
    """Cut off, closed, refused for now: each time there is a new link, with the same token."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        link = await next_link(server)
        link.writer.transport.abort()
        link = await next_link(server)
        link.close(wire.CloseCode.GOING_AWAY, "the server is shutting down")
        link = await next_link(server)
        assert link.headers["node-token"] == TOKEN
        server.refusal = (503, "full")
        link.writer.transport.abort()
        await node.logged("agent.disconnected", 4)
        server.refusal = None
        await next_link(server)
        assert (await node.logged("agent.connected", 4))["address"] == "10.1.1.3/24"


@contextlib.asynccontextmanager
async def trusted_server(tmp_path: Path) -> AsyncIterator[tuple[PlainLinkServer, Path]]:
    """A server with a certificate from the node's CA, and the node's certificates."""
    paths = node_folder(network_folder(tmp_path / "ours", "127.0.0.1"), tmp_path / "node")
    async with PlainLinkServer(server_tls(tmp_path / "ours")) as server:
        yield server, paths.ca.parent


async def test_it_leaves_when_its_ca_vouches_for_who_dismisses_it(tmp_path: Path) -> None:
    """The node was unregistered: the agent ends, and says how to join again."""
    async with (
        trusted_server(tmp_path) as (server, certificates),
        running(server, tmp_path, certificates) as node,
    ):
        (await next_link(server)).close(wire.CloseCode.POLICY, wire.UNREGISTERED.reason)
        with pytest.raises(AgentStopped, match="join again with a new bootstrap token") as left:
            await asyncio.wait_for(node.task, PATIENCE_S)
        assert left.value.exit_code == UNREGISTERED
        assert node.lines[-1]["event"] == "agent.stopped"


async def test_without_tls_it_never_leaves(tmp_path: Path) -> None:
    """Anyone on the path can write what is read in plain text."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        (await next_link(server)).close(wire.CloseCode.POLICY, wire.UNREGISTERED.reason)
        assert (await node.logged("agent.disconnected"))["reason"] == "NodeUnregistered"
        assert not node.task.done()


WRONG_ANSWERS = [
    (401, str(NodeUnknown())),
    (401, str(NodeExpired(0, 1))),
    (403, "this certificate is another node's"),
    (403, str(NodeUnknown(was_unregistered=True))),
    (404, "links are at /ws, and nothing else is"),
    (401, "THE NODE WAS UNREGISTERED"),
    (500, wire.UNREGISTERED.reason),
    (503, wire.UNREGISTERED.reason),
]


@pytest.mark.parametrize("answer", WRONG_ANSWERS)
async def test_no_wrong_answer_ends_an_agent(tmp_path: Path, answer: tuple[int, str]) -> None:
    """Whatever a server answers, the agent is connected once the right one is back.

    It asks seldom meanwhile; a step of its clock makes it ask at once.
    """
    clock = MovableClock()
    async with trusted_server(tmp_path) as (server, certificates):
        server.refusal = answer
        async with running(server, tmp_path, certificates, clock) as node:
            await node.logged("agent.disconnected")
            server.refusal = None
            clock.stepped_ms += 86_400_000
            await node.logged("agent.connected")


@pytest.mark.parametrize("gone", ["ca.pem", "client.pem", "client-key.pem", ""])
async def test_a_folder_that_comes_back_is_found(tmp_path: Path, gone: str) -> None:
    """Certificates that vanish, one or all, end no agent."""
    clock = MovableClock()
    async with trusted_server(tmp_path) as (server, certificates):
        moved, away = certificates / gone, tmp_path / "away"
        moved.rename(away)
        async with running(server, tmp_path, certificates, clock) as node:
            line = await node.logged("agent.disconnected")
            assert "cannot be read" in line["message"]
            away.rename(moved)
            clock.stepped_ms -= 86_400_000
            await node.logged("agent.connected")


async def test_a_wrong_server_is_tried_again(tmp_path: Path) -> None:
    """A server of another CA at the right address gets no token, and ends no agent."""
    clock = MovableClock()
    network_folder(tmp_path / "theirs", "127.0.0.1")
    paths = node_folder(network_folder(tmp_path / "ours", "127.0.0.1"), tmp_path / "node")
    async with contextlib.AsyncExitStack() as stack:
        theirs = PlainLinkServer(server_tls(tmp_path / "theirs"))
        async with theirs:
            node = await stack.enter_async_context(
                running(theirs, tmp_path, paths.ca.parent, clock)
            )
            assert (await node.logged("agent.disconnected"))["reason"] == "UntrustedServer"
            assert theirs.requests == 0
        async with PlainLinkServer(server_tls(tmp_path / "ours"), port=theirs.port):
            clock.stepped_ms += 5000
            await node.logged("agent.connected")


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_a_step_of_the_clock_ends_no_agent(tmp_path: Path, step_s: int) -> None:
    """Ahead or behind, at the start, while it is connected or while it waits."""
    clock = MovableClock()
    clock.stepped_ms = step_s * 1000
    async with (
        trusted_server(tmp_path) as (server, certificates),
        running(server, tmp_path, certificates, clock) as node,
    ):
        link = await next_link(server)
        clock.stepped_ms = 0
        link.writer.transport.abort()
        link = await next_link(server)
        clock.stepped_ms = step_s * 1000
        server.refusal = (401, str(NodeUnknown()))
        link.writer.transport.abort()
        await node.logged("agent.disconnected", 2)
        server.refusal = None
        clock.stepped_ms = 0
        await node.logged("agent.connected", 3)


async def test_the_servers_time_is_compared(tmp_path: Path) -> None:
    """A refusal with a date says how far the node's clock is from the server's."""
    clock = MovableClock()
    clock.stepped_ms = 400 * 86_400_000
    async with trusted_server(tmp_path) as (server, certificates):
        server.refusal = (401, str(NodeUnknown()))
        async with running(server, tmp_path, certificates, clock) as node:
            line = await node.logged("agent.disconnected")
    assert "this machine's clock is 400 days ahead of the server's" in line["message"]


async def test_an_expired_node_waits_long(tmp_path: Path) -> None:
    """It may be revived; until then it asks seldom."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        (await next_link(server)).close(wire.CloseCode.POLICY, wire.EXPIRED.reason)
        said = await node.logged("agent.disconnected")
        assert said["reason"] == "RetryLater"
        assert said["message"].endswith(
            "the node token expired (code 1008); trying again in 10.0 s"
        )


async def test_without_a_device_packets_are_counted(tmp_path: Path) -> None:
    """They go nowhere, and the link holds."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        link = await next_link(server)
        await node.logged("agent.connected")
        for _ in range(7):
            link.send(TEXT, b"E" + bytes(19))
        link.send(PING, b"")
        await next_frame(link, PONG)
        assert node.agent.traffic.packets_in == 7


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


@pytest.mark.parametrize("address", ["10.1.1.3/0", "10.1.1.3/1", "127.0.0.1/8", "224.0.0.5/4"])
async def test_an_overlay_that_would_take_the_machine_over_is_refused(
    tmp_path: Path, address: str
) -> None:
    """No device is made, the log says why, and the agent comes back once the server is mended."""
    clock = MovableClock()
    async with plain_text_server() as server, running(server, tmp_path, clock=clock) as node:
        await node.logged("agent.connected")
        right, server.hands_over = server.hands_over, address
        (await next_link(server)).writer.transport.abort()
        said = await node.logged("agent.disconnected", 2)
        assert said["reason"] == "NetworkRefused"
        assert address in said["message"]
        server.hands_over = right
        clock.stepped_ms += 86_400_000  # so that it asks at once
        await node.logged("agent.connected", 2)


async def test_nothing_secret_is_logged(tmp_path: Path) -> None:
    """Neither connecting nor failing to mentions the token."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        link = await next_link(server)
        server.refusal = (503, "full")
        link.writer.transport.abort()
        await node.logged("agent.disconnected", 2)
    assert TOKEN not in str(node.lines)
    assert TOKEN not in repr(target(server))


@pytest.mark.parametrize("code", [1000, 1008, 4001])
async def test_a_close_reason_is_shown_although_tcp_stays_open(tmp_path: Path, code: int) -> None:
    """An upstream server refuses by a close frame alone: its reason is what the agent reports.

    Without it TLS would wait for the other end's close, longer than the agent waits for a link.
    """
    folder = network_folder(tmp_path / "ours", "127.0.0.1")
    tls = node_tls(node_folder(folder, tmp_path / "node")).context
    async with PlainLinkServer(server_tls(tmp_path / "ours")) as server:
        server.close = (code, "node-token is invalid")
        with pytest.raises(LinkEnded, match="the server closed the link: node-token is invalid"):
            await connect(replace(target(server, tls), timeout_s=20.0))
