"""What do others notice of nodes that flood the link with the smallest packets?

Question: while so many nodes send 64-byte packets as fast as they can, how long does an
administrator wait for CheckConnState, and how long is a packet between two quiet nodes under way?
And what do the nodes' own packets lose: how many a second does the server read?

Baseline, in the same run and in turns: the same server before each flood. With `--source` the
servers of several checkouts are compared, round by round. The nodes are our agent's end of a link,
in processes of their own, on loopback; there is no TUN device.

    python benchmarks/floods.py [--nodes 1 20] [--rounds 3] [--seconds 4] [--source DIR ...]
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.links import CALLS, Running, enrol, ours_running
from nc.agent.certificates import node_tls
from nc.agent.connecting import connect
from nc.agent.connection import HubConnection, Target
from nc.certificate_files import FolderPaths
from nc.net.wire import PLAIN_VNET_HEADER

HERE = Path(__file__).parent.parent
QUIET = 2  # nodes that measure; the others flood
PACKET_BYTES = 64
PACKETS_A_FRAME = 64 * 1024 // (PACKET_BYTES + len(PLAIN_VNET_HEADER))
INTERVAL_S = 0.01
LEAST = 2  # packets, of which percentiles can be said


def main() -> None:
    """Run the comparison, or play one of its roles."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--source", type=Path, nargs="+", default=[HERE])
    parser.add_argument("--flood", metavar="JSON", help=argparse.SUPPRESS)
    parser.add_argument("--watch", metavar="JSON", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.flood:
        uvloop.run(flood(**json.loads(arguments.flood)))
    elif arguments.watch:
        uvloop.run(watch(**json.loads(arguments.watch)))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Flood every server in turns, and print the medians; a ratio is to the same server's rest."""
    found: dict[Path, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(arguments.rounds):
        for source in arguments.source:
            os.environ["PYTHONPATH"] = str(source.resolve())  # the server's
            with tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder:
                home = Path(folder)
                with ours_running(home) as server:
                    uvloop.run(enrol(server, home, max(arguments.nodes) + QUIET))
                    for what, value in measure(server, home, arguments):
                        found[source][what].append(value)
                        print(f"{source.name}: {what}: {value:.2f}", file=sys.stderr, flush=True)
    for source, figures in found.items():
        print(source.resolve().name)
        for what, values in figures.items():
            print(f"  {what:<54}{statistics.median(values):>12,.2f}")


def measure(
    server: Running, home: Path, arguments: argparse.Namespace
) -> Iterator[tuple[str, float]]:
    """Every figure of one server by name."""
    seconds = arguments.seconds
    for nodes in arguments.nodes:
        rest = waits(server, home, seconds)
        role = {"port": server.link_port, "home": str(home), "nodes": nodes, "seconds": seconds}
        with subprocess.Popen(
            [sys.executable, __file__, "--flood", json.dumps(role)],
            stdout=subprocess.PIPE,
            text=True,
        ) as flooder:
            assert flooder.stdout
            flooder.stdout.readline()  # it has begun
            beside = waits(server, home, seconds)
            sent = float(flooder.stdout.readline())
        yield f"{nodes} flooding: packets/s", sent
        for what, value in beside.items():
            yield f"{nodes} flooding: {what}, p99 ms", value
            yield f"{nodes} flooding: {what}, p99 / at rest", value / rest[what]


def waits(server: Running, home: Path, seconds: float) -> dict[str, float]:
    """p99 of the waits of an administrator and of a quiet node, ms."""
    role = {"port": server.link_port, "home": str(home), "seconds": seconds}
    commands = {
        "CheckConnState": [*CALLS, str(home / "data"), str(seconds), str(server.control_port)],
        "a quiet node's packet": [sys.executable, __file__, "--watch", json.dumps(role)],
    }
    running = {
        what: subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for what, command in commands.items()
    }
    heard = {what: process.communicate()[0].split() for what, process in running.items()}
    return {
        what: statistics.quantiles(map(float, times), n=100)[98] for what, times in heard.items()
    }


async def flood(port: int, home: str, nodes: int, seconds: float) -> None:
    """Send packets from so many nodes to another one's address, which is not connected."""
    async with AsyncExitStack() as stack:
        links = [await _link(stack, port, home, QUIET + number) for number in range(nodes)]
        frames = {}
        full: set[HubConnection] = set()  # the server does not read them fast enough
        for link in links:
            one = PLAIN_VNET_HEADER + _packet(str(link.interface.ip), "10.1.200.201")
            frames[link] = one * PACKETS_A_FRAME
            link.writable = partial(_note, full, link)
        print("floods", flush=True)
        began, sent = time.perf_counter(), 0
        while (took_s := time.perf_counter() - began) < seconds + 1:
            for link in set(links) - full:
                link.send(frames[link])
                sent += PACKETS_A_FRAME
            await asyncio.sleep(0.0005)
        print(sent / took_s, flush=True)


def _note(full: set[HubConnection], link: HubConnection, is_writable: bool) -> None:
    (full.discard if is_writable else full.add)(link)


async def watch(port: int, home: str, seconds: float) -> None:
    """Print how long packets from one quiet node to another are under way, ms, one a line."""
    arrived = asyncio.Event()
    async with AsyncExitStack() as stack:
        one, other = [await _link(stack, port, home, number) for number in range(QUIET)]
        other.deliver = lambda _frame, _has_header: arrived.set()
        packet = _packet(str(one.interface.ip), str(other.interface.ip))
        end, packets = time.perf_counter() + seconds, 0
        while (began := time.perf_counter()) < end or packets < LEAST:
            packets += 1
            arrived.clear()
            one.send(PLAIN_VNET_HEADER + packet)
            await arrived.wait()
            took = time.perf_counter() - began
            print(1000 * took)
            await asyncio.sleep(max(0, INTERVAL_S - took))


async def _link(stack: AsyncExitStack, port: int, home: str, number: int) -> HubConnection:
    folder = Path(home) / "nodes" / str(number)
    tls = node_tls(FolderPaths.within(folder)).context
    link = await connect(Target("127.0.0.1", port, (folder / "token").read_text(), tls))
    stack.push_async_callback(link.close)
    return link


def _packet(source: str, destination: str) -> bytes:
    """UDP of 64 bytes; nobody checks its checksums on the way."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    header = struct.pack("!BBHHHBBH", 0x45, 0, PACKET_BYTES, 0, 0, 64, socket.IPPROTO_UDP, 0)
    return (header + addresses).ljust(PACKET_BYTES, b"\0")


if __name__ == "__main__":
    main()
