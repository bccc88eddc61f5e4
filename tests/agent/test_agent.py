"""An agent and a server that speaks LiteKube's protocol alone: when it comes back, when it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nc.agent import agent
from nc.agent.agent import AgentStopped
from nc.domain.errors import NodeExpired, NodeUnknown
from nc.errors import UNREGISTERED
from nc.net import wire
from tests.support.clock_steps import STEPS_S
from tests.support.node_certificates import network_folder, node_folder
from tests.support.plain_link_server import PING, PONG, TEXT, PlainLinkServer, server_tls
from tests.support.plain_text_agent import (
    PATIENCE_S,
    TOKEN,
    next_frame,
    next_link,
    plain_text_server,
    running,
    target,
)
from tests.support.whole_server import MovableClock


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits a second for an agent to look at its clock."""
    monkeypatch.setattr(agent, "LOOK_INTERVAL_S", 0.01)


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


@pytest.mark.parametrize("tried", [False, True])
async def test_a_newer_link_of_its_own_is_nothing_to_wait_for(tmp_path: Path, tried: bool) -> None:
    """It is back at once if its own newer link failed; where it tried none, a copy of it runs."""
    async with plain_text_server() as server, running(server, tmp_path) as node:
        link = await next_link(server)
        await node.logged("agent.connected")
        server.refusal = (503, "full")
        if tried:
            begin_anew: Any = node.agent._replaced
            begin_anew.set()
            await node.logged("agent.not_renewed")
        link.close(wire.CloseCode.POLICY, wire.SUPERSEDED.reason)
        line = await node.logged("agent.disconnected")
        assert line["reason"] == ("LinkEnded" if tried else "RetryLater")


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
