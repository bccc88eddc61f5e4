"""A client that does exactly what the contract says, and what the log then says about it."""

import asyncio
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from nc.domain.profile import Facts
from nc.server.installation import Tuning
from nc.server.settings import ServerSettings
from tests.support.link_client import (
    BINARY,
    CLOSE,
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
