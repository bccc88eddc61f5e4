"""Many links that open, close, break and take over at random: log, projections and hub agree.

What must hold whenever things have come to rest: a node is CONNECTED exactly if it has one live
link, which is the one that the log names, and its address leads there; a replay of the log gives
the state. And once everybody has gone: no socket, no task, no object is left.
"""

import asyncio
import contextlib
import gc
import random
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.domain.codec.records import entries_in
from nc.domain.evolve import evolve_entries
from nc.domain.state import State
from nc.hub.connection import AcceptedConnection
from nc.hub.limits import Limits
from nc.hub.session import Session
from tests.support.link_client import BINARY, CLOSE, HELLO, Closed, LinkClient, NoUpgrade, packet
from tests.support.link_cluster import CONNECTED, Cluster, Machine, cluster, logged_events
from tests.support.whole_server import until


class Walk:
    """Machines that do at random what machines do; each seed is one walk."""

    def __init__(self, here: Cluster, machines: list[Machine], seed: int) -> None:
        self.here = here
        self.machines = machines
        self.random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.live: list[LinkClient] = []
        self.expiring: list[Machine] = []  # an operator is at it, and finishes first

    async def step(self) -> None:
        """One machine does one thing, however it ends."""
        machine = self.random.choice(self.machines)
        deeds: list[Callable[[Machine], Awaitable[None]]] = [
            self.connect,
            self.connect,
            self.connect,
            self.knock,
            self.vanish,
            self.leave,
            self.talk,
            self.expire,
            self.replace,
            self.break_the_rules,
        ]
        with contextlib.suppress(Closed, NoUpgrade):
            await self.random.choice(deeds)(machine)

    async def connect(self, machine: Machine) -> None:
        """Open a link, whether there is one or not."""
        client, _ = await self.here.connect(machine)
        self.live.append(client)

    async def knock(self, machine: Machine) -> None:
        """Get no further than INIT."""
        client = await self.here.open(machine)
        if self.random.random() < 0.5:
            client.send(HELLO)
        await client.vanish()

    async def vanish(self, _: Machine) -> None:
        """Some link breaks."""
        if self.live:
            await self.live.pop(self.random.randrange(len(self.live))).vanish()

    async def leave(self, _: Machine) -> None:
        """Some link is closed as one should."""
        if self.live:
            self.live.pop(self.random.randrange(len(self.live))).send(b"\x03\xe8", CLOSE)

    async def talk(self, _: Machine) -> None:
        """Some link carries packets, right ones and wrong ones."""
        if self.live:
            client = self.random.choice(self.live)
            for host in (3, 5, 7, 1, 200):
                client.send(packet("10.1.1.3", f"10.1.1.{host}", b"x"), BINARY)

    async def expire(self, machine: Machine) -> None:
        """An operator lets a node expire, and brings it back."""
        self.expiring.append(machine)
        if machine in self.machines:
            await self.here.expire(machine, 1)
            await self.here.expire(machine, 0)
        self.expiring.remove(machine)

    async def replace(self, machine: Machine) -> None:
        """An operator unregisters a node, whatever it is about; another one joins."""
        if machine in self.machines and machine not in self.expiring:
            self.machines.remove(machine)
            await self.here.unregister(machine)
            self.machines.append(await self.here.enrol())

    async def break_the_rules(self, _: Machine) -> None:
        """Some client sends what no client may."""
        if self.live:
            self.random.choice(self.live).send_raw(self.random.randbytes(20))

    async def go_home(self) -> None:
        """Everybody's link breaks."""
        for client in self.here.links:
            await client.vanish()
        self.here.links.clear()
        self.live.clear()


def agree(here: Cluster) -> bool:
    """Whether hub, switch and projections say the same."""
    hub, state = here.server.hub, here.replica.state
    live = {(link.node_id, link.link_id) for link in hub.sessions.values()}
    if live != {(node_id, link.link_id) for node_id, link in state.links.items()}:
        return False
    connected = {
        int(IPv4Address(state.addresses.address_of(node_id))): link.link_id
        for node_id, link in state.links.items()
        if link.state is CONNECTED
    }
    ports = {hub.sessions[link_id].port: address for address, link_id in connected.items()}
    return {port: address for address, port in hub.switch.ports.items()} == ports


def replayed(here: Cluster) -> State:
    """What the log amounts to."""
    return evolve_entries(State(), entries_in(LogReader(here.server.folder.log).read()))


def open_files() -> int:
    """File descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def left_over() -> int:
    """Links and connections that are still in memory."""
    gc.collect()
    return sum(isinstance(thing, Session | AcceptedConnection) for thing in gc.get_objects())


async def walk(here: Cluster, machines: int, steps: int, at_once: int, seed: int) -> None:
    """Walk, and look at everything whenever it has come to rest."""
    party = Walk(here, [await here.enrol() for _ in range(machines)], seed)
    await here.connect(party.machines[0])  # whatever is made once is there from now on
    await party.go_home()
    await here.quiet()
    await until(lambda: not here.server.hub.sockets)
    files, tasks = open_files(), len(asyncio.all_tasks())
    for _ in range(steps // at_once):
        await asyncio.gather(*(party.step() for _ in range(at_once)))
        await until(lambda: not here.server.hub.handshakes and agree(here))
        assert replayed(here).links == here.replica.state.links
    assert any(event.HasField("address_bound") for event in logged_events(here.server.folder.log))
    await party.go_home()
    await here.quiet()
    await until(lambda: not here.server.hub.sockets)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    await until(lambda: open_files() <= files)
    assert here.server.hub.switch.ports == {}
    assert not here.lines.named("link.crashed")
    await until(lambda: left_over() == 0)


@pytest.mark.parametrize("seed", range(2))
async def test_log_projections_and_hub_agree(data_dir: Path, seed: int) -> None:
    """Eight machines, a hundred and twenty deeds, eight at a time."""
    async with cluster(data_dir) as here:
        await walk(here, machines=8, steps=120, at_once=8, seed=seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
async def test_a_thousand_links_agree(data_dir: Path, seed: int) -> None:
    """Three hundred machines that open some thousand links, fifty at a time."""
    async with cluster(data_dir, network_addr="10.1.1.1/16") as here:
        await walk(here, machines=300, steps=4000, at_once=50, seed=seed)
        opened = len(here.lines.named("link.opened"))
        assert opened > 1000


@pytest.mark.long
async def test_sixty_real_seconds_of_silence(data_dir: Path) -> None:
    """With the limits as they are: a silent link is IDLE after 60 s, not before."""
    async with cluster(data_dir, limits=Limits()) as here:
        machine = await here.enrol()
        await here.connect(machine)
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(2 * 60):
            while here.state(machine) is CONNECTED:  # noqa: ASYNC110 - as `until`, but for longer
                await asyncio.sleep(0.1)
        assert loop.time() - began >= 59.9
        assert here.moves(machine)[-1] == ("IDLE", "link_silent")
