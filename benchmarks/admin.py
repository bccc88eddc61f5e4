"""What the administration API costs the server, and what a node's query waits for meanwhile.

Questions: what CPU time do the states of 10,000 nodes take in one call, and a page of the list; how
long does CheckConnState take while lists, the log and the past are asked for; and what do 200
watches of 1,000 events a second take? With `--stalled`: what do they take if one of them reads
nothing, and the server restarts in the middle?

The server is a process of its own over mutual TLS. Its CPU time is that of /proc, divided by the
calls; the time of History.At is that of the process that it runs, too. The baseline of the waits is
CheckConnState alone, measured before and after.

    python benchmarks/admin.py [--nodes 10000] [--events 10000] [--seconds 3] [--watches 200]
        [--rate 1000] [--stalled]
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.arguments import number, whole_number
from benchmarks.servers import SERVICE, Running, ours_running
from benchmarks.watchers import Scene
from nc.pb import network_controller_pb2 as pb
from nc.pb.admin.v1 import events_pb2, history_pb2, nodes_pb2, tokens_pb2

ADMIN = "/nc.admin.v1."
TOGETHER = 64  # calls of preparation under way at once
OPTIONS = (("grpc.max_receive_message_length", -1),)

Work = Callable[[], Awaitable[object]]


class Calls:
    """Calls of one connection, with the administrator's certificate."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel: Any = channel

    async def raw(self, path: str, request: Any) -> bytes:
        return bytes(await self._channel.unary_unary(path)(request.SerializeToString()))

    def stream(self, path: str, request: Any) -> Any:
        return self._channel.unary_stream(path)(request.SerializeToString())


class Latencies(NamedTuple):
    """Of CheckConnState, in milliseconds."""

    p50: float
    p99: float
    longest: float


@contextlib.asynccontextmanager
async def connected(server: Running, pki: Path) -> Any:
    names = ("ca.pem", "client-key.pem", "client.pem")
    credentials = grpc.ssl_channel_credentials(*((pki / name).read_bytes() for name in names))
    options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{server.port}", credentials, options) as channel:
        yield Calls(channel)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=whole_number(1), default=10_000)
    parser.add_argument(
        "--events", type=whole_number(1, 10_000_000), default=10_000, help="in the log, at least"
    )
    parser.add_argument("--seconds", type=number(0.1), default=3.0)
    parser.add_argument("--watches", type=whole_number(1), default=200)
    parser.add_argument("--rate", type=whole_number(1), default=1000)
    parser.add_argument("--stalled", action="store_true", help="a reader stalls; a restart")
    arguments = parser.parse_args()
    if arguments.stalled:
        stalled(arguments)
        return
    with tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder:
        data = Path(folder) / "data"
        with ours_running(data, Path(folder) / "server.log") as server:
            uvloop.run(measure(server, data / "pki" / "grpc", arguments))


async def measure(server: Running, pki: Path, arguments: argparse.Namespace) -> None:
    async with connected(server, pki) as calls, connected(server, pki) as other:
        token = await prepare(calls, arguments.nodes)
        for _ in range(0, arguments.events - arguments.nodes, 1000):
            await appending(calls, 1000)
        await costs(server, calls, arguments.nodes)
        await waits(calls, other, token, arguments.seconds)
        await watches(server, pki, calls, arguments)


async def prepare(calls: Calls, nodes: int) -> str:
    """Register the nodes; gives the token of one."""
    issued = tokens_pb2.IssueTokenResponse.FromString(
        await calls.raw(
            f"{ADMIN}BootstrapTokens/Issue",
            tokens_pb2.IssueTokenRequest(
                lifetime_s=86_400, node_labels={"zone": "eu"}, node_name_prefix="edge-"
            ),
        )
    )
    request = pb.GetTokenRequest(bootStrapToken=issued.token)
    for _ in range(nodes // TOGETHER + 1):
        one = (calls.raw(f"{SERVICE}GetToken", request) for _ in range(TOGETHER))
        answers = await asyncio.gather(*one)
    return str(pb.GetTokenResponse.FromString(answers[0]).token)


async def costs(server: Running, calls: Calls, nodes: int) -> None:
    print(f"{nodes} nodes; CPU of the server, and time to the answer, of one call")
    for name, path, request in (
        ("States of all", "Nodes/States", nodes_pb2.NodeStatesRequest()),
        ("List, 100 by name", "Nodes/List", nodes_pb2.ListNodesRequest()),
        ("List, 1000 by name", "Nodes/List", nodes_pb2.ListNodesRequest(page_size=1000)),
        ("Events.Read, 1000", "Events/Read", events_pb2.ReadEventsRequest(page_size=1000)),
    ):
        await calls.raw(ADMIN + path, request)
        count, before_s, started = 30, server.cpu_s(), time.perf_counter()
        for _ in range(count):
            answer = await calls.raw(ADMIN + path, request)
        took_s = (time.perf_counter() - started) / count
        cpu_s = (server.cpu_s() - before_s) / count
        size = f"{len(answer):>9,} bytes"
        print(f"  {name:<22}{cpu_s * 1e3:>8.1f} ms CPU{took_s * 1e3:>9.1f} ms{size:>20}")


async def waits(calls: Calls, other: Calls, token: str, seconds: float) -> None:
    print("CheckConnState, one call after the other, while another connection asks for")

    async def nothing() -> None:
        await asyncio.sleep(0.1)

    def asking(path: str, request: Any) -> Work:
        return lambda: other.raw(ADMIN + path, request)

    for name, work in (
        ("nothing", nothing),
        ("History.At", asking("History/At", history_pb2.AtRequest())),
        ("States of all", asking("Nodes/States", nodes_pb2.NodeStatesRequest())),
        ("List", asking("Nodes/List", nodes_pb2.ListNodesRequest())),
        (
            "Events.Read, 10,000",
            asking("Events/Read", events_pb2.ReadEventsRequest(page_size=10_000)),
        ),
        ("nothing", nothing),
    ):
        found, done = await latencies(calls, token, work, seconds)
        print(
            f"  {name:<22}p50 {found.p50:>6.2f} ms  p99 {found.p99:>6.2f} ms  longest "
            f"{found.longest:>7.2f} ms  ({done} answered meanwhile)"
        )


async def latencies(calls: Calls, token: str, work: Work, seconds: float) -> tuple[Latencies, int]:
    done = 0

    async def busy() -> None:
        nonlocal done
        while True:
            await work()
            done += 1

    request = pb.CheckConnStateRequest(token=token)
    task = asyncio.create_task(busy())
    took: list[float] = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        await calls.raw(f"{SERVICE}CheckConnState", request)
        took.append((time.perf_counter() - started) * 1e3)
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    took.sort()
    p99 = took[len(took) * 99 // 100]
    return Latencies(statistics.median(took), p99, took[-1]), done


async def watches(server: Running, pki: Path, calls: Calls, arguments: argparse.Namespace) -> None:
    """Watches of 50 a connection; what they are sent is counted, and not decoded."""
    async with contextlib.AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(connected(server, pki))
            for _ in range(arguments.watches // 50 or 1)
        ]
        sizes = [0] * arguments.watches

        async def read(number: int) -> None:
            calls = connections[number % len(connections)]
            stream = calls.stream(f"{ADMIN}Events/Watch", events_pb2.WatchEventsRequest())
            async for message in stream:
                sizes[number] += len(message)

        tasks: list[asyncio.Task[None]] = []
        for count in (0, arguments.watches):
            tasks = [asyncio.create_task(read(number)) for number in range(count)]
            await asyncio.sleep(1)
            before_s, started = server.cpu_s(), time.perf_counter()
            events = await paced(calls, arguments.rate, arguments.seconds)
            took_s = time.perf_counter() - started
            share = (server.cpu_s() - before_s) / took_s
            memory = rss_mb(server)
            print(
                f"{count} watches: {events / took_s:,.0f} events/s, {share:.2f} of a core, "
                f"{memory:.0f} MB, {sum(sizes) / took_s / 1e6:.1f} MB/s sent"
            )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def stalled(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder:
        scene = Scene(Path(folder), arguments.watches, arguments.rate)
        found = uvloop.run(scene.run(int(arguments.rate * arguments.seconds)))
    before_mb, most_mb = found.memory_mb
    lines = (
        f"{arguments.watches} watches, {found.a_second:,.0f} events/s, one stalled, a restart:",
        f"  {found.events:,} events, {found.missing} of them missing to anybody",
        f"  {found.resumed} watches went on after the restart",
        f"  the last of them had all {found.behind_s:.1f} s after the last event",
        f"  the stalled one was told to go on from event {found.cut_off_at}",
        f"  memory of the server {before_mb:.0f} MB before, {most_mb:.0f} MB at most",
    )
    print(*lines, sep="\n")


async def appending(calls: Calls, count: int) -> None:
    """Have as many events appended."""
    issue = tokens_pb2.IssueTokenRequest(lifetime_s=60)
    path = f"{ADMIN}BootstrapTokens/Issue"
    for start in range(0, count, TOGETHER):
        some = min(TOGETHER, count - start)
        await asyncio.gather(*(calls.raw(path, issue) for _ in range(some)))


async def paced(calls: Calls, rate: int, seconds: float) -> int:
    """Have as many events appended a second, if the machine is fast enough; gives their number."""
    count, end = 0, time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        batch = rate // 20
        await appending(calls, batch)
        count += batch
        await asyncio.sleep(max(0.0, 0.05 - (time.perf_counter() - now)))
    return count


def rss_mb(server: Running) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
