"""Three servers of NATS that keep one stream, and writers that append to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import nats as nats_client

from eventlog import (
    LogBusy,
    LogError,
    LogReader,
    LogRewound,
    LogUnavailable,
    SequenceConflict,
    jetstream,
)
from eventlog.jetstream import JetStreamLog
from tests.support.nats_servers import NatsServer, address_of, free_port

__all__ = ["TIMEOUT_S", "check", "leader_of", "made", "more", "opened", "three_servers", "writing"]

TIMEOUT_S = 600  # an election takes seconds, and a busy machine a minute


@contextlib.contextmanager
def three_servers(
    folder: Path, stores: Mapping[int, Path] | None = None
) -> Iterator[list[NatsServer]]:
    """A cluster; all its servers have the same monitoring port.

    Args:
        folder: of their files.
        stores: where a server of this number keeps streams, if not there.
    """
    hosts = {number: f"127.0.1.{number}" for number in (1, 2, 3)}
    routes = {number: (host, free_port(host)) for number, host in hosts.items()}
    servers = [
        NatsServer(folder / f"n{n}", number=n, routes=routes, store=(stores or {}).get(n))
        for n in hosts
    ]
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
    info = await client.jetstream(timeout=TIMEOUT_S).stream_info("L")
    await client.close()
    assert info.cluster is not None
    assert info.cluster.leader is not None
    return servers[int(info.cluster.leader.removeprefix("n")) - 1]


async def opened(address: str, copy: Path, *, only_reads: bool = False) -> JetStreamLog:
    """The log, once servers that have just been started or lost one agree who leads."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                return await jetstream.open(address, copy, only_reads=only_reads)
            except LogRewound:
                raise
            except LogUnavailable:
                await asyncio.sleep(0.1)


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
    logs = [await opened(address, folder / f"w{n}") for n in range(writers)]
    stop = asyncio.Event()  # the client's own waits may lose a cancellation
    async with asyncio.TaskGroup() as tasks:  # one that dies ends the test
        for n, log in enumerate(logs):
            tasks.create_task(append_on(log, n, acknowledged, stop))
        try:
            yield acknowledged
        finally:
            stop.set()
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
        log = await opened(address, folder / "reader", only_reads=True)
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
