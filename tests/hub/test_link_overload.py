"""Links when there is no room: for a slow reader, for one more link, or in the log."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogFull
from nc.domain.updates import ReportFacts
from nc.hub.limits import Limits
from nc.hub.ports import MAX_QUEUED_BYTES
from nc.replica.errors import OutcomeOpen
from tests.support.link_client import (
    HELLO,
    PING,
    Closed,
    NoUpgrade,
    frame,
    packet,
)
from tests.support.link_cluster import CONNECTED, HASTY, IDLE, cluster
from tests.support.whole_server import PATIENCE_S, until


async def test_a_slow_reader_loses_its_own_packets_alone(data_dir: Path) -> None:
    """Beyond a bounded queue its packets are dropped and counted; nobody else waits or loses."""
    async with cluster(data_dir) as here:
        (one, _), (slow, _), (quick, _) = [await here.connect(await here.enrol()) for _ in range(3)]
        drops = here.server.hub.switch.drops
        large = packet("10.1.1.3", "10.1.1.5", bytes(60_000))
        rounds = 0
        while not drops and rounds < 1000:
            for _ in range(10):
                one.send(large)
            await one.drain()
            rounds += 1
            one.send(packet("10.1.1.3", "10.1.1.7", rounds.to_bytes(2)))
            assert (await quick.packet())[20:] == rounds.to_bytes(2)
        (port,) = (n.port for n in here.server.hub.sessions.values() if n.port.drops)
        assert set(drops) == {"slow_reader"}
        assert port.drops == drops
        assert port.queued_bytes() < MAX_QUEUED_BYTES + 2 * 65_536
        got = 0
        async with asyncio.timeout(PATIENCE_S):
            while got < port.packets_out:
                assert await slow.packet() == large
                got += 1
        one.send(large)  # and it can go on
        assert await slow.packet() == large


async def test_pings_of_a_client_that_reads_nothing_cost_no_memory(data_dir: Path) -> None:
    """Beyond a bounded queue they are not answered any more; the link lives on."""
    async with cluster(data_dir, plaintext=True) as here:
        client, address = await here.connect(await here.enrol())
        pings = frame(PING, bytes(125)) * 1000
        for _ in range(200):
            client.send_raw(pings)
            await client.drain()
        client.send(packet(address, address))
        (link,) = here.server.hub.sessions.values()
        await until(lambda: link.port.packets_in == 1)
        assert link.port.queued_bytes() < MAX_QUEUED_BYTES + 1000


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (replace(HASTY, max_links=1), "has 1 links and takes no more"),
        (replace(HASTY, max_handshakes=1), "too many nodes are connecting"),
    ],
)
async def test_beyond_a_limit_is_a_503(data_dir: Path, limits: Limits, words: str) -> None:
    """A link too many, or a handshake, is told to try again; once there is room it gets in."""
    async with cluster(data_dir, limits=limits) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        first = await here.open(machine)
        with pytest.raises(NoUpgrade, match=words) as refusal:
            await here.open(other)
        assert refusal.value.status == 503
        await first.vanish()
        await until(lambda: not here.server.hub.sockets)
        await here.connect(other)


async def test_a_full_disk_refuses_links_and_forgets_none(data_dir: Path) -> None:
    """Who comes is told 1013 and why; who goes meanwhile is IDLE as soon as there is room."""
    async with cluster(data_dir) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        client, _ = await here.connect(machine)
        await until(lambda: not here.server.hub.tasks)  # the machine's facts are recorded
        here.replica._suspend(LogFull("log", "no room"))  # as an append that found no room does
        here.replica.queue.wake()
        with pytest.raises(Closed, match="the server's disk is full") as refusal:
            await here.connect(other)
        assert refusal.value.code == 1013
        await until(lambda: not here.server.hub.tasks)  # nothing waits for the disk
        assert here.replica.lacking.is_set()
        await client.vanish()
        await until(lambda: not here.server.hub.sessions)
        assert here.state(machine) is CONNECTED  # so the log says, for now
        await here.becomes(machine, IDLE)
        await here.connect(other)
        assert here.moves(machine)[-1] == ("IDLE", "link_closed")


async def test_a_log_that_cannot_be_written_refuses_links_and_keeps_those_there(
    data_dir: Path,
) -> None:
    """1013 with the reason for who comes; packets flow on between those who are connected."""
    async with cluster(data_dir) as here:
        (one, _), (two, _) = [await here.connect(await here.enrol()) for _ in range(2)]
        other = await here.enrol()
        here.replica._fail(OSError("the disk is gone"))
        with pytest.raises(Closed, match="the event log cannot be written") as refusal:
            await here.connect(other)
        assert refusal.value.code == 1013
        content = packet("10.1.1.3", "10.1.1.5", b"still here")
        one.send(content)
        assert await two.packet() == content


async def test_an_overloaded_replica_refuses_links(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too many commands waiting: 1013, and the node stays IDLE."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        monkeypatch.setattr(here.replica.queue, "max_commands", 0)
        with pytest.raises(Closed, match="too many requests") as refusal:
            await here.connect(machine)
        assert refusal.value.code == 1013
        monkeypatch.undo()
        assert here.moves(machine) == []
        await here.connect(machine)


async def test_a_link_that_is_gone_before_its_address_is_written(data_dir: Path) -> None:
    """What was on its way when the client vanished leaves nothing behind: no link, no port."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        for _ in range(10):
            client = await here.open(machine)
            client.send(HELLO)
            await client.vanish()
        await until(lambda: not here.server.hub.sockets)
        await here.quiet()
        assert not here.server.hub.switch.ports
        assert not here.server.hub.handshakes


async def test_facts_of_which_the_record_is_open_are_no_error(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while too few servers keep the log: the link goes on, and the next one has them too."""
    async with cluster(data_dir, limits=HASTY) as here:
        submit, asked = here.replica.submit, []

        async def busy(command: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(command, ReportFacts):
                asked.append(command)
                raise OutcomeOpen
            return await submit(command, *arguments, **options)

        monkeypatch.setattr(here.replica, "submit", busy)
        machine = await here.enrol()
        client, _ = await here.connect(machine)
        (link,) = here.server.hub.sessions.values()
        await here.server.hub._recorder.report(link)
        assert asked
        assert here.state(machine) is CONNECTED
        await client.vanish()
