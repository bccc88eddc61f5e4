"""Does a client notice that a snapshot is being written?

Question: what are p50 and p99 of CheckConnState, over one connection in plain text with eight calls
under way, while snapshots of so many nodes are written one after the other, as ratios to the same
server without snapshots, in turns?

    python benchmarks/snapshot_pause.py [--nodes 200000] [--rounds 3] [--seconds 3] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import grpc
import structlog
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.histories import NETWORK, newcomers, write_log
from nc.clock import SystemClock
from nc.pb import network_controller_pb2 as pb
from nc.secrets import SystemSecrets
from nc.server.installation import Installation, serve_installation
from nc.server.server import Server
from nc.server.settings import ServerSettings

METHOD = "/pb.LiteKubeNCService/CheckConnState"
UNDER_WAY = 8
IDLE = "idle"

Serving = AbstractAsyncContextManager[tuple[Installation, Server]]


def main() -> None:
    """Run the comparison, or the server of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve(arguments.serve))
    else:
        compare(arguments)


async def begin(data_dir: Path) -> None:
    """A first start, which makes what a server needs."""
    async with installation(data_dir):
        pass


def installation(data_dir: Path) -> Serving:
    settings = ServerSettings(
        data_dir=data_dir, advertise=("127.0.0.1",), listen="127.0.0.1", grpc_port=0,
        bootstrap_port=0, link_port=0, network_addr=NETWORK, plaintext=True,
    )  # fmt: skip
    silent = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    )
    return serve_installation(settings, clock=SystemClock(), secrets=SystemSecrets(), logger=silent)


async def serve(data_dir: Path) -> None:
    """Serve; SIGUSR1 begins to write snapshots, and ends it when the one under way is complete.

    Prints how long each took, in seconds, and IDLE after the last.
    """
    writing = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(
        signal.SIGUSR1, lambda: writing.clear() if writing.is_set() else writing.set()
    )
    async with installation(data_dir) as (_, server):
        gc.freeze()
        print(server.endpoints.control_port, flush=True)
        replica = server.replica
        while True:
            await writing.wait()
            while writing.is_set():
                position = await replica._log.write_sync_marker()  # noqa: SLF001 - only it appends
                began = time.perf_counter()
                replica.snapshots.begin(replica.state, position)
                taking = replica.snapshots._taking  # noqa: SLF001 - nothing else waits for one
                assert taking is not None
                await taking
                print(f"{time.perf_counter() - began:.2f}", flush=True)
            print(IDLE, flush=True)


def compare(arguments: argparse.Namespace) -> None:
    """Measure with and without snapshots, in turns, and print the table."""
    found: dict[str, list[list[float]]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        data_dir = Path(home)
        data_dir.chmod(0o700)
        with asyncio.Runner() as runner:  # certificates and a key; the log is replaced below
            runner.run(begin(data_dir))
        shutil.rmtree(data_dir / "log")
        write_log(data_dir / "log", newcomers(arguments.nodes))
        for mark in data_dir.glob("pki/*/log-id"):
            mark.unlink()
        command = [sys.executable, __file__, "--serve", str(data_dir)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            took: list[float] = []
            for _ in range(arguments.rounds):
                found["without"].append(uvloop.run(load(port, arguments.seconds)))
                process.send_signal(signal.SIGUSR1)
                found["with"].append(uvloop.run(load(port, arguments.seconds)))
                process.send_signal(signal.SIGUSR1)
                took += (float(line) for line in iter(process.stdout.readline, f"{IDLE}\n"))
            process.kill()
    results = {"nodes": float(arguments.nodes), "snapshots": float(len(took))}
    results["seconds_a_snapshot"] = statistics.median(took)
    for percent in (50, 99):
        for name, rounds in found.items():
            each = [1000 * statistics.quantiles(times, n=100)[percent - 1] for times in rounds]
            results[f"p{percent}_{name}_ms"] = statistics.median(each)
        ratio = results[f"p{percent}_with_ms"] / results[f"p{percent}_without_ms"]
        results[f"p{percent}_ratio"] = ratio
    for name, value in results.items():
        print(f"{name:<24}{value:>12,.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


async def load(port: int, seconds: float) -> list[float]:
    """How long each call took, seconds."""
    times: list[float] = []
    request = pb.CheckConnStateRequest(token="0" * 16).SerializeToString()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        end = time.perf_counter() + seconds

        async def call() -> None:
            while (began := time.perf_counter()) < end:
                await check(request)
                times.append(time.perf_counter() - began)
                await asyncio.sleep(0.002)

        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*(call() for _ in range(UNDER_WAY)))
    return times


if __name__ == "__main__":
    main()
