"""An agent that knows several servers: which one it tries, when, and which of them it believes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from nc.agent.addresses import KnownAddresses
from nc.agent.agent import Agent, AgentStopped
from nc.agent.attempt import AttemptFile
from nc.agent.connecting import connect
from nc.agent.connection import HubConnection, Target
from nc.agent.enrolment import Invitation, NotOurServer, ServerUnreachable, redeem
from nc.agent.link_errors import LinkEnded, NodeUnregistered, RetryLater
from nc.agent.retries import Retries
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity, StateFolder
from nc.cli.enrol import enrol
from nc.cli.options import Output
from nc.domain.errors import NodeUnknown
from nc.net import wire
from nc.net.redirect import Redirect
from nc.pki.certificates import ca_cert_hash
from nc.secrets import SystemSecrets
from tests.support.link_cluster import cluster
from tests.support.node_certificates import network_folder, node_folder
from tests.support.operators import operator
from tests.support.plain_link_server import CLOSE, PlainLinkServer, server_tls
from tests.support.whole_server import LOOPBACK, Lines, MovableClock, until

UNREGISTERED = (401, str(NodeUnknown(was_unregistered=True)))
TOKEN = "0123456789abcdef"  # noqa: S105 - made up
PATIENCE_S = 60.0
CLOSED = (LOOPBACK, 1)  # nobody listens there


class NoLuck:
    """The least that chance can give."""

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)


class Field:
    """Two servers of one CA, and an agent that knows both."""

    def __init__(self, folder: Path, one: PlainLinkServer, two: PlainLinkServer) -> None:
        self.one, self.two = one, two
        self.lines = Lines()
        self.known = KnownAddresses(
            folder / "addresses.json", (LOOPBACK, one.port), (LOOPBACK, two.port)
        )
        log: Any = structlog.wrap_logger(structlog.ReturnLogger(), processors=[self.lines])
        self.agent = Agent(
            NodeIdentity(TOKEN, LOOPBACK, one.port, folder / "node"),
            AgentSettings(tun=False),
            Redirect(folder / "redirect.json"),
            clock=MovableClock(),
            secrets=NoLuck(),
            log=log,
            addresses=self.known,
        )
        self.task = asyncio.create_task(self.agent.run())

    async def link_at(self, server: PlainLinkServer) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await server.links.get()

    async def linked(self, count: int) -> None:
        """Wait until the agent has said so often that it is connected."""
        await until(lambda: len(self.lines.named("agent.connected")) >= count)


@contextlib.asynccontextmanager
async def field(tmp_path: Path) -> AsyncIterator[Field]:
    node_folder(network_folder(tmp_path / "ours", LOOPBACK), tmp_path / "node")
    tls = server_tls(tmp_path / "ours")
    async with PlainLinkServer(tls) as one, PlainLinkServer(tls) as two:
        field = Field(tmp_path, one, two)
        try:
            yield field
        finally:
            field.task.cancel()
            await asyncio.wait([field.task])


async def test_the_next_server_is_tried_at_once(tmp_path: Path) -> None:
    """A link that is cut is followed by one to the other server, and back again when that goes.

    Only a link that follows at once on another that was cut, too, waits.
    """
    async with field(tmp_path) as it:
        link = await it.link_at(it.one)
        await it.linked(1)
        link.writer.transport.abort()
        link = await it.link_at(it.two)
        await it.linked(2)
        link.writer.transport.abort()
        await it.link_at(it.one)
        first, second = it.lines.named("agent.disconnected")
        assert first["message"].endswith("trying again in 0.0 s")
        assert not second["message"].endswith("trying again in 0.0 s")
        assert KnownAddresses(tmp_path / "addresses.json", (LOOPBACK, it.one.port)).all


async def test_one_server_is_not_believed_that_a_node_was_unregistered(tmp_path: Path) -> None:
    """It says so when it closes the link, and when it is asked again; the other gives a link."""
    async with field(tmp_path) as it:
        link = await it.link_at(it.one)
        await it.linked(1)
        it.one.refusal = UNREGISTERED
        link.close(wire.UNREGISTERED.code, wire.UNREGISTERED.reason)
        link = await it.link_at(it.two)
        await it.linked(2)
        assert it.lines.named("agent.disconnected")[0]["reason"] == "Unconfirmed"
        link.writer.transport.abort()
        await it.link_at(it.two)
        assert not it.task.done()


async def test_two_servers_are_believed(tmp_path: Path) -> None:
    """One closes the link with it, the other refuses one: the agent ends, with what to do."""
    async with field(tmp_path) as it:
        link = await it.link_at(it.one)
        it.two.refusal = UNREGISTERED
        it.one.refusal = (503, "not now")
        link.close(wire.UNREGISTERED.code, wire.UNREGISTERED.reason)
        with pytest.raises(AgentStopped, match="join again with a new bootstrap token"):
            await asyncio.wait_for(it.task, PATIENCE_S)


async def test_one_server_says_it_twice_and_is_not_believed(tmp_path: Path) -> None:
    """The second witness must be another server; a third try finds the node known."""
    async with field(tmp_path) as it:
        link = await it.link_at(it.one)
        it.one.refusal, it.two.refusal = UNREGISTERED, (503, "not now")
        link.close(wire.UNREGISTERED.code, wire.UNREGISTERED.reason)
        await until(lambda: len(it.lines.named("agent.disconnected")) >= 2)
        assert it.lines.named("agent.disconnected")[1]["reason"] == "RetryLater"
        assert not it.task.done()


@given(st.lists(st.tuples(st.sampled_from([LinkEnded, RetryLater]), st.sampled_from([0.0, 3, 60]))))
def test_there_is_a_wait_after_each_round(failures: list[tuple[type[LinkEnded], float]]) -> None:
    """No wait but after a link; without a lasting one in between, not twice in a row."""
    retries, went_on_at_once = Retries(NoLuck()), False
    for kind, connected_s in failures:
        wait_s = retries.delay_s(kind("gone"), connected_s, has_others=True)
        if wait_s == 0:
            assert connected_s > 0
            assert kind is LinkEnded
            assert not went_on_at_once or connected_s >= 10
        went_on_at_once = wait_s == 0


@given(st.sampled_from([0.0, 3, 60]))
def test_one_server_is_not_asked_again_at_once(connected_s: float) -> None:
    """There is nobody else: it gets some time."""
    assert Retries(NoLuck()).delay_s(LinkEnded("gone"), connected_s, has_others=False) > 0


async def linked(target: Target) -> HubConnection:
    async with asyncio.timeout(PATIENCE_S):
        return await connect(target)


async def test_a_node_is_told_where_servers_are_whenever_that_changes(tmp_path: Path) -> None:
    """At its link, and over it: each node the same, in another order; others get no such frame."""
    offer = {"Sec-WebSocket-Protocol": wire.OFFLOAD}
    async with cluster(tmp_path, advertise=(LOOPBACK, "nc.example")) as it:
        machine, older = await it.enrol(), await it.enrol()
        client, _ = await it.connect(older, **offer)
        own = ((LOOPBACK, it.port), ("nc.example", it.port))
        link = await linked(Target(LOOPBACK, it.port, machine.token, machine.tls))
        assert link.told == own
        assert (link._ping_interval_s, link._silence_limit_s) == (4.0, 12.0)
        told: asyncio.Queue[tuple[wire.Address, ...]] = asyncio.Queue()
        link.on_told = lambda: told.put_nowait(link.told)
        peers = (("10.0.0.2", 6441), ("10.0.0.3", 6441))
        it.server.hub.peers_moved(peers)
        heard = await asyncio.wait_for(told.get(), PATIENCE_S)
        assert heard[:2] == own
        assert set(heard[2:]) == set(peers)
        it.server.hub.peers_moved(peers)  # no news
        it.server.hub.peers_moved(())
        assert await asyncio.wait_for(told.get(), PATIENCE_S) == own
        client.send(b"hello?", 9)
        assert (await client.receive()).opcode == 10  # its pong, and nothing before
        orders = {it.server.hub.reachable.told() for _ in range(4)}
        it.server.hub.peers_moved(peers)
        assert {it.server.hub.reachable.told()[2] for _ in range(4)} == set(peers)
        assert orders == {own}
        await link.close()


async def test_a_single_server_is_believed_and_says_that_it_decides(tmp_path: Path) -> None:
    """An unregistered node is refused with that word; a follower does not say it."""
    async with cluster(tmp_path) as it:
        machine = await it.enrol()
        await it.unregister(machine)
        target = Target(LOOPBACK, it.port, machine.token, machine.tls)
        for leads in (True, False):
            it.server.hub.leads = partial(bool, leads)
            with pytest.raises(NodeUnregistered) as refused:
                await linked(target)
            assert refused.value.is_certain is leads


async def test_a_machine_that_joins_knows_every_server_before_its_first_link(
    tmp_path: Path,
) -> None:
    """One of the places is dead, the answer names the others; a renewal tells what is new."""
    state = StateFolder(tmp_path / "state")
    log: Any = structlog.wrap_logger(structlog.ReturnLogger(), processors=[Lines()])
    async with cluster(tmp_path / "data", advertise=(LOOPBACK, "nc.example")) as it:
        peer = ("10.0.0.2", 7000)
        it.server.hub.reachable.change((peer,))
        async with operator(it.server) as admin:
            token = (await admin.call("BootstrapTokens/Issue", lifetime_s=600)).token
        pin = ca_cert_hash(it.server.certificates.grpc.authority.certificate_pem)
        place = (LOOPBACK, it.server.endpoints.bootstrap_port)
        for first, *others in ((place, CLOSED), (CLOSED, place)):
            invited = Invitation(token, *first, pin, others=tuple(others))
            with state.locked():
                node = await enrol(state, invited, log, Output.TEXT)
            known = KnownAddresses(state.addresses, (node.host, node.port))
            assert known.all[:3] == ((LOOPBACK, it.port), ("nc.example", it.port), peer)


async def test_no_server_among_several_gets_the_token(tmp_path: Path) -> None:
    """All are named; it is tried again if one of them may come back."""
    attempt = AttemptFile(tmp_path / "attempt.json").load_or_make("t", SystemSecrets())
    pin = "sha256:" + "0" * 64
    async with cluster(tmp_path / "data") as it:
        theirs = (LOOPBACK, it.server.endpoints.bootstrap_port)
        with pytest.raises(ServerUnreachable) as unreachable:
            await redeem(Invitation("0" * 16, *theirs, pin, others=(CLOSED,)), attempt)
        assert "has no certificate from the CA" in str(unreachable.value)
        also = ("localhost", theirs[1])
        with pytest.raises(NotOurServer):
            await redeem(Invitation("0" * 16, *theirs, pin, others=(also,)), attempt)


def ask(it: Field, *, leave: bool) -> None:
    """The server of the agent's link says where servers are, and whether the node is to leave."""
    connection = it.agent.traffic.connection
    assert connection is not None
    connection._note(wire.Told(it.known.all, leave))


async def test_a_server_that_asks_for_it_is_left(tmp_path: Path) -> None:
    """First there is a link to another server, then the older one ends: no packet is lost."""
    async with field(tmp_path) as it:
        link = await it.link_at(it.one)
        await it.linked(1)
        ask(it, leave=True)
        await it.link_at(it.two)
        await it.linked(2)
        async with asyncio.timeout(PATIENCE_S):
            while (await link.frames.get())[0] != CLOSE:
                pass
        assert it.lines.named("agent.disconnected") == []
        assert it.one.requests == 1


async def test_a_server_is_kept_while_no_other_takes_the_node(tmp_path: Path) -> None:
    """Another is tried again and again; once the node may stay, no more."""
    async with field(tmp_path) as it:
        it.two.refusal = (503, "not now")
        await it.link_at(it.one)
        await it.linked(1)
        ask(it, leave=True)
        await until(lambda: len(it.lines.named("agent.not_renewed")) >= 2)
        ask(it, leave=False)
        connection = it.agent.traffic.connection
        assert connection is not None
        it.agent._leaving.look(connection)  # as when the next try is due
        assert not it.agent._leaving.is_due.is_set()
        assert it.lines.named("agent.disconnected") == []
        assert it.one.requests == 1
