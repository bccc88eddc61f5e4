"""The agent against a server that speaks LiteKube's protocol alone, written without our code."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest
import structlog

from nc.agent import agent as agent_module
from nc.agent.agent import Agent, AgentStopped
from nc.agent.connection import Target, connect
from nc.agent.device import Device
from nc.agent.link_errors import LinkEnded, NodeRejected, RetryLater, UntrustedServer
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.clock import SystemClock
from nc.domain.errors import NodeExpired, NodeUnknown
from nc.net import wire
from nc.net.routes import Redirect
from nc.net.tun import Receive
from nc.net.wire import Frame
from nc.pki import PkiError, PkiFolder
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

    def __init__(self, node: NodeIdentity, redirect: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[self._collect])
        self.agent = Agent(
            node,
            AgentSettings(tun=False),
            Redirect(redirect),
            clock=SystemClock(),
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
    server: PlainLinkServer, tmp_path: Path, certificates: Path | None = None
) -> AsyncIterator[Running]:
    """An agent of this server's, stopped at the end."""
    node = NodeIdentity(TOKEN, "127.0.0.1", server.port, certificates)
    running = Running(node, tmp_path / "redirect.json")
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
        end = await connect(target(server), ping_interval_s=0.05, silence_limit_s=0.12)
        link = await next_link(server)
        for _ in range(4):
            assert await next_frame(link, PING) == b""
        assert not end.ended.done()
        server.is_mute = True
        async with asyncio.timeout(PATIENCE_S):
            assert "nothing was heard" in str(await end.ended)


async def test_anything_heard_is_a_sign_of_life() -> None:
    """A server that answers no ping but sends packets is alive."""
    async with plain_text_server() as server:
        end = await connect(target(server), ping_interval_s=0.05, silence_limit_s=0.3)
        link = await next_link(server)
        server.is_mute = True
        for _ in range(10):  # 0.5 s
            await next_frame(link, PING)
            link.send(TEXT, b"E")
        assert not end.ended.done()
        await end.close()


CLOSES = [
    (wire.UNREGISTERED, NodeRejected),
    (wire.EXPIRED, RetryLater),
    (wire.SUPERSEDED, RetryLater),
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
    (401, str(NodeUnknown()), NodeRejected),
    (403, str(NodeExpired(0)), RetryLater),
    (401, str(NodeExpired(0)), RetryLater),
    (403, "", NodeRejected),
    (404, "no", LinkEnded),
    (503, "full", LinkEnded),
    (302, "elsewhere", LinkEnded),
    (200, "hello", LinkEnded),
]


@pytest.mark.parametrize(("status", "text", "kind"), REFUSALS)
async def test_a_refused_upgrade_says_whether_to_come_back(
    status: int, text: str, kind: type
) -> None:
    """401 and 403 are for good, but for a token that merely expired; the sentence is passed on.

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
            await connect(Target("127.0.0.1", port, TOKEN, None), timeout_s=0.2)
        await asyncio.wait_for(over.wait(), PATIENCE_S)


async def test_a_port_where_nobody_listens_is_no_reason_to_stop() -> None:
    """It may be there soon."""
    async with plain_text_server() as server:
        gone = target(server)
    with pytest.raises(LinkEnded, match="no connection"):
        await connect(gone)


def client_tls(folder: PkiFolder, path: Path) -> ssl.SSLContext:
    """What a node of this CA's has."""
    return agent_module.client_tls(node_folder(folder, path), datetime.now(UTC))


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
    context = agent_module.client_tls(paths, datetime.now(UTC))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


async def test_an_expired_certificate_stops_the_agent(tmp_path: Path) -> None:
    """It says so, with the date."""
    folder = network_folder(tmp_path / "server", "127.0.0.1")
    paths = node_folder(folder, tmp_path / "node")
    in_two_years = datetime.now(UTC) + timedelta(days=730)
    with pytest.raises(AgentStopped, match=r"expired at .* join again"):
        agent_module.client_tls(paths, in_two_years)


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
        agent_module.client_tls(paths, datetime.now(UTC))
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


async def test_it_stops_when_it_is_dismissed(tmp_path: Path) -> None:
    """The server does not know the node any more: it is said how to join again."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        (await next_link(server)).close(wire.CloseCode.POLICY, wire.UNREGISTERED.reason)
        with pytest.raises(AgentStopped, match="join again with a new bootstrap token"):
            await asyncio.wait_for(node.task, PATIENCE_S)
        assert node.lines[-1]["event"] == "agent.stopped"


async def test_an_expired_node_waits_long(tmp_path: Path) -> None:
    """It may be revived; until then it asks seldom."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        (await next_link(server)).close(wire.CloseCode.POLICY, wire.EXPIRED.reason)
        said = await node.logged("agent.disconnected")
        assert said["reason"] == "RetryLater"
        assert said["message"].endswith(
            "the node token expired (code 1008); trying again in 20.0 s"
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
        assert node.agent.packets_in == 7


class SlowRedirect(Redirect):
    """A kernel that takes its time to make routes, and takes back those that there are."""

    def __init__(self, record: Path) -> None:
        super().__init__(record)
        self.is_begun, self.may_go_on = threading.Event(), threading.Event()
        self.routes: list[str] = []

    def begin(self, device: str, server: IPv4Address | None) -> None:
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

    async def open_device(_interface: IPv4Interface, offload: bool, _mtu: int) -> Device:
        return IdleDevice(offload)

    async with plain_text_server() as server:
        node = NodeIdentity(TOKEN, "127.0.0.1", server.port, None)
        agent = Agent(
            node, AgentSettings(redirect_gateway=True), redirect, open_device=open_device,
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
    tls = agent_module.client_tls(node_folder(folder, tmp_path / "node"), datetime.now(UTC))
    async with PlainLinkServer(server_tls(tmp_path / "ours")) as server:
        server.close = (code, "node-token is invalid")
        with pytest.raises(LinkEnded, match="the server closed the link: node-token is invalid"):
            await connect(target(server, tls), timeout_s=20.0)
