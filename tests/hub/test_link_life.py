"""A client that does exactly what the contract says, and what the log then says about it."""

import asyncio
import os
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from nc.domain.links import link_of
from nc.domain.profile import Facts
from nc.hub.ports import Drop
from nc.server.installation import Tuning
from nc.server.settings import ServerSettings
from tests.support.link_client import (
    BINARY,
    CLOSE,
    HELLO,
    PING,
    PONG,
    TEXT,
    Closed,
    Frame,
    LinkClient,
    packet,
)
from tests.support.link_cluster import CONNECTED, HASTY, IDLE, INIT, Cluster, cluster, logged_events
from tests.support.whole_server import LOOPBACK, PATIENCE_S, MovableClock, until

PACKET = packet("10.1.1.3", "10.1.1.5", bytes(range(256)) * 5)  # no UTF-8 at all

OFTEN = Tuning(link_limits=HASTY, certificate_check_interval_s=0.01)


async def test_a_link_from_its_beginning_to_its_end(data_dir: Path) -> None:
    """INIT when accepted, CONNECTED with the address that the answer tells, IDLE when closed.

    Address and CONNECTED are one entry, and the address stays the node's.
    """
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        client = await here.open(machine)
        await here.becomes(machine, INIT)
        assert await client.hand_shake() == "10.1.1.3/24"
        assert here.state(machine) is CONNECTED
        assert here.replica.state.addresses.address_of(machine.node_id) == "10.1.1.3"
        client.send(b"\x03\xe8", CLOSE)
        assert await client.receive() == Frame(CLOSE, b"\x03\xe8")
        await here.becomes(machine, IDLE)
        assert here.replica.state.addresses.address_of(machine.node_id) == "10.1.1.3"
        again, address = await here.connect(machine)
        assert address == "10.1.1.3"
        await again.vanish()
        await here.becomes(machine, IDLE)
        assert here.moves(machine)[:3] == [
            ("INIT", "link_accepted"),
            ("CONNECTED", "address_handed_over"),
            ("IDLE", "link_closed"),
        ]
        kinds = [event.WhichOneof("kind") for event in logged_events(here.server.folder.log)]
        assert kinds.count("address_bound") == 1


@pytest.mark.parametrize("plaintext", [False, True])
async def test_packets_arrive_as_text_byte_for_byte(data_dir: Path, plaintext: bool) -> None:
    """Text and Binary are taken alike, and what no UTF-8 is goes out as Text unless asked."""
    async with cluster(data_dir, plaintext=plaintext) as here:
        (one, _), (two, _) = [await here.connect(await here.enrol()) for _ in range(2)]
        for size in (20, 21, 125, 126, 1400, 8193, 65_535):
            content = PACKET[:2] + size.to_bytes(2) + (PACKET[4:] * 60)[: size - 4]
            for opcode in (TEXT, BINARY):
                one.send(content, opcode)
                assert await two.receive() == Frame(TEXT, content)


async def test_who_offers_the_subprotocol_speaks_it(data_dir: Path) -> None:
    """Between two such ends frames go through untouched, as Binary; others get plain packets."""
    async with cluster(data_dir) as here:
        offer = {"Sec-WebSocket-Protocol": "chat, nc.offload.1"}
        (one, _), (two, _) = [await here.connect(await here.enrol(), **offer) for _ in range(2)]
        plain, _ = await here.connect(await here.enrol(), Sec_WebSocket_Protocol="chat")
        assert [client.protocol for client in (one, two, plain)] == ["nc.offload.1"] * 2 + [""]
        header = b"\x00" * 9 + b"\x01"  # of no meaning, and so certainly not made anew
        one.send(header + PACKET, BINARY)
        assert await two.receive() == Frame(BINARY, header + PACKET)
        to_plain = packet("10.1.1.3", "10.1.1.7", b"x")
        one.send(bytes(10) + to_plain, BINARY)
        assert await plain.receive() == Frame(TEXT, to_plain)
        back = packet("10.1.1.7", "10.1.1.3", b"y")
        plain.send(back)
        assert await one.receive() == Frame(BINARY, bytes(10) + back)


async def test_nodes_that_are_kept_apart_reach_nobody(data_dir: Path) -> None:
    """With `interconnection: false` a packet for another node is dropped and counted."""
    async with cluster(data_dir, interconnection=False) as here:
        (one, _), (two, _) = [await here.connect(await here.enrol()) for _ in range(2)]
        one.send(PACKET)
        await until(lambda: bool(here.server.hub.switch.drops))
        assert here.server.hub.switch.drops == {"not_interconnected": 1}
        two.send(b"x", PING)
        assert await two.receive() == Frame(PONG, b"x")  # and nothing came before it


async def test_the_newer_link_wins(data_dir: Path) -> None:
    """The older is closed with a reason, and whatever it does late hurts nobody."""
    async with cluster(data_dir) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        old, address = await here.connect(machine)
        peer, _ = await here.connect(other)
        new, same_address = await here.connect(machine)
        assert same_address == address
        assert await old.receive() == Frame(
            CLOSE, (1008).to_bytes(2) + b"a newer link of this node took over"
        )
        await old.vanish()
        await until(lambda: len(here.server.hub.sockets) == 2)
        assert here.state(machine) is CONNECTED
        new.send(PACKET)
        assert (await peer.receive()).payload == PACKET
        peer.send(packet("10.1.1.5", "10.1.1.3"))
        assert (await new.receive()).payload == packet("10.1.1.5", "10.1.1.3")
        link_id = link_of(here.replica.state.links, machine.node_id).link_id
        assert [link.link_id for link in here.server.hub.sessions.values()].count(link_id) == 1
        assert ("IDLE", "link_superseded") in here.moves(machine)


async def test_the_older_link_carries_packets_until_the_newer_does(data_dir: Path) -> None:
    """Both ways while the newer one shakes hands; then, until it is closed, those from the node."""
    async with cluster(data_dir) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        old, address = await here.connect(machine)
        peer, peer_address = await here.connect(other)
        there, back = packet(address, peer_address), packet(peer_address, address)
        new = await here.open(machine)
        await here.becomes(machine, INIT)
        peer.send(back)
        assert (await old.receive()).payload == back
        old.send(there)
        assert (await peer.receive()).payload == there
        await new.hand_shake()
        assert (await old.receive()).opcode == CLOSE
        old.send(there)  # as if sent before the close frame came
        assert (await peer.receive()).payload == there
        peer.send(back)
        assert (await new.receive()).payload == back


async def test_an_older_link_ends_with_its_node(data_dir: Path) -> None:
    """An unregistered node sends nothing on any of its links, and leaves no address behind."""
    async with cluster(data_dir) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        old, address = await here.connect(machine)
        peer, peer_address = await here.connect(other)
        await here.open(machine)
        await here.becomes(machine, INIT)
        await here.unregister(machine)
        assert (await old.receive()).opcode == CLOSE
        old.send(packet(address, peer_address))
        await old.drain()
        await old.vanish()
        await until(lambda: len(here.server.hub.sockets) == 1)
        (last,) = here.server.hub.sessions.values()
        assert last.port.packets_out == 0
        peer.send(packet(peer_address, address))
        await until(lambda: here.server.hub.switch.drops[Drop.NOBODY_THERE] == 1)


async def test_a_link_that_takes_over_in_the_middle_of_a_handshake(data_dir: Path) -> None:
    """A link in INIT gives way too, and gets no address any more."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        old = await here.open(machine)
        await here.becomes(machine, INIT)
        new, _ = await here.connect(machine)
        old.send(HELLO)
        assert (await old.end()).code == 1008
        assert here.state(machine) is CONNECTED
        await new.vanish()


async def test_unregistering_closes_the_link(data_dir: Path) -> None:
    """At once, with the reason; the token opens no link any more, and the address is free."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        client, address = await here.connect(machine)
        await here.unregister(machine)
        assert not here.server.hub.sessions  # before the answer
        closed = await client.end()
        assert (closed.code, closed.reason) == (1008, "the node was unregistered")
        refused = await LinkClient.refusal(here.port, machine.token, machine.tls)
        assert (refused.code, refused.reason[:25]) == (1008, "the node was unregistered")
        _, same_address = await here.connect(await here.enrol())
        assert same_address != address  # those that nobody had come first
        assert here.moves(machine)[-1] == ("IDLE", "unregistered")
        opened, ended = (here.lines.named(f"link.{what}")[0] for what in ("opened", "closed"))
        assert ended["node"] == opened["node"] != ""


async def test_a_node_that_is_gone_with_the_record_that_connects_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HandOverAddress and Unregister in one batch: the node is told of its end, and no address."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        client = await here.open(machine)
        await here.becomes(machine, INIT)
        log: Any = here.server.server._parts.log
        append, gate = log._run_blocking, asyncio.Event()

        async def append_later(function: Callable[[], Any]) -> Any:
            await gate.wait()
            return await append(function)

        monkeypatch.setattr(log, "_run_blocking", append_later)
        waiting = here.replica.queue
        other = asyncio.create_task(here.enrol())
        await until(lambda: len(waiting) == 1)
        client.send(HELLO)
        await until(lambda: len(waiting) == 2)
        gone = asyncio.create_task(here.unregister(machine))
        await until(lambda: len(waiting) == 3)
        gate.set()
        await asyncio.gather(other, gone)
        assert await client.receive() == Frame(
            CLOSE, (1008).to_bytes(2) + b"the node was unregistered"
        )
        assert ("CONNECTED", "address_handed_over") in here.moves(machine)
        assert not here.server.hub.switch.ports


async def test_expiry_closes_the_link(data_dir: Path) -> None:
    """Said for a moment that is past, at once; for one that comes, within a sweep."""
    clock = MovableClock()
    async with cluster(data_dir, clock=clock) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        client, _ = await here.connect(machine)
        await here.expire(machine, 1)
        assert not here.server.hub.sessions
        closed = await client.end()
        assert (closed.code, closed.reason) == (1008, "the node token expired")
        refused = await LinkClient.refusal(here.port, machine.token, machine.tls)
        assert (refused.code, refused.reason[:26]) == (1008, "the node token expired at ")
        await here.expire(machine, 0)
        client, _ = await here.connect(machine)
        other_client, _ = await here.connect(other)
        await here.expire(machine, clock.now_ns() // 1_000_000_000 + 60)
        clock.ahead_ms = 120_000
        assert (await client.end()).code == 1008
        assert here.moves(machine)[-1] == ("IDLE", "expired")
        assert here.state(other) is CONNECTED
        await other_client.vanish()


async def test_a_clean_stop_says_goodbye(data_dir: Path) -> None:
    """Every link is closed with 1001, a handshake too; ReplicaStopped is the last event."""
    async with cluster(data_dir) as here:
        machines = [await here.enrol() for _ in range(3)]
        clients = [(await here.connect(machine))[0] for machine in machines[:2]]
        clients.append(await here.open(machines[2]))
        await here.becomes(machines[2], INIT)
        ends = [asyncio.create_task(client.end()) for client in clients]
    assert {(await end).code for end in ends} == {1001}
    events = logged_events(here.server.folder.log)
    assert events[-1].HasField("replica_stopped")
    for machine in machines:
        assert here.moves(machine)[-1] == ("IDLE", "replica_stopped")
    lines = here.lines.named("link.closed")
    assert {line["reason"] for line in lines} == {"replica_stopped"}


async def test_who_does_not_say_goodbye_does_not_hold_the_stop_up(data_dir: Path) -> None:
    """A client that answers nothing is cut off."""
    async with cluster(data_dir) as here:
        client, _ = await here.connect(await here.enrol())
    assert here.lines.named("server.stopped")
    assert not here.server.hub.sockets
    assert not here.server.hub.tasks
    await client.vanish()


async def test_the_server_asks_for_a_sign_of_life_and_drops_who_gives_none(
    data_dir: Path,
) -> None:
    """Whoever answers a ping stays, whoever pings itself too; who is silent is gone, as such."""
    async with cluster(data_dir, limits=replace(HASTY, silence_timeout_s=0.6)) as here:
        silent, answering, pinging = [await here.enrol() for _ in range(3)]
        mute, _ = await here.connect(silent)
        lively, _ = await here.connect(answering)
        keeper, _ = await here.connect(pinging)
        alive = asyncio.create_task(lively.end())

        async def keep_pinging() -> None:
            while True:
                keeper.send(b"", PING)
                await asyncio.sleep(0.05)

        pings = asyncio.create_task(keep_pinging())
        await here.becomes(silent, IDLE)
        assert here.moves(silent)[-1] == ("IDLE", "link_silent")
        assert (here.state(answering), here.state(pinging)) == (CONNECTED, CONNECTED)
        pings.cancel()
        await here.becomes(pinging, IDLE)
        assert here.state(answering) is CONNECTED
        assert (await mute.receive()).opcode == PING
        assert not alive.done()
    assert (await alive).code == 1001


async def test_a_renewed_certificate_reaches_new_connections(data_dir: Path) -> None:
    """Old links stay; who comes after the renewal is shown the new certificate."""
    clock = MovableClock()
    async with cluster(data_dir, clock=clock, tuning=OFTEN) as here:
        machine = await here.enrol()
        client, _ = await here.connect(machine)
        serial = await shown(here, machine.tls)
        clock.ahead_ms = 340 * 24 * 60 * 60 * 1000
        async with asyncio.timeout(PATIENCE_S):
            while await shown(here, machine.tls) == serial:
                pass
        assert here.state(machine) is CONNECTED
        await client.vanish()


async def shown(here: Cluster, tls: ssl.SSLContext | None) -> int:
    """The serial of the certificate that the link port shows, though it begins in the future."""
    assert tls is not None
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    probe = await LinkClient.reach(here.port, tls)
    await probe.vanish()
    return x509.load_der_x509_certificate(probe.server_certificate_der).serial_number


async def test_a_full_pool_turns_the_newcomer_away(data_dir: Path) -> None:
    """With every address held by a connected node: 1013 with the reason, and still IDLE.

    Once one of them is IDLE, its address is the newcomer's.
    """
    async with cluster(data_dir, network_addr="10.1.1.1/29") as here:
        machines = [await here.enrol() for _ in range(3)]
        first, address = await here.connect(machines[0])
        second, _ = await here.connect(machines[1])
        with pytest.raises(Closed, match="no overlay address is free") as refusal:
            await here.connect(machines[2])
        assert refusal.value.code == 1013
        assert here.state(machines[2]) is IDLE
        assert here.moves(machines[2]) == []
        await first.vanish()
        await here.becomes(machines[0], IDLE)
        third, freed = await here.connect(machines[2])
        assert freed == address
        for client in (second, third):
            await client.vanish()


async def test_no_token_in_any_line(data_dir: Path) -> None:
    """Links are told of by ids: a line each for what opened, closed and was refused."""
    async with cluster(data_dir) as here:
        machine, stranger = [await here.enrol() for _ in range(2)]
        client, address = await here.connect(machine)
        await client.vanish()
        await here.becomes(machine, IDLE)
        await LinkClient.refusal(here.port, stranger.token, machine.tls)
    (opened,), (closed,) = (here.lines.named(f"link.{what}") for what in ("opened", "closed"))
    assert (opened["node_id"], opened["address"]) == (machine.node_id, address)
    assert (closed["link_id"], closed["reason"]) == (opened["link_id"], "link_closed")
    assert [line["status"] for line in here.lines.named("link.refused")] == [403]
    for token in (machine.token, stranger.token):
        assert token not in repr(here.lines)
    assert not here.lines.named("link.crashed")


def test_the_port_may_be_any() -> None:
    """Port 0 is whichever is free."""
    settings = ServerSettings(data_dir=Path(os.devnull), advertise=(LOOPBACK,), link_port=0)
    assert settings.link_port == 0


async def test_the_log_has_what_a_machine_says_of_itself(data_dir: Path) -> None:
    """And where it links from, once for as long as that is the same; what it leaves out stays."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()

        def facts() -> Facts:
            return here.replica.state.nodes[machine.node_id].profile.facts

        async def link(expected: Facts, **headers: str) -> None:
            client, _ = await here.connect(machine, **headers)
            await until(lambda: facts() == expected)
            await client.vanish()
            await here.becomes(machine, IDLE)

        said = Facts("web-1", "Debian \N{SNOWMAN}", peer_address="127.0.0.1")
        for _ in range(2):
            await link(said, nc_machine_hostname="web-1", nc_machine_os="Debian%20%E2%98%83")
        await link(said)
        await link(
            said._replace(hostname="web-2\N{REPLACEMENT CHARACTER}"), nc_machine_hostname="web-2%1B"
        )
        kinds = [event.WhichOneof("kind") for event in logged_events(here.server.folder.log)]
        assert kinds.count("node_facts_reported") == 2
