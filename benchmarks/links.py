"""What do thousands of idle links cost the server?

Question: with so many nodes linked over mutual TLS, each from its own certificate to its address,
how much memory does a link take, how long do they take to connect all at once, how long does a
client wait for CheckConnState beside them, and is every file descriptor back once they have left?

Baselines, in the same run: connections to a bare TLS server (uvloop's, with the same certificates,
and nothing done with them), and the same server's CheckConnState without links, in turns. Waits are
measured for longer than it takes both ends to ping. The nodes are our agent's end of a link, in
processes of their own, on loopback.

    python benchmarks/links.py [--links 5000] [--rounds 2] [--seconds 25] [--json FILE]
"""

import argparse
import asyncio
import base64
import contextlib
import json
import re
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.servers import stopping
from nc.agent.certificates import node_tls
from nc.agent.connecting import connect
from nc.agent.connection import Target
from nc.certificate_files import FolderPaths
from nc.pb import network_controller_pb2 as pb

SERVICE = "/pb.LiteKubeNCService/"
CALLS = [sys.executable, str(Path(__file__).with_name("calls.py"))]
NETWORK = "10.1.0.1/16"
PROCESSES = 4
AT_ONCE = 64  # of each process: handshakes under way
PATIENCE_S = 300.0


class Running(NamedTuple):
    """A server process, and where it listens."""

    pid: int
    control_port: int
    link_port: int

    def rss_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(re.findall(r"VmRSS:\s+(\d+)", status)[0])

    def open_files(self) -> int:
        """How many file descriptors it has now."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


def main() -> None:
    """Run the comparison, or play one of its roles."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--links", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bare", metavar="PKI", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hold", metavar="JSON", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        uvloop.run(serve_bare(arguments.bare))
    elif arguments.hold:
        uvloop.run(hold(**json.loads(arguments.hold)))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Start both servers, let nodes come and go, print the table."""
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder:
        home = Path(folder)
        with ours_running(home) as ours, bare_running(home / "data" / "pki" / "network") as bare:
            uvloop.run(enrol(ours, home, arguments.links))
            for _ in range(arguments.rounds):
                for name, server in (("bare", bare), ("ours", ours)):
                    for what, value in measure(name, server, home, arguments):
                        found[what].append(value)
    figures = {what: statistics.median(values) for what, values in found.items()}
    figures["memory, ours / bare"] = figures["ours: bytes a link"] / figures["bare: bytes a link"]
    with_links, without = (
        found[f"ours: p99 ms with {which}"] for which in ("all links", "no link")
    )
    ratios = [a / b for a, b in zip(with_links, without, strict=True)]
    figures["p99, all links / no link"] = statistics.median(ratios)
    for what, value in figures.items():
        print(f"{what:<34}{value:>12,.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def measure(
    name: str, server: Running, home: Path, arguments: argparse.Namespace
) -> Iterator[tuple[str, float]]:
    """Let all come, stay for a while, and leave; every figure of that by name."""
    seconds = arguments.seconds
    if name == "ours":
        yield from waits("no link", server, home, seconds)
    rss_bytes, files = server.rss_bytes(), server.open_files()
    with all_linked(name, server, home, arguments.links) as took_s:
        yield f"{name}: bytes a link", (server.rss_bytes() - rss_bytes) / arguments.links
        yield f"{name}: seconds to connect all", took_s
        yield f"{name}: files a link", (server.open_files() - files) / arguments.links
        if name == "ours":
            yield from waits("all links", server, home, seconds)
    end = time.monotonic() + PATIENCE_S
    while server.open_files() > files and time.monotonic() < end:
        time.sleep(0.1)
    yield f"{name}: files left behind", server.open_files() - files


def waits(which: str, server: Running, home: Path, seconds: float) -> Iterator[tuple[str, float]]:
    """How long a client waits for CheckConnState, a hundred times a second."""
    command = [*CALLS, str(home / "data"), str(seconds), str(server.control_port)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    percentiles = statistics.quantiles(map(float, done.stdout.split()), n=100)
    yield f"ours: p50 ms with {which}", percentiles[49]
    yield f"ours: p99 ms with {which}", percentiles[98]


@contextlib.contextmanager
def all_linked(name: str, server: Running, home: Path, links: int) -> Iterator[float]:
    """Have every node connected meanwhile; how long it took, seconds."""
    with contextlib.ExitStack() as stack:
        holders = []
        for number in range(PROCESSES):
            role = {
                "name": name,
                "port": server.link_port,
                "nodes": [str(home / "nodes" / str(i)) for i in range(number, links, PROCESSES)],
            }
            command = [sys.executable, __file__, "--hold", json.dumps(role)]
            holder = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            holders.append(stack.enter_context(holder))  # at its end stdin is closed
        hear(holders, "ready")
        began = time.perf_counter()
        for holder in holders:
            assert holder.stdin
            print("go", file=holder.stdin, flush=True)
        hear(holders, "linked")
        yield time.perf_counter() - began


def hear(holders: "list[subprocess.Popen[str]]", word: str) -> None:
    """Wait until each of them says so."""
    for holder in holders:
        assert holder.stdout
        heard = holder.stdout.readline().strip()
        assert heard == word, heard


async def hold(name: str, port: int, nodes: list[str]) -> None:
    """Be so many nodes, until stdin ends."""
    folders = [Path(node) for node in nodes]
    contexts = [node_tls(FolderPaths.within(folder)).context for folder in folders]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    room = asyncio.Semaphore(AT_ONCE)

    async def link(folder: Path, context: ssl.SSLContext) -> Any:
        async with room:
            if name == "bare":
                return await asyncio.open_connection("127.0.0.1", port, ssl=context)
            token = (folder / "token").read_text()
            return await connect(Target("127.0.0.1", port, token, context, timeout_s=PATIENCE_S))

    ends = await asyncio.gather(*map(link, folders, contexts))
    print("linked", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    if name == "ours":
        assert not any(end.ended.done() for end in ends), "a link did not last"


async def enrol(server: Running, home: Path, links: int) -> None:
    """Register so many nodes, and put what each needs into a folder of its own."""
    pki = home / "data" / "pki" / "grpc"
    credentials = grpc.ssl_channel_credentials(
        *((pki / name).read_bytes() for name in ("ca.pem", "client-key.pem", "client.pem"))
    )
    (home / "nodes").mkdir()
    room = asyncio.Semaphore(AT_ONCE)
    async with grpc.aio.secure_channel(f"127.0.0.1:{server.control_port}", credentials) as channel:
        issue: Any = channel.unary_unary(SERVICE + "GetBootStrapToken")
        request = pb.GetBootStrapTokenRequest(expireTime=60).SerializeToString()
        issued = pb.GetBootStrapTokenResponse.FromString(await issue(request))
        redeem: Any = channel.unary_unary(SERVICE + "GetToken")
        request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken).SerializeToString()

        async def one(folder: Path) -> None:
            async with room:
                node = pb.GetTokenResponse.FromString(await redeem(request))
            keep(node, folder)

        await asyncio.gather(*(one(home / "nodes" / str(number)) for number in range(links)))


def keep(node: pb.GetTokenResponse, folder: Path) -> None:
    """Write what a node needs."""
    folder.mkdir()
    paths = FolderPaths.within(folder)
    paths.ca.write_bytes(base64.b64decode(node.NetworkCaCert))
    paths.client_key.write_bytes(base64.b64decode(node.NetworkClientKey))
    paths.client.write_bytes(base64.b64decode(node.NetworkClientCert))
    (folder / "token").write_text(node.token)


async def serve_bare(pki: Path) -> None:
    """The baseline: TLS as ours has it, and nothing more."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    paths = FolderPaths.within(pki)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=paths.ca)
    context.load_cert_chain(paths.server, paths.server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        asyncio.Protocol,
        "127.0.0.1",
        0,
        ssl=context,
        backlog=1024,
        ssl_handshake_timeout=PATIENCE_S,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def bare_running(pki: Path) -> Iterator[Running]:
    """The baseline in a process of its own."""
    command = [sys.executable, __file__, "--bare", str(pki)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with stopping(process):
        yield Running(process.pid, 0, int(process.stdout.readline()))


@contextlib.contextmanager
def ours_running(home: Path, *options: str) -> Iterator[Running]:
    """Our server as an operator runs it, its log lines in a file."""
    command = [str(Path(sys.executable).parent / "network-controller"), "serve", "--tun", "off"]
    command += ["--data-dir", str(home / "data"), "--advertise", "127.0.0.1"]
    command += ["--network-addr", NETWORK, *options]
    command += ["--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0"]
    with (home / "server.log").open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout
    with stopping(process):
        ports = {}
        for line in process.stdout:
            if found := re.search(r"(\w+) +port (\d+)", line):
                ports[found[1]] = int(found[2])
            if "get a bootstrap token" in line:  # the last it says
                break
        yield Running(process.pid, ports["control"], ports["link"])


if __name__ == "__main__":
    main()
