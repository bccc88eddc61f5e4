"""A node's newer link takes over from the older one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nc.domain.links import link_of
from nc.hub.ports import Drop
from nc.net import wire
from nc.net.wire import Close
from tests.support.link_client import CLOSE, HELLO, Frame, LinkClient, packet
from tests.support.link_cluster import CONNECTED, INIT, Cluster, Machine, cluster
from tests.support.whole_server import until

PACKET = packet("10.1.1.3", "10.1.1.5")


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


ENDS: dict[str, tuple[Callable[[Cluster, Machine, LinkClient], Awaitable[None]], Close]] = {
    "breaks": (lambda _here, _machine, newer: newer.vanish(), wire.NEWER_FAILED),
    "is refused": (lambda _here, _machine, newer: _say(newer, b"no"), wire.NEWER_FAILED),
    "unregistered": (lambda here, machine, _newer: here.unregister(machine), wire.UNREGISTERED),
    "stop": (lambda here, _machine, _newer: here.server.hub.stop(), wire.STOPPING),
}


async def _say(link: LinkClient, text: bytes) -> None:
    link.send(text)
    await link.drain()


@pytest.mark.parametrize("end", ENDS)
async def test_an_older_link_says_why_the_newer_one_did_not_take_over(
    data_dir: Path, end: str
) -> None:
    """Nothing took over: a node without any link is to come back at once, if it may."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        old, _ = await here.connect(machine)
        new = await here.open(machine)
        await here.becomes(machine, INIT)
        begin, close = ENDS[end]
        begun = asyncio.ensure_future(begin(here, machine, new))
        ended = await old.end()
        await old.vanish()
        await begun
        assert (ended.code, ended.reason) == (close.code, close.reason)


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
