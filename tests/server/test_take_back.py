"""After an older backup was put back: nodes that joined since are told so, and are taken back."""

import asyncio
import base64
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rpds import HashTrieMap

from eventlog import LogReader
from nc.agent.agent import Agent
from nc.agent.settings import AgentSettings
from nc.agent.state import CertificateSet, NodeIdentity
from nc.client.errors import CallFailed
from nc.clock import SystemClock
from nc.domain.codec.records import entries_in
from nc.domain.errors import NODE_OF_A_LATER_LOG
from nc.domain.events import Certificate
from nc.domain.nodes import Nodes
from nc.net.redirect import Redirect
from nc.pb import network_controller_pb2 as pb
from nc.pb.admin.v1 import nodes_pb2
from nc.replica.waiting import WaitingNode, WaitingNodes
from tests.support.whole_server import LOOPBACK, Lines, WholeServer, admin, running, until


class NoLuck:
    """The least that chance can give: no test waits longer than it must."""

    def random_bytes(self, count: int) -> bytes:
        """Zeros."""
        return bytes(count)


class Fleet:
    """Agents of one cluster, which run for longer than its servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[str, Lines] = {}
        self.tokens: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        with socket.create_server((LOOPBACK, 0)) as free:
            self.link_port = free.getsockname()[1]

    async def join(self, server: WholeServer, name: str) -> str:
        """A new machine with a running agent; returns its address."""
        async with admin(server) as client:
            issued = await client.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
            request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
            answer = await client.call("GetToken", request)
        certificates = self.folder / name
        texts = (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert)
        CertificateSet(*map(base64.b64decode, texts)).write(certificates)
        self.lines[name], self.tokens[name] = Lines(), answer.token
        agent = Agent(
            NodeIdentity(answer.token, LOOPBACK, self.link_port, certificates),
            AgentSettings(tun=False),
            Redirect(self.folder / f"{name}.json"),
            clock=SystemClock(),
            secrets=NoLuck(),
            log=structlog.wrap_logger(structlog.ReturnLogger(), processors=[self.lines[name]]),
        )
        self._tasks.append(asyncio.create_task(agent.run()))
        return await self.connected(name, 1)

    async def connected(self, name: str, times: int) -> str:
        """Wait for an agent's link, the first or a later one; returns its address."""
        lines = self.lines[name]
        await until(lambda: len(lines.named("agent.connected")) >= times)
        return str(lines.named("agent.connected")[times - 1]["address"])

    async def refused(self, name: str) -> str:
        """Wait until an agent says that the log does not know it."""

        def texts() -> list[str]:
            lines = self.lines[name].named("agent.disconnected")
            return [line["message"] for line in lines if NODE_OF_A_LATER_LOG in line["message"]]

        await until(lambda: bool(texts()))
        return texts()[0]

    async def stop(self) -> None:
        """End the agents; none may have ended before."""
        assert [task for task in self._tasks if task.done()] == []
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


@contextlib.asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[Fleet]:
    """Agents, stopped at the end."""
    agents = Fleet(folder)
    try:
        yield agents
    finally:
        await agents.stop()


async def take_back(server: WholeServer, **request: object) -> nodes_pb2.TakeBackResponse:
    """Ask for it as `ncadm` does."""
    async with admin(server) as client:
        asked = nodes_pb2.TakeBackRequest(**request)  # type: ignore[arg-type]  # mixed
        answer: nodes_pb2.TakeBackResponse = await client.call("TakeBack", asked)
    return answer


async def test_nodes_come_back_after_an_older_backup(tmp_path: Path) -> None:
    """A live copy is put back: who joined since waits, keeps its address, and is taken back.

    No agent ends or is started again; a machine that joins meanwhile gets another address.
    """
    data = tmp_path / "data"
    async with fleet(tmp_path) as agents:
        link_port = agents.link_port
        async with running(data, link_port=link_port) as server:
            addresses = {"old": await agents.join(server, "old")}
            shutil.copytree(data, tmp_path / "backup", ignore=shutil.ignore_patterns("*.sock"))
            for name in ("gone", "one", "two"):
                addresses[name] = await agents.join(server, name)
        shutil.rmtree(data)
        (tmp_path / "backup").rename(data)
        async with running(data, link_port=link_port) as server:
            assert await agents.connected("old", 2) == addresses["old"]
            for name in ("gone", "one", "two"):
                assert "ncadm take-back" in await agents.refused(name)
            assert await agents.join(server, "new") not in addresses.values()
            listed = await take_back(server)
            assert [each.id for each in listed.waiting] == list(listed.waiting_ids)
            assert {each.address for each in listed.waiting} == {
                *(addresses[name].partition("/")[0] for name in ("gone", "one", "two"))
            }
            for each in listed.waiting:
                assert each.hostname == socket.gethostname()
                assert each.peer_address == LOOPBACK
                assert each.asked_at_ms > 0
            by_token = await take_back(server, node_tokens=[agents.tokens["one"]])
            assert len(by_token.node_ids) == 1
            assert len(by_token.waiting_ids) == 2
            answer = await take_back(server, all_waiting=True)
            assert (len(answer.node_ids), list(answer.waiting_ids)) == (2, [])
            for name in ("gone", "one", "two"):
                assert await agents.connected(name, 2) == addresses[name]
            again = await take_back(server, all_waiting=True, node_tokens=agents.tokens.values())
            assert list(again.node_ids) == []
    actors = [
        entry.actor
        for entry in entries_in(LogReader(data / "log").read())
        for event in entry.events
        if event.node_registered.taken_back
    ]
    assert len(actors) == 3
    assert all(actor.startswith("certificate:") for actor in actors)
    await _opens_again(data)


async def _opens_again(data: Path) -> None:
    """The log with its addresses out of order is read again, from its events too."""
    for path in (data / "log").glob("*.snapshot"):
        path.unlink()
    async with running(data) as server:
        held = [each.address for each in server.replica.state.addresses.by_node.values()]
        assert len(held) == len(set(held)) == 5


async def test_only_nodes_that_wait_are_taken_back(tmp_path: Path) -> None:
    """Not one that was unregistered, which is remembered, nor one that nobody has seen."""
    async with running(tmp_path / "data") as server, admin(server) as client:
        issued = await client.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
        request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
        token = (await client.call("GetToken", request)).token
        await client.call("UnRegister", pb.UnRegisterRequest(token=token))
        with pytest.raises(CallFailed, match="was unregistered"):
            await take_back(server, node_tokens=[token])
        with pytest.raises(CallFailed, match="no node with this token waits"):
            await take_back(server, node_tokens=["0123456789abcdef"])


ids = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(ids, st.sampled_from(["", "10.1.1.3"])) | st.integers(0, 3)))
def test_another_server_is_told_of_each_node_that_waits(
    steps: list[tuple[str, str] | int],
) -> None:
    """At the end it knows each with its address, and a repeated request is no news.

    One that was dropped here, and asks again without an address, may keep there what it had said.
    """
    waiting, told = WaitingNodes(most=5), WaitingNodes(most=100)

    def tell(most: int) -> None:
        for node_id, node in waiting.news(most):
            told.note(node_id, node)

    for step in steps:
        if isinstance(step, int):
            tell(step)
            continue
        node_id, address = step
        waiting.note(node_id, WaitingNode(Certificate(), address))
    tell(100)
    now = waiting.not_taken_back(HashTrieMap())
    assert set(now) <= set(told.not_taken_back(HashTrieMap()))
    assert all(waiting.address_of(each) in ("", told.address_of(each)) for each in now)
    for node_id in now:
        waiting.note(node_id, WaitingNode(Certificate(), waiting.address_of(node_id)))
    assert not waiting.has_news
    waiting.begin_news()
    assert {node_id for node_id, _ in waiting.news(100)} == set(now)
    for node_id in now[:1]:
        for asked_at_ms, is_news in ((1, False), (60_000, True), (119_999, False)):
            address = waiting.address_of(node_id)
            waiting.note(node_id, WaitingNode(Certificate(), address, asked_at_ms=asked_at_ms))
            assert waiting.has_news is is_news
            tell(1)


@given(asked=st.lists(st.tuples(ids, st.sampled_from(["", "10.1.1.3", "10.1.1.5"]))))
def test_the_nodes_that_wait_are_bounded(asked: list[tuple[str, str]]) -> None:
    """The latest to ask are kept, each with the last address that it said, and no others."""
    waiting = WaitingNodes(most=3)
    nodes: Nodes = HashTrieMap()
    said: dict[str, str] = {}
    for node_id, address in asked:
        waiting.note(node_id, WaitingNode(Certificate(), address))
        said = {key: said[key] for key in said if key != node_id} | {
            node_id: address or said.get(node_id, "")
        }
        said = dict([*said.items()][-3:])
        assert waiting.not_taken_back(nodes) == list(said)
        assert waiting.addresses == set(said.values()) - {""}
    waiting.discard("a")
    assert waiting.certificate_of("a") is None
    assert waiting.not_taken_back(nodes) == [key for key in said if key != "a"]
