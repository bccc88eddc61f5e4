"""Several hubs as a mesh: a packet reaches a node at another hub in one hop, or is counted."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from nc.cli.links import tables
from nc.domain.replicas import StopReplica
from nc.hub.ports import Drop
from nc.hub.report import report_of
from nc.metrics.families import peers
from nc.net import wire
from nc.net.wire import PLAIN_VNET_HEADER
from nc.rpc.admin.live_links import LivePeer
from nc.server.admin import HubLinks
from tests.support.link_client import LinkClient, packet
from tests.support.mesh_hubs import OFFERS, MeshHubs, mesh_hubs
from tests.support.whole_server import LOOPBACK, until

REPORT: dict[str, Any] = {"links": [], "drops": {}, "refused": {}, "turned_away": 0}


def render(table: RenderableType) -> str:
    """As a terminal shows it."""
    console = Console(width=200, file=StringIO())
    with console.capture() as shown:
        console.print(table)
    return shown.get()


def dropped(here: MeshHubs) -> dict[Drop, int]:
    """What all hubs have dropped."""
    total: dict[Drop, int] = {}
    for hub in here.hubs:
        for reason, count in hub.switch.drops.items():
            total[reason] = total.get(reason, 0) + count
    return total


async def test_a_packet_reaches_a_node_at_any_hub() -> None:
    """Between nodes of three hubs, with offloads and without; each is counted where it passed."""
    async with mesh_hubs(3) as here:
        nodes = []
        for number, hub in enumerate(here.hubs):
            token = await here.register(f"node-{number}")
            nodes.append(await here.link(hub, token, **(OFFERS if number == 1 else {})))
        for sender, (client, source) in enumerate(nodes):
            for receiver, (other, destination) in enumerate(nodes):
                sent = packet(source, destination, bytes([sender, receiver]))
                client.send(PLAIN_VNET_HEADER + sent if sender == 1 else sent, 2)
                got = await other.packet()
                assert got == (PLAIN_VNET_HEADER + sent if receiver == 1 else sent)
        assert dropped(here) == {}
        for hub in here.hubs:
            others = [hub.port_to(other) for other in here.hubs if other is not hub]
            assert [(port.packets_in, port.packets_out) for port in others] == [(1, 1)] * 2


async def test_a_servers_own_address_is_reached_from_every_hub() -> None:
    """What a kernel sends from it arrives, and is answered to it; the shared one stays local."""
    async with mesh_hubs(2) as here:
        one, two = here.hubs
        assert one.own != two.own
        kernel = one.attach_uplink()
        two.attach_uplink()
        client, address = await here.link(two, await here.register("node"))
        one.switch.receive(kernel, PLAIN_VNET_HEADER + packet(one.own, address, b"question"))
        assert await client.packet() == packet(one.own, address, b"question")
        client.send(packet(address, one.own, b"answer"))
        client.send(packet(address, "10.1.1.1", b"to whom it is linked"))
        await until(lambda: bool(one.kernel and two.kernel))
        assert one.kernel == [packet(address, one.own, b"answer")]
        assert two.kernel == [packet(address, "10.1.1.1", b"to whom it is linked")]
        one.switch.receive(kernel, PLAIN_VNET_HEADER + packet("10.1.1.1", address))
        await until(lambda: two.switch.drops == {Drop.WRONG_SOURCE: 1})


@pytest.mark.parametrize("interconnection", [True, False])
async def test_nodes_that_are_kept_apart_are_so_across_hubs(interconnection: bool) -> None:
    """They reach every server's own address and no other node, whichever hub they are at."""
    async with mesh_hubs(2, interconnection=interconnection) as here:
        one, two = here.hubs
        one.attach_uplink()
        client, address = await here.link(two, await here.register("a"))
        other, beside = await here.link(one, await here.register("b"))
        client.send(packet(address, beside, b"to a node"))
        client.send(packet(address, one.own, b"to a server"))
        await until(lambda: bool(one.kernel))
        assert dropped(here) == ({} if interconnection else {Drop.NOT_INTERCONNECTED: 1})
        two.switch.own_address = None
        if interconnection:
            assert await other.packet() == packet(address, beside, b"to a node")
        else:  # also if the other hub lets it pass
            frame = PLAIN_VNET_HEADER + packet(address, beside, b"to a node")
            one.switch.receive(one.port_to(two), frame)
            assert one.switch.drops == {Drop.NOT_INTERCONNECTED: 1}


async def passed_on(here: MeshHubs) -> int:
    """How many of the packets that come astray to the second of three hubs it sends to the third.

    They are from a node of the first and for one that is elsewhere, or nowhere.
    """
    one, two, three = here.hubs
    _, source = await here.link(one, await here.register("a"))
    _, destination = await here.link(three, await here.register("b"))
    for beyond in (destination, "10.1.1.1", "192.0.2.1", three.own, "10.1.1.77"):
        astray = PLAIN_VNET_HEADER + packet(source, beyond)
        one.mesh.open[two.session].send(astray)
    await until(lambda: two.port_to(one).packets_in == 5)
    return two.port_to(three).packets_out


async def test_a_packet_hops_once() -> None:
    """What comes from a peer and is for a node that is elsewhere goes nowhere, and is counted."""
    async with mesh_hubs(3) as here:
        assert await passed_on(here) == 0
        assert here[1].switch.drops == {Drop.NOBODY_THERE: 5}


async def test_a_planted_double_hop_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug: what comes from a peer is forwarded as what comes from a node is."""
    monkeypatch.setattr("nc.hub.switch.PeerPort", type("NoPort", (), {}))
    async with mesh_hubs(3) as here:
        assert await passed_on(here) > 0


@pytest.mark.parametrize("claims", ["own", "another's", "nobody's", "third's"])
async def test_a_peer_sends_for_its_own_nodes_alone(claims: str) -> None:
    """Neither for a node here, nor for one at a third hub, nor for one that there is not."""
    async with mesh_hubs(3) as here:
        one, two, three = here.hubs
        _, at_two = await here.link(two, await here.register("a"))
        client, address = await here.link(one, await here.register("b"))
        _, at_three = await here.link(three, await here.register("c"))
        sources = {
            "own": at_two,
            "another's": address,
            "nobody's": "10.1.1.99",
            "third's": at_three,
        }
        sent = packet(sources[claims], address, b"from a peer")
        two.mesh.open[one.session].send(PLAIN_VNET_HEADER + sent)
        if claims == "own":
            assert await client.packet() == sent
        else:
            await until(lambda: one.switch.drops == {Drop.WRONG_SOURCE: 1})
            assert one.port_to(two).drops == {Drop.WRONG_SOURCE: 1}


async def test_a_node_that_moves_keeps_its_older_link_until_the_newer_one_is_there() -> None:
    """At the other hub: packets for it arrive on one of the two, and none is lost or doubled."""
    async with mesh_hubs(3) as here:
        one, two, three = here.hubs
        token = await here.register("mover")
        older, address = await here.link(one, token)
        sender, source = await here.link(three, await here.register("sender"))
        newer = await LinkClient.connect(two.port, token, None)
        here.links.append(newer)
        await until(lambda: not one.hub.sessions)  # the newer link is accepted
        sender.send(packet(source, address, b"1"))
        assert await older.packet() == packet(source, address, b"1")
        assert (await newer.hand_shake()).partition("/")[0] == address
        assert (await older.end()).code == 1008
        await here.caught_up()
        sender.send(packet(source, address, b"2"))
        assert await newer.packet() == packet(source, address, b"2")
        newer.send(packet(address, source, b"3"))
        assert await sender.packet() == packet(address, source, b"3")
        assert dropped(here) == {}


async def test_a_newer_link_that_fails_ends_the_older_one_too() -> None:
    """The log has neither then, and the node is to come back at once."""
    async with mesh_hubs(2) as here:
        one, two = here.hubs
        token = await here.register("mover")
        older, _ = await here.link(one, token)
        newer = await LinkClient.connect(two.port, token, None)
        await until(lambda: not one.hub.sessions)
        await newer.vanish()
        assert (await older.end()).reason == wire.NEWER_FAILED.reason
        await until(lambda: not one.replica.state.links)
        await until(lambda: not one.hub.sockets)


async def test_what_a_peer_does_not_take_is_counted_and_it_comes_back() -> None:
    """Away, or with a full queue; the connection is opened again, and packets flow."""
    async with mesh_hubs(2) as here:
        one, two = here.hubs
        client, source = await here.link(one, await here.register("a"))
        other, destination = await here.link(two, await here.register("b"))
        port = one.port_to(two)
        send, queued = port.send, port.queued_bytes
        port.use(send, lambda: 1 << 30)
        client.send(packet(source, destination))
        await until(lambda: port.drops == {Drop.SLOW_PEER: 1})
        port.use(send, queued)
        opened = one.mesh.opened
        one.mesh.open[two.session].transport.disconnect(graceful=False)
        await until(lambda: port.is_away)
        frame = packet(source, destination, b"lost")
        one.switch.receive(next(iter(one.hub.sessions.values())).port, frame)
        assert port.drops == {Drop.SLOW_PEER: 1, Drop.PEER_AWAY: 1}
        await until(lambda: not port.is_away)
        assert one.mesh.opened == opened + 1
        client.send(packet(source, destination, b"again"))
        assert await other.packet() == packet(source, destination, b"again")


async def test_reports_have_what_was_exchanged_with_each_peer() -> None:
    """On the socket, by the admin API and in metrics; the counts of a peer that is gone stay."""
    async with mesh_hubs(2) as here:
        one, two = here.hubs
        client, source = await here.link(one, await here.register("a"))
        other, destination = await here.link(two, await here.register("b"))
        client.send(packet(source, destination, b"12345678"))
        await other.packet()
        other.send(packet(destination, source))
        await client.packet()
        (peer,) = report_of(one.hub)["peers"]
        at = f"127.0.0.1:{two.port}"
        expected = {"packets_in": 1, "bytes_in": 20, "packets_out": 1, "bytes_out": 28}
        known = {"session": two.session, "address": at, "connected": True, "drops": {}}
        assert peer == known | expected
        (live,) = HubLinks(one.hub).peers()
        assert live == LivePeer(two.session, at, True, 1, 1, 20, 28, {})
        await two.submit(StopReplica("r1", two.session))
        await until(lambda: not one.mesh.nodes.ports)
        assert dict(one.mesh.nodes.totals()) == expected
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in peers(one.hub)
            for sample in family.samples
        }
        assert samples["nc_peer_packets_total", "out"] == 1
        assert samples["nc_peer_bytes_total", "in"] == 20
        assert samples["nc_peers", "connected"] == 0
        assert at in render(tables(REPORT | {"peers": [peer]}))


async def test_a_peer_is_one_until_its_session_ends() -> None:
    """Also while the leader does not name it; nodes are told where it is for as long."""
    async with mesh_hubs(2) as here:
        one, two = here.hubs
        assert two.port in {port for _, port in one.hub.reachable.told()}
        opened = one.mesh.opened
        one.peers.set({})
        client, source = await here.link(one, await here.register("a"))
        other, destination = await here.link(two, await here.register("b"))
        client.send(packet(source, destination))
        assert await other.packet() == packet(source, destination)
        assert one.mesh.opened == opened
        await two.submit(StopReplica("r1", two.session))
        await until(lambda: one.hub.reachable.told() == one.hub.reachable.own)
        await until(lambda: not one.mesh.open)
        assert one.mesh.nodes.ports == {}


async def test_nodes_are_asked_to_leave_a_hub_that_hears_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of three that hears another has a majority with it: not the way, but the log is busy."""
    offers = {"Sec_WebSocket_Protocol": f"{wire.OFFLOAD}, {wire.SERVERS}"}
    async with mesh_hubs(3) as here:
        hub, mesh = here[0].hub, here[0].mesh
        client, _ = await here.link(here[0], await here.register("node"), **offers)
        version, others = hub.reachable.version, dict(mesh.open)
        hub.send_away(True)
        with monkeypatch.context() as patch:
            patch.setattr(mesh, "open", dict([others.popitem()]))
            hub.send_away(True)
            assert hub.reachable.version == version
            patch.setattr(mesh, "open", {})
            hub.send_away(False)
            assert hub.reachable.version == version
            hub.send_away(True)
            asked = wire.read_servers((await client.receive()).payload)
            assert asked.leave
            assert set(asked.servers) == {(LOOPBACK, each.port) for each in here.hubs[1:]}
        hub.send_away(False)
        assert not wire.read_servers((await client.receive()).payload).leave
        (lost,) = here[0].lines.named("peers.lost")
        assert (lost["heard"], lost["of"]) == (1, 3)
        assert len(here[0].lines.named("peers.found")) == 1
