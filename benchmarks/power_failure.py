"""What do three servers of NATS have after a power failure of all three?

Question: a log in a stream that three servers keep is appended to as fast as it goes, and the
power of all three fails at once, at a random moment. Their stores are on disks that keep what they
were asked to flush, and of the rest some or nothing. With `sync_interval: always`, which a
controller insists on, every acknowledged record has to be there afterwards, in its place, with its
chain. With NATS's own default (`--sync default`), which is refused otherwise, it is not, although
the stream was flushed once when it was made: so this can find a loss.

The servers start again from these disks, round after round; in one of four rounds the power fails
again while they still recover. The log that appends goes on through all of it, and notices by
itself if the stream went back.

Needs root, FUSE, loop devices and mkfs.ext4.

    sudo .venv/bin/python benchmarks/power_failure.py [--rounds 20] [--seed N] [--sync default]

The exit code is 1 if something acknowledged was lost (with `--sync default`: if nothing was).
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.arguments import whole_number
from eventlog import (
    LogBusy,
    LogError,
    LogReader,
    LogRewound,
    LogUnavailable,
    SequenceConflict,
    jetstream,
)
from eventlog.jetstream import JetStreamLog, StreamAddress
from eventlog.jetstream.connection import connect, disconnect
from eventlog.jetstream.stream import make_stream
from tests.support.nats_servers import NatsServer, address_of, free_port
from tests.support.power import WHY_NOT, Disks, disks, private_mounts

PATIENCE_S = 120.0
GONE_AFTER_S = 45.0  # a server that starts may not know of a stream yet
APPENDING_S = 4.0  # before a failure, at most
IN_RECOVERY = 0.25  # of all failures
LOG_ID = bytes(range(16))
NUMBERS = (1, 2, 3)

Acknowledged = list[tuple[int, bytes]]  # sequence numbers and payloads


def main() -> int:
    """Run the rounds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=whole_number(1), default=20)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--sync", choices=["always", "default"], default="always")
    arguments = parser.parse_args()
    if WHY_NOT:
        parser.exit(2, f"power_failure.py: {WHY_NOT}\n")
    private_mounts()
    is_synced = arguments.sync == "always"
    print(f"sync_interval: {arguments.sync}, seed {arguments.seed}")
    print(f"{'round':>5} {'acknowledged':>13} {'lost':>6} {'back after, s':>14}")
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        lost = asyncio.run(trial(Path(home), arguments.rounds, arguments.seed, is_synced=is_synced))
    print(f"lost {lost} acknowledged records")
    return int((lost == 0) != is_synced)


async def trial(home: Path, rounds: int, seed: int, *, is_synced: bool) -> int:
    """Let the power fail so often, or until something is lost; how many records were lost."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    with disks(home, len(NUMBERS), seed) as stores, contextlib.ExitStack() as stack:
        servers = nats_servers(home, stores, is_synced=is_synced)
        for server in servers:
            stack.callback(server.kill)
        start(servers)
        address = address_of(*servers, stream="L")
        await make(address, is_synced=is_synced)
        await asyncio.to_thread(stores.flush)
        async with appending(address, home / "writer", is_synced=is_synced) as acknowledged:
            for number in range(1, rounds + 1):
                if number == 1 or chance.random() > IN_RECOVERY:
                    await more(acknowledged)
                await asyncio.sleep(chance.uniform(0, APPENDING_S))
                count = await asyncio.to_thread(fail, stores, servers, acknowledged)
                began = time.monotonic()
                await asyncio.to_thread(come_back, stores, servers)
                lost = await count_lost(address, home / f"reader{number}", acknowledged[:count])
                back_s = time.monotonic() - began
                print(f"{number:>5} {count:>13} {lost:>6} {back_s:>14.1f}", flush=True)
                if lost:
                    return lost
    return 0


def nats_servers(home: Path, stores: Disks, *, is_synced: bool) -> list[NatsServer]:
    routes = {n: (host := f"127.0.1.{n}", free_port(host)) for n in NUMBERS}
    return [
        NatsServer(
            home / f"n{number}",
            number=number,
            routes=routes,
            sync="always" if is_synced else "",
            store=folder / "store",
        )
        for number, folder in zip(NUMBERS, stores.folders, strict=True)
    ]


def start(servers: list[NatsServer]) -> None:
    monitor = servers[0].monitor or free_port("")
    for server in servers:
        server.start(monitor)
    for server in servers:
        server.wait()


async def make(address: str, *, is_synced: bool) -> None:
    """Make the stream, once the servers agree to have it; a loose one without the usual checks.

    Raises:
        RuntimeError: servers that may lose events were not refused.
    """
    parsed = StreamAddress.parse(address)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await jetstream.make(parsed, replicas=len(NUMBERS), log_id=LOG_ID)
            except LogError as error:
                if "sync_interval" in str(error):
                    break
                await asyncio.sleep(0.1)
            else:
                if is_synced:
                    return
                raise RuntimeError("servers that do not sync were not refused")
        while True:
            client = await connect(parsed)
            try:
                await make_stream(client, parsed, LOG_ID, len(NUMBERS))
            except LogError:
                await asyncio.sleep(0.1)
            else:
                return
            finally:
                await disconnect(client)


@contextlib.asynccontextmanager
async def appending(address: str, folder: Path, *, is_synced: bool) -> AsyncIterator[Acknowledged]:
    """Append meanwhile, as fast as it goes; what was acknowledged."""
    log = await jetstream.open(address, folder, only_reads=not is_synced)
    log.busy_after_s = 1.0
    acknowledged: Acknowledged = []
    stop = asyncio.Event()  # the client's own waits may lose a cancellation
    task = asyncio.create_task(append_on(log, acknowledged, stop))
    try:
        yield acknowledged
    finally:
        stop.set()
        await task
        await log.close()


async def append_on(log: JetStreamLog, acknowledged: Acknowledged, stop: asyncio.Event) -> None:
    """Append until the stop, or until the stream is found to have gone back."""
    number = 0
    while not stop.is_set():
        number += 1
        payload = b"%d." % number * 20
        try:
            acknowledged.append((await log.append(payload, 1, log.last_seq), payload))
        except (LogBusy, SequenceConflict):  # the one before may have happened: it is not repeated
            pass
        except LogRewound as error:
            print(f"the log that appends: {error}")
            return


async def more(acknowledged: Acknowledged) -> None:
    """Until one more was acknowledged."""
    count = len(acknowledged)
    async with asyncio.timeout(PATIENCE_S):
        while len(acknowledged) == count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def fail(stores: Disks, servers: list[NatsServer], acknowledged: Acknowledged) -> int:
    """The power fails; how many records were acknowledged until then."""
    count = len(acknowledged)
    stores.cut()
    for server in servers:
        server.pause()
    stores.give_up()  # without it, who waits for a disk cannot be killed
    for server in servers:
        server.kill()
    stores.unmount()
    return count


def come_back(stores: Disks, servers: list[NatsServer]) -> None:
    stores.connect()
    start(servers)


async def count_lost(address: str, folder: Path, acknowledged: Acknowledged) -> int:
    """How many are not where they were said to be, as a reader finds that has nothing yet.

    Raises:
        LogError: what it reads is no chain.
    """
    async with asyncio.timeout(PATIENCE_S):
        log = await opened(address, folder)
        if log is None:
            return len(acknowledged)
        while True:
            with contextlib.suppress(LogBusy):
                await log.barrier()
                break
    found = {record.first_seq: record.payload for record in log.read()}
    head = log.head
    await log.close()
    assert LogReader(folder).head == head
    assert len(set(found.values())) == len(found)
    return sum(found.get(seq) != payload for seq, payload in acknowledged)


async def opened(address: str, folder: Path) -> JetStreamLog | None:
    """The log, once a server gives it; None: the stream is gone."""
    began = time.monotonic()
    while True:
        try:
            return await jetstream.open(address, folder, only_reads=True)
        except jetstream.StreamMissing:
            if time.monotonic() - began > GONE_AFTER_S:
                return None
        except LogUnavailable:
            pass
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
