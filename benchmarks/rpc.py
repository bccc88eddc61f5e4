"""How much of gRPC's own speed is left: each call beside a bare handler that returns a constant.

Question: over mutual TLS, how many calls a second do CheckConnState, GetBootStrapToken (durable)
and GetToken (two key pairs, two certificates, durable) reach, as a share of what a `grpc.aio`
handler reaches on the same machine, in the same run, through the same client; and what CPU time of
the server does a call take?

The baseline (`bare`) is this file in its role `--bare`: same event loop, same TLS; no log, no
checks, no log lines. Each round measures both, one right after the other, and ratios are taken
within rounds, so that a noisy neighbour hits both.

The load is `load.c`, built with `cc` (needs libnghttp2-dev and libssl-dev), in two shapes: one
connection with 32 calls under way, and 64 connections with one each. `--client python` calls with
`grpc.aio` from 64 connections instead; such a client takes several times as long for a call as the
server, and so the figures are more its own.

With the generator it also measures how long one caller of CheckConnState waits while 64 connections
call GetToken as fast as they are answered; the baseline is the same caller undisturbed.

    python benchmarks/rpc.py [--rounds 5] [--seconds 2] [--client c] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.servers import SERVICE, Running, ours_running, prepare, stopping
from nc.pb import network_controller_pb2 as pb

ANSWER = pb.CheckConnResponse(code="200", message="ok", connState=-1)


class Shape(NamedTuple):
    """How a client calls."""

    connections: int
    calls_each: int

    def __str__(self) -> str:
        return f"{self.connections} x {self.calls_each}"


FLOOD_AROUND_S = 1.0  # how much earlier a flood begins than what is measured beside it

SHAPES = {"c": (Shape(1, 32), Shape(64, 1)), "python": (Shape(64, 1),)}


class Pair(NamedTuple):
    """One round: the baseline and ours, one right after the other."""

    bare: dict[str, float]
    ours: dict[str, float]


def main() -> None:
    """Run the comparison, or play one of its roles."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--client", choices=sorted(SHAPES), default="c")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bare", metavar="PKI", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--load", metavar="JSON", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        uvloop.run(serve_bare(arguments.bare))
    elif arguments.load:
        print(json.dumps(uvloop.run(load(**json.loads(arguments.load)))))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Start both servers, alternate between them, print the table."""
    with (
        tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder,
        contextlib.ExitStack() as stack,
    ):
        data = Path(folder) / "data"
        ours = stack.enter_context(ours_running(data, Path(folder) / "server.log"))
        pki = data / "pki" / "grpc"
        bare = stack.enter_context(bare_running(pki))
        tokens = prepare(ours, pki)
        loader = built_load(Path(folder)) if arguments.client == "c" else None
        cases = {
            "CheckConnState": pb.CheckConnStateRequest(token=tokens["node"]),
            "GetBootStrapToken": pb.GetBootStrapTokenRequest(expireTime=10),
            "GetToken": pb.GetTokenRequest(bootStrapToken=tokens["bootstrap"]),
        }
        baseline = pb.CheckConnStateRequest(token=tokens["node"])
        for shape in SHAPES[arguments.client]:
            load_of = Load(loader, pki, shape, arguments.seconds)
            pairs: dict[str, list[Pair]] = {method: [] for method in cases}
            for _ in range(arguments.rounds):
                for method, request in cases.items():
                    pair = Pair(
                        load_of.measure(bare, "CheckConnState", baseline),
                        load_of.measure(ours, method, request),
                    )
                    pairs[method].append(pair)
            report(pairs, shape, arguments)
        if loader:
            beside_flood(Load(loader, pki, Shape(1, 1), arguments.seconds), ours, cases, arguments)


def beside_flood(
    caller: "Load", ours: Running, cases: dict[str, Any], arguments: argparse.Namespace
) -> None:
    """Print how long one caller of CheckConnState waits, alone and beside a flood of GetToken."""
    waits: dict[str, list[dict[str, float]]] = {"alone": [], "beside GetToken": []}
    flood = caller._replace(shape=Shape(64, 1), seconds=arguments.seconds + 2 * FLOOD_AROUND_S)
    check = partial(caller.measure, ours, "CheckConnState", cases["CheckConnState"])
    for _ in range(arguments.rounds):
        waits["alone"].append(check())
        command = flood.command(ours, "GetToken", cases["GetToken"])
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as flooding:
            time.sleep(FLOOD_AROUND_S)
            waits["beside GetToken"].append(check())
            assert flooding.poll() is None, "the flood ended before the caller did"
    print(f"one caller of CheckConnState, {arguments.rounds} rounds; medians (highest)")
    for name, rows in waits.items():
        p99 = [row["p99_ms"] for row in rows]
        p50 = statistics.median(row["p50_ms"] for row in rows)
        print(f"{name:<18} p50 {p50:.2f} ms, p99 {statistics.median(p99):.2f} ({max(p99):.2f}) ms")


def built_load(folder: Path) -> Path:
    """The load generator, built from `load.c`."""
    program = folder / "load"
    source = Path(__file__).with_name("load.c")
    libraries = ("-lnghttp2", "-lssl", "-lcrypto")
    subprocess.run(["cc", "-O2", "-o", str(program), str(source), *libraries], check=True)
    return program


def report(pairs: dict[str, list[Pair]], shape: Shape, arguments: argparse.Namespace) -> None:
    """Print medians over the rounds, and keep all of it if asked to."""
    print(
        f"{shape} calls, {arguments.rounds} rounds of {arguments.seconds} s; "
        "medians, ratio: to bare in the same round"
    )
    print(
        f"{'':<18}{'calls/s':>9}{'ratio':>7}{'(low-high)':>13}"
        f"{'CPU µs/call':>13}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}"
    )
    bare = [pair.bare for of_method in pairs.values() for pair in of_method]
    rows = {"bare": [Pair(row, row) for row in bare], **pairs}
    for name, of_name in rows.items():
        ratios = [pair.ours["calls_per_s"] / pair.bare["calls_per_s"] for pair in of_name]
        cpu_ratio = statistics.median(pair.bare["cpu_us"] / pair.ours["cpu_us"] for pair in of_name)
        row = {
            key: statistics.median(pair.ours[key] for pair in of_name) for key in of_name[0].ours
        }
        print(
            f"{name:<18}{row['calls_per_s']:>9.0f}{statistics.median(ratios):>7.2f}"
            f"{min(ratios):>7.2f}-{max(ratios):.2f}{row['cpu_us']:>13.0f}{cpu_ratio:>7.2f}"
            f"{row['p50_ms']:>8.1f}{row['p99_ms']:>8.1f}"
        )
    if arguments.json:
        kept = {method: [pair._asdict() for pair in rounds] for method, rounds in pairs.items()}
        with arguments.json.open("a") as file:
            file.write(json.dumps({"shape": str(shape), "rounds": kept}) + "\n")


class Load(NamedTuple):
    """A client in a process of its own; without `program` it is this file in its role `--load`."""

    program: Path | None
    pki: Path
    shape: Shape
    seconds: float

    def command(self, server: Running, method: str, request: Any) -> list[str]:
        """Calls this method of the server, and prints what it measured."""
        message = request.SerializeToString().hex()
        if self.program is None:
            role = {
                "port": server.port,
                "pki": str(self.pki),
                "method": method,
                "request": message,
                "clients": self.shape.connections,
                "seconds": self.seconds,
            }
            return [sys.executable, __file__, "--load", json.dumps(role)]
        numbers = (*self.shape, self.seconds)
        command = [str(self.program), str(server.port), str(self.pki), SERVICE + method]
        return [*command, message, *map(str, numbers)]

    def measure(self, server: Running, method: str, request: Any) -> dict[str, float]:
        """Calls a second, latency, and the server's CPU time a call."""
        command = self.command(server, method, request)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout
            if self.program is not None:
                assert client.stdout.readline() == "connected\n"
            before_s = server.cpu_s()  # without the generator's handshakes, a millisecond each
            printed = client.stdout.read()
        if client.returncode:
            raise subprocess.CalledProcessError(client.returncode, command, printed)
        result: dict[str, float] = json.loads(printed)
        result["cpu_us"] = (server.cpu_s() - before_s) / result.pop("all_calls") * 1e6
        return {key: value for key, value in result.items() if key not in {"failed", "failure"}}


async def load(
    port: int, pki: str, method: str, request: str, clients: int, seconds: float
) -> dict[str, float]:
    """Call as fast as the clients can, each on its own connection, one call at a time."""
    folder = Path(pki)
    credentials = grpc.ssl_channel_credentials(
        *((folder / name).read_bytes() for name in ("ca.pem", "client-key.pem", "client.pem"))
    )
    payload = bytes.fromhex(request)
    latencies_ms: list[float] = []
    calls = 0
    warm_at = time.perf_counter() + min(0.5, seconds)
    end = warm_at + seconds

    async def client(number: int) -> None:
        nonlocal calls
        options = [("grpc.client_id", number), ("grpc.use_local_subchannel_pool", 1)]
        target = f"127.0.0.1:{port}"
        async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
            call: Any = channel.unary_unary(SERVICE + method)
            while (started := time.perf_counter()) < end or not latencies_ms:
                answer = await call(payload)
                calls += 1
                if started >= warm_at:
                    latencies_ms.append((time.perf_counter() - started) * 1e3)
        assert b"200" in answer, answer

    await asyncio.gather(*(client(number) for number in range(clients)))
    latencies_ms.sort()
    return {
        "calls_per_s": len(latencies_ms) / seconds,
        "p50_ms": latencies_ms[len(latencies_ms) // 2],
        "p99_ms": latencies_ms[len(latencies_ms) * 99 // 100],
        "all_calls": calls,
    }


async def serve_bare(pki: Path) -> None:
    """The baseline: a handler that returns a constant."""

    async def check_conn_state(
        request: pb.CheckConnStateRequest, context: Any
    ) -> pb.CheckConnResponse:
        del request, context
        return ANSWER

    key, certificate, ca = (
        (pki / name).read_bytes() for name in ("server-key.pem", "server.pem", "ca.pem")
    )
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler: Any = grpc.unary_unary_rpc_method_handler(
        check_conn_state,
        request_deserializer=pb.CheckConnStateRequest.FromString,
        response_serializer=pb.CheckConnResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("pb.LiteKubeNCService", {"CheckConnState": handler})]
    )
    credentials = grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)
    print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
    await server.start()
    await server.wait_for_termination()


@contextlib.contextmanager
def bare_running(pki: Path) -> Iterator[Running]:
    """The baseline in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--bare", str(pki)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with stopping(process):
        yield Running(process, int(process.stdout.readline()))


if __name__ == "__main__":
    main()
