"""Connections to the link port that are no links yet: they keep nobody out, and each is counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from nc.hub.refusals import BEFORE_THE_REQUEST, Refusal
from tests.support.link_client import Closed, LinkClient
from tests.support.link_cluster import CONNECTED, HASTY, Cluster, Machine, cluster
from tests.support.whole_server import until

# A connection that is displaced at the very end of its handshake: aiofastnet still waits for the
# client's farewell when the test's loop ends.
pytestmark = [
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

HOURS_S = 4 * 3600.0
PATIENT = replace(HASTY, first_byte_timeout_s=HOURS_S, upgrade_timeout_s=HOURS_S)


@asynccontextmanager
async def strangers(
    here: Cluster, count: int, says: bytes = b"", host: str = "127.0.0.2"
) -> AsyncIterator[None]:
    """Connections from one address that say so much, and no more."""
    writers = []
    for _ in range(count):
        opened = asyncio.open_connection("127.0.0.1", here.port, local_addr=(host, 0))
        _, writer = await opened
        writer.write(says)
        writers.append(writer)
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


async def link_at_last(here: Cluster, machine: Machine) -> None:
    """Try as agents do: with so little patience a slow test machine may lose its place, too."""
    while here.state(machine) is not CONNECTED:
        with contextlib.suppress(Closed, OSError, asyncio.IncompleteReadError):
            await here.connect(machine)


async def test_silent_connections_give_way_the_oldest_first(data_dir: Path) -> None:
    """However many there are, and without any time limit, a node links; each is counted."""
    limits = replace(PATIENT, max_waiting=8)
    async with cluster(data_dir, limits=limits) as here:
        machine = await here.enrol()
        acceptor = here.server.hub.acceptor
        async with strangers(here, 50, host="127.0.0.1"):
            await until(lambda: acceptor.refused[Refusal.DISPLACED] == 42)
            assert len(acceptor.silent) == 8
            client, _ = await here.connect(machine)
            assert here.state(machine) is CONNECTED
            assert len(acceptor.silent) <= 8
            await client.vanish()
        await until(lambda: not acceptor.silent and not acceptor.ready and not acceptor.beginning)
        assert acceptor.turned_away == 50
        assert set(acceptor.refused) <= BEFORE_THE_REQUEST


async def test_the_first_byte_has_to_come_soon(data_dir: Path) -> None:
    limits = replace(PATIENT, first_byte_timeout_s=0.05)
    async with cluster(data_dir, limits=limits) as here:
        async with strangers(here, 5):
            await until(lambda: here.server.hub.acceptor.refused == {Refusal.SILENT: 5})
        await link_at_last(here, await here.enrol())


@pytest.mark.parametrize("says", [b"\x16\x03\x01\x02\x00\x01", b"\x16"])
async def test_those_that_stop_within_tls_give_way(data_dir: Path, says: bytes) -> None:
    """Places are few, and held for hours; a node gets one all the same, from any address."""
    limits = replace(PATIENT, max_newcomers=2, patience_s=0.02)
    async with cluster(data_dir, limits=limits) as here:
        machines = [await here.enrol() for _ in range(3)]
        acceptor = here.server.hub.acceptor
        for machine, host in zip(machines, ("127.0.0.1", "127.0.0.2", "127.0.0.3"), strict=True):
            async with strangers(here, 6, says, host):
                await until(lambda: len(acceptor.beginning) == 2)
                await link_at_last(here, machine)
        assert acceptor.refused[Refusal.DISPLACED] >= 3
        await until(lambda: not acceptor.ready and not acceptor.beginning)
        assert acceptor.turned_away == acceptor.refused.total() >= 18


async def test_one_address_does_not_keep_another_out(data_dir: Path) -> None:
    """With every place held, and more of a crowd than may wait: a node of another address links."""
    limits = replace(PATIENT, max_newcomers=2, max_waiting=20, patience_s=0.02)
    async with cluster(data_dir, limits=limits) as here:
        machine = await here.enrol()
        acceptor = here.server.hub.acceptor
        async with strangers(here, 40, b"\x16"):
            await until(lambda: acceptor.refused[Refusal.DISPLACED] >= 18)
            await link_at_last(here, machine)


async def test_a_cluster_behind_one_address_comes_back_as_a_whole(data_dir: Path) -> None:
    """More nodes at once than there are places: all link, and none is refused."""
    limits = replace(HASTY, max_newcomers=3)
    async with cluster(data_dir, limits=limits) as here:
        machines = [await here.enrol() for _ in range(24)]
        await asyncio.gather(*(here.connect(machine) for machine in machines))
        assert {here.state(machine) for machine in machines} == {CONNECTED}
        assert not here.server.hub.acceptor.refused


async def test_a_busy_server_displaces_nobody_who_waits_for_it(data_dir: Path) -> None:
    """With no patience at all: who has said something that was not read yet keeps its place."""
    limits = replace(PATIENT, max_newcomers=1, patience_s=0.0)
    async with cluster(data_dir, limits=limits, plaintext=True) as here:
        acceptor = here.server.hub.acceptor
        async with strangers(here, 1, b"G"):
            await until(lambda: len(acceptor.beginning) == 1)
            (one,) = acceptor.beginning
            assert not one.waits_for_us()
        await until(lambda: not acceptor.beginning)
        client = await LinkClient.reach(here.port)
        here.links.append(client)
        await until(lambda: len(acceptor.silent) == 1)
        (other,) = acceptor.silent
        assert not other.waits_for_us()
        client.send_raw(b"GET ")
        await client.drain()
        assert other.waits_for_us()  # the loop has not turned
