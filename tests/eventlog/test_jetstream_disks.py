"""A stream on three servers whose disks fill up, go back or rot: nothing lost, or it is noticed.

These tests hold what `docs/how-to/replicas.md` tells operators to do then.
"""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog import LogBusy, LogRewound, LogUnreachable, jetstream
from eventlog.jetstream import JetStreamLog, StreamAddress
from eventlog.jetstream.connection import connect, disconnect
from eventlog.jetstream.messages import fetch
from tests.support.nats_cluster import (
    TIMEOUT_S,
    check,
    made,
    more,
    opened,
    three_servers,
    writing,
)
from tests.support.nats_servers import NatsServer, flip_bit
from tests.support.rights import MAY_MOUNT

pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("forgotten_sockets"),  # as that fixture says
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SMALL = "16m"  # JetStream starts with less


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


@contextlib.contextmanager
def small_disks(folder: Path, count: int) -> Iterator[dict[int, Path]]:
    """A disk each for the first servers, and a folder in it."""
    disks = {number: folder / f"disk{number}" for number in range(1, count + 1)}
    with contextlib.ExitStack() as stack:
        for disk in disks.values():
            disk.mkdir()
            run("mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", disk)
            stack.callback(run, "umount", disk)
        yield {number: disk / "store" for number, disk in disks.items()}


def fill(store: Path) -> Path:
    """Take all the room that a store's disk has left; the file that has it."""
    filler = store.with_name("filler")
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


@pytest.mark.skipif(not MAY_MOUNT, reason="it takes CAP_SYS_ADMIN to mount a tmpfs")
@pytest.mark.parametrize("count", [1, 2])
async def test_full_disks(count: int, tmp_path: Path) -> None:
    """Of one server: appends go on. Of two: LogBusy, and reading goes on.

    NATS then does without JetStream until it is started again: with room, nothing is lost.
    """
    with (
        small_disks(tmp_path, count) as stores,
        three_servers(tmp_path / "nats", stores) as servers,
    ):
        address = await made(servers)
        async with writing(address, tmp_path, writers=1) as acknowledged:
            await more(acknowledged, 20)
        fillers = [fill(store) for store in stores.values()]
        log = await jetstream.open(address, tmp_path / "w0")
        busy = 0
        while not busy and log.last_seq < 2000:
            try:
                payload = b"%d" % log.last_seq * 500
                acknowledged.append((await log.append(payload, 1, log.last_seq), payload))
            except LogBusy:
                busy += 1
        assert busy == count - 1
        assert acknowledged[0] in [(record.first_seq, record.payload) for record in log.read()]
        await log.close()
        for server, filler in zip(servers, fillers, strict=False):
            filler.unlink()
            server.kill()
            server.start(server.monitor)
            server.wait()
        await check(address, tmp_path, acknowledged)
        servers[2].kill()  # so the others are needed
        async with writing(address, tmp_path, writers=1) as acknowledged:
            await more(acknowledged, 20)


def stop(servers: list[NatsServer]) -> None:
    for server in servers:
        server.kill()


def start(servers: list[NatsServer]) -> None:
    for server in servers:
        server.start(server.monitor)
    for server in servers:
        server.wait()


def put_back(servers: list[NatsServer], folder: Path) -> None:
    """Give servers that are stopped the stores that were kept in a folder."""
    for server in servers:
        server.forget()
        shutil.copytree(folder / str(server.number), server.store)


async def test_an_old_copy_at_one_server(tmp_path: Path) -> None:
    """It is given what it lacks by the others, and may be relied on again."""
    with three_servers(tmp_path / "nats") as servers:
        address = await made(servers)
        async with writing(address, tmp_path, writers=1) as acknowledged:
            await more(acknowledged, 30)
            stop(servers[:1])
            shutil.copytree(servers[0].store, tmp_path / "old/1")
            start(servers[:1])
            await more(acknowledged, 60)
            stop(servers[:1])
            put_back(servers[:1], tmp_path / "old")
            start(servers[:1])
            await more(acknowledged, 30)
            stop(servers[1:2])
            await more(acknowledged, 30)
        await check(address, tmp_path, acknowledged)


async def test_old_copies_at_two_servers(tmp_path: Path) -> None:
    """They outvote the third. Who appends notices, and who starts with a newer copy.

    Emptied, they are given everything by the third, and have no say before.
    """
    with three_servers(tmp_path / "nats") as servers:
        address = await made(servers)
        async with writing(address, tmp_path, writers=1) as acknowledged:
            await more(acknowledged, 30)
        stop(servers)
        for server in servers[:2]:
            shutil.copytree(server.store, tmp_path / "old" / str(server.number))
        start(servers)
        log = await opened(address, tmp_path / "w0")
        for number in range(30):
            payload = b"later %d" % number
            acknowledged.append((await log.append(payload, 1, log.last_seq), payload))
        stop(servers)
        put_back(servers[:2], tmp_path / "old")
        start(servers[:2])
        with pytest.raises(LogRewound):
            await until_no_longer_busy(log)
        assert isinstance(log.failure, LogRewound)
        await log.close()
        with pytest.raises(LogRewound, match="put the right one back"):
            await jetstream.open(address, tmp_path / "w0")
        stop(servers[:2])
        servers[0].forget()
        servers[1].forget()
        for server in (servers[0], servers[2]):
            server.start(server.monitor)
        for _ in range(3):  # no majority, and the last record is not given without one
            with pytest.raises(LogUnreachable):
                await jetstream.open(address, tmp_path / "w0")
        stop(servers)
        start(servers)
        log = await opened(address, tmp_path / "w0")
        assert await log.append(b"again", 1, log.last_seq) == len(acknowledged) + 1
        await log.close()
        await check(address, tmp_path, acknowledged)


async def until_no_longer_busy(log: JetStreamLog) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            with contextlib.suppress(LogBusy):
                await log.barrier()
                return


async def test_a_flipped_bit_at_one_server(tmp_path: Path) -> None:
    """That server leaves the record out, without a word; readers get it from another one."""
    with three_servers(tmp_path / "nats") as servers:
        address = await made(servers)
        log = await opened(address, tmp_path / "w0")
        payloads = [b"<record %d>" % number for number in range(100)]
        acknowledged = [(await log.append(each, 1, log.last_seq), each) for each in payloads]
        place = log.records - 49
        servers[1].stop()
        flip_bit(servers[1].store, payloads[50])
        start(servers[1:2])
        await log.append(b"more", 1, log.last_seq)
        await log.close()
        await until_left_out(address, place)
        for number in range(5):
            (tmp_path / str(number)).mkdir()
            await check(address, tmp_path / str(number), acknowledged)


async def until_left_out(address: str, place: int) -> None:
    """Until a server answers without the message at a place, as whichever was damaged does."""
    client = await connect(StreamAddress.parse(address))
    async with asyncio.timeout(TIMEOUT_S):
        while place in {seq for seq, _ in await fetch(client, "L", place - 1, batch=3)}:
            pass
    await disconnect(client)
