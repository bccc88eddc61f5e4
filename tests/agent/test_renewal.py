"""Renewal of a node's certificates over real TLS: under traffic, after a year, across failures."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest
from picows import WSMsgType

from nc.agent import renewal
from nc.agent.connection import HubConnection
from nc.agent.node_files import RenewedCertificates
from nc.agent.renewal import RenewalFailed, RenewalRequest
from nc.agent.renewal_call import ask_in_a_process
from nc.pki import renewal as pki_renewal
from nc.pki.identity import read_peer
from nc.pki.requests import request_for
from tests.support.operators import operator
from tests.support.renewing_agents import RenewingAgent, replaced
from tests.support.whole_server import MovableClock, WholeServer, running, until

DAY_MS = 24 * 60 * 60 * 1000
PACKETS = 300


async def token_of(server: WholeServer) -> str:
    async with operator(server) as admin:
        return str((await admin.call("BootstrapTokens/Issue", lifetime_s=-1)).token)


@asynccontextmanager
async def agents(
    folder: Path, server: WholeServer, count: int, clock: MovableClock | None = None
) -> AsyncIterator[list[RenewingAgent]]:
    """Machines that have joined; those that were started are stopped."""
    token = await token_of(server)
    made = [RenewingAgent(folder / f"node-{number}", clock) for number in range(count)]
    for each in made:
        await each.join(server, token)
    try:
        yield made
    finally:
        for each in made:
            if each.running is not None:
                assert await each.stop() is None


def shown(agent: RenewingAgent) -> int:
    """The serial number of the certificate that a new link shows."""
    assert agent.node.certificates is not None
    return read_peer((agent.node.certificates / "client.pem").read_bytes()).serial


async def test_no_packet_is_lost_by_newer_links(tmp_path: Path) -> None:
    """Both machines begin newer links again and again while they send; each packet arrives once."""
    async with (
        running(tmp_path / "data") as server,
        agents(tmp_path, server, 2) as (one, two),
    ):
        for each in (one, two):
            each.start()
            await each.connected(1)
        sent = [number.to_bytes(4) for number in range(PACKETS)]
        for number, payload in enumerate(sent):
            one.send(two, payload)
            two.send(one, payload)
            if number % 40 == 20:
                replaced(one)()
                replaced(two)()
            await asyncio.sleep(0.001)
        await until(lambda: all(len(each.card.arrived) >= PACKETS for each in (one, two)))
        links = [len(each.lines.named("agent.connected")) for each in (one, two)]
        assert min(links) >= 4
        assert [sorted(each.card.arrived) for each in (one, two)] == [sent, sent]
        assert len(one.cards) == 1
        assert not server.hub.switch.drops
        assert not one.lines.named("agent.disconnected")


async def test_a_due_certificate_is_renewed_while_linked(tmp_path: Path) -> None:
    """The new one is for the same node and key; the link that shows it takes over."""
    async with (
        running(tmp_path / "data") as server,
        agents(tmp_path, server, 1) as (one,),
    ):
        before, key = shown(one), one.files.key().private_numbers()
        server.hub.reachable.change((("10.0.0.2", 6441),))
        one.renew_now()
        one.start()
        await until(lambda: bool(one.lines.named("agent.renewed")))
        await until(lambda: len(server.hub.sockets) == 1 and bool(server.replica.state.links))
        assert shown(one) != before
        assert one.files.key().private_numbers() == key
        assert list(server.replica.state.nodes) == [one.node_id]
        terms = one.files.terms()
        assert terms is not None
        assert terms.lifetime_s <= 30 * 86_400
        assert one.calls == 1
        assert one.renewed[0].links == server.hub.reachable.told()


Past = Callable[[int], MovableClock]


@pytest.fixture
def past(monkeypatch: pytest.MonkeyPatch) -> Past:
    """Makes clocks that are some days behind OpenSSL's, which is the machine's."""
    monkeypatch.setattr(pki_renewal, "RELEASED_AT", datetime(2000, 1, 1, tzinfo=UTC))

    def clock_of(days: int) -> MovableClock:
        clock = MovableClock()
        clock.stepped_ms = -days * DAY_MS
        return clock

    return clock_of


async def test_a_machine_that_was_off_for_long_comes_back(tmp_path: Path, past: Past) -> None:
    """By itself, as the same node; its certificates have ended long ago."""
    clock = past(330)  # the server's own certificate lasts a year
    async with (
        running(tmp_path / "data", clock) as server,
        agents(tmp_path, server, 1, clock) as (one,),
    ):
        clock.stepped_ms = 0
        one.start()
        await one.connected(1)
        assert list(server.replica.state.nodes) == [one.node_id]
        assert one.calls == 1


async def test_a_clock_that_is_behind_renews_after_a_refusal(tmp_path: Path, past: Past) -> None:
    """The machine takes its certificate for good, and the server does not."""
    clock, machine_clock = past(40), past(40)
    async with (
        running(tmp_path / "data", clock) as server,
        agents(tmp_path, server, 1, machine_clock) as (one,),
    ):
        clock.stepped_ms = 0
        one.start()
        await one.connected(1)
        assert one.calls == 1
        assert one.lines.named("agent.disconnected")


async def test_a_clock_that_is_ahead_renews_once(tmp_path: Path) -> None:
    """No certificate that the server signs is good by it, and that is no reason to go on."""
    clock = MovableClock()
    async with (
        running(tmp_path / "data") as server,
        agents(tmp_path, server, 1, clock) as (one,),
    ):
        clock.stepped_ms = 100 * DAY_MS
        one.start()
        await until(lambda: bool(one.lines.named("agent.renewed")))
        for _ in range(3):
            links = len(one.lines.named("agent.connected"))
            replaced(one)()
            await one.connected(links + 1)
        assert one.calls == 1


async def test_an_unregistered_node_gives_up(tmp_path: Path, past: Past) -> None:
    """Its certificate has ended, so that no link tells it; the renewal does."""
    clock = past(60)
    async with (
        running(tmp_path / "data", clock) as server,
        agents(tmp_path, server, 1, clock) as (one,),
        operator(server) as admin,
    ):
        await admin.call("Nodes/Unregister", nodes=[one.node_id])
        clock.stepped_ms = 0
        one.start()
        assert "unregistered" in await one.ended()
        assert "join again" in str(await one.stop())


async def test_a_renewal_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link stays; a certificate for another key replaces nothing."""
    monkeypatch.setattr(renewal, "FIRST_REFUSED_S", 0.01)
    async with (
        running(tmp_path / "data") as server,
        agents(tmp_path, server, 2) as (one, two),
    ):
        before = shown(one)
        good = one.ask

        async def fail(request: RenewalRequest) -> RenewedCertificates:
            if one.calls == 1:
                raise RenewalFailed("no server there")
            if one.calls == 2:
                other = await good(request._replace(node_token=two.node.token, request_pem=csr))
                assert shown(one) == before
                return other
            return await good(request)

        csr = request_for(two.files.key()).decode()
        one.ask = fail
        one.renew_now()
        one.start()
        await until(lambda: bool(one.lines.named("agent.renewed")))
        said = [line["message"] for line in one.lines.named("agent.not_renewed")]
        assert "no server there" in said[0]
        assert "another key" in said[1]
        assert not one.lines.named("agent.disconnected")


async def test_the_process_that_asks_gives_what_it_was_answered(tmp_path: Path) -> None:
    """And what it was refused, and that nobody is there; it needs no token on its command line."""
    async with (
        running(tmp_path / "data") as server,
        agents(tmp_path, server, 1) as (one,),
    ):
        requests: list[RenewalRequest] = []

        async def keep(request: RenewalRequest) -> RenewedCertificates:
            requests.append(request)
            return await ask_in_a_process(request)

        one.ask = keep
        before = shown(one)
        one.renew_now()
        one.start()
        await until(lambda: bool(one.lines.named("agent.renewed")))
        assert shown(one) != before
        (request,) = requests
        with pytest.raises(RenewalFailed, match="unknown here") as unknown:
            await ask_in_a_process(request._replace(node_token="0" * 16))
        assert not unknown.value.is_final
        assert await one.stop() is None
        async with operator(server) as admin:
            await admin.call("Nodes/Unregister", nodes=[one.node_id])
        with pytest.raises(RenewalFailed, match="unregistered") as gone:
            await ask_in_a_process(request)
        assert gone.value.is_final
        with pytest.raises(RenewalFailed, match="UNAVAILABLE"):
            await ask_in_a_process(request._replace(port=1))


async def test_a_node_that_was_taken_back_renews(tmp_path: Path) -> None:
    """After an older backup was put back: its key is the one that it has shown."""
    data, backup = tmp_path / "data", tmp_path / "backup"
    async with running(data):
        pass
    shutil.copytree(data, backup)
    async with running(data) as server, agents(tmp_path, server, 1) as (one,):
        pass
    shutil.rmtree(data)
    backup.rename(data)
    async with running(data) as server, operator(server) as admin:
        one.moved_to(server)
        one.start()
        await until(lambda: bool(one.lines.named("agent.disconnected")))
        await admin.call("Nodes/TakeBack", all_waiting=True)
        assert server.replica.state.nodes[one.node_id].is_renewable
        assert await one.stop() is None
        one.renew_now()
        one.start()
        await until(lambda: bool(one.lines.named("agent.renewed")))
        assert await one.stop() is None


async def test_packets_that_come_early_are_delivered_first() -> None:
    """A server that switched to a newer link sends on it before the agent has taken it up."""
    link: Any = HubConnection(30, 60)
    link.greeted.set_result(IPv4Interface("10.1.1.3/24"))
    got: list[bytes] = []
    link.on_ws_frame(None, Packet(b"one"))
    link.begin(lambda frame, _has_header: got.append(bytes(frame)))
    link.on_ws_frame(None, Packet(b"two"))
    assert got == [b"one", b"two"]


class Packet:
    """A frame with one packet, as picows hands it over."""

    msg_type = WSMsgType.TEXT

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def get_payload_as_bytes(self) -> bytes:
        return self._payload

    def get_payload_as_memoryview(self) -> memoryview:
        return memoryview(self._payload)
