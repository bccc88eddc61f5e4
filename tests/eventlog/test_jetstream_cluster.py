"""A stream on three servers: what was acknowledged stays, whichever of them fails."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats as nats_client
import pytest

from eventlog import LogBusy, LogError, LogReader, SequenceConflict, jetstream
from eventlog.jetstream import JetStreamLog
from tests.support.nats_servers import NatsServer, address_of, free_port

pytestmark = [  # as that fixture says
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

TIMEOUT_S = 120  # an election takes seconds, and the machine may be busy


@contextlib.contextmanager
def three_servers(folder: Path) -> Iterator[list[NatsServer]]:
    """A cluster; all its servers have the same monitoring port."""
    hosts = {number: f"127.0.1.{number}" for number in (1, 2, 3)}
    routes = {number: (host, free_port(host)) for number, host in hosts.items()}
    servers = [NatsServer(folder / f"n{n}", number=n, routes=routes) for n in hosts]
    monitor = free_port("")
    try:
        for server in servers:
            server.start(monitor)
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.kill()


async def made(servers: list[NatsServer]) -> str:
    """A stream that all three keep, once they agree to have it."""
    address = address_of(*servers, stream="L")
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                await jetstream.make(address, replicas=3)
            except LogError:
                await asyncio.sleep(0.1)
            else:
                return address


async def leader_of(servers: list[NatsServer]) -> NatsServer:
    client = await nats_client.connect([f"nats://{s.host}:{s.port}" for s in servers])
    info = await client.jetstream().stream_info("L")
    await client.close()
    assert info.cluster is not None
    assert info.cluster.leader is not None
    return servers[int(info.cluster.leader.removeprefix("n")) - 1]


async def append_on(
    log: JetStreamLog, name: int, acknowledged: list[tuple[int, bytes]], stop: asyncio.Event
) -> None:
    """Append until the stop, whatever others do; notes what was acknowledged."""
    number = 0
    while not stop.is_set():
        payload = b"%d:%d" % (name, number)
        try:
            acknowledged.append((await log.append(payload, 1, log.last_seq), payload))
        except SequenceConflict:
            await asyncio.sleep(0.001)
        except LogBusy:  # it may have happened, so the same is not appended again
            number += 1
        else:
            number += 1


@contextlib.asynccontextmanager
async def writing(
    address: str, folder: Path, writers: int
) -> AsyncIterator[list[tuple[int, bytes]]]:
    """Writers that go on until the end; what was acknowledged to them."""
    acknowledged: list[tuple[int, bytes]] = []
    logs = [await jetstream.open(address, folder / f"w{n}") for n in range(writers)]
    stop = asyncio.Event()  # the client's own waits may lose a cancellation
    tasks = [
        asyncio.create_task(append_on(log, n, acknowledged, stop)) for n, log in enumerate(logs)
    ]
    try:
        yield acknowledged
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        for log in logs:
            await log.close()


async def more(acknowledged: list[tuple[int, bytes]], count: int) -> None:
    """Until so many more appends were acknowledged."""
    wanted = len(acknowledged) + count
    async with asyncio.timeout(TIMEOUT_S):
        while len(acknowledged) < wanted:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def check(address: str, folder: Path, acknowledged: list[tuple[int, bytes]]) -> None:
    """What was acknowledged is in the log, where it was said to be, and nothing is there twice."""
    async with asyncio.timeout(TIMEOUT_S):
        log = await jetstream.open(address, folder / "reader", only_reads=True)
        while True:
            with contextlib.suppress(LogBusy):
                await log.barrier()
                break
    found = {record.first_seq: record.payload for record in log.read()}
    assert [found.get(seq) for seq, _ in acknowledged] == [payload for _, payload in acknowledged]
    assert len(set(found.values())) == len(found)
    head = log.head
    await log.close()
    assert LogReader(folder / "reader").head == head


async def test_the_leading_server_dies(tmp_path: Path) -> None:
    """Killed at once while it is written to: appends go on at the others, and none is lost."""
    with three_servers(tmp_path / "nats") as servers:
        address = await made(servers)
        async with writing(address, tmp_path, writers=1) as acknowledged:
            await more(acknowledged, 50)
            (await leader_of(servers)).kill()
            await more(acknowledged, 50)
        await check(address, tmp_path, acknowledged)
        log = await jetstream.open(address, tmp_path / "w0")  # although one server is down
        assert await log.append(b"last", 1, log.last_seq) == log.last_seq
        await log.close()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
async def test_faults_of_every_kind(seed: int, tmp_path: Path) -> None:
    """Kills, pauses and losses of one server at a time, with two writers, in any order."""
    pick = random.Random(seed)  # noqa: S311 - no secret
    with three_servers(tmp_path / "nats") as servers:
        address = await made(servers)
        async with writing(address, tmp_path, writers=2) as acknowledged:
            for _ in range(6):
                await more(acknowledged, 30)
                server = pick.choice(servers)
                match pick.choice(("kill", "pause", "lose")):
                    case "kill":
                        server.kill()
                        await more(acknowledged, 30)
                        server.start(server.monitor)
                    case "pause":
                        server.pause()
                        await more(acknowledged, 30)
                        server.go_on()
                    case _:
                        server.kill()
                        server.forget()
                        server.start(server.monitor)
                for each in servers:
                    each.wait()
        await check(address, tmp_path, acknowledged)
