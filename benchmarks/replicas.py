"""What do several machines cost, and how long is a dead one noticed?

Question: with the log in a stream that three servers of NATS keep on disk, and with one, two or
three servers of ours on it, how many commands and queries a second are there, and how long does one
take; how long are commands and queries not answered after `kill -9` of the server that leads, and
of another; and how long does a server take to start that has nothing of a log yet?

The baseline is "one server, file log", measured in the same rounds and started on the same events.
Everything runs on this machine, over mutual TLS on loopback: the servers share its cores and its
disk, where machines of their own would not. A command is GetBootStrapToken and a query is
CheckConnState, called from 64 connections (a second) and from one (latency). The load is that of
`rpc.py`, with the same `--client`.

After a kill each of the others is asked again and again. "Silence" is the longest time between two
answers of one of them; "command" is from the kill until the first answer that says 200.

    python benchmarks/replicas.py [--rounds 3] [--seconds 2] [--replicas 3] [--failovers 3]
                                  [--events 20000] [--client c] [--folder .] [--json FILE]
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.cluster import PROGRAM, Server, Servers, Stream, three_of_nats
from benchmarks.failover import COMMAND, after_kill
from benchmarks.histories import newcomers, write_log
from benchmarks.rpc import Load, Shape, built_load
from benchmarks.servers import prepare
from nc.pb import network_controller_pb2 as pb

BASELINE = "one server, file log"
COUNTS = {1: "one replica", 2: "two replicas", 3: "three replicas"}
MANY, ONE = Shape(64, 1), Shape(1, 1)
EVENTS_A_NODE = 2


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--replicas", type=int, choices=COUNTS, default=3, help="at the most")
    parser.add_argument("--failovers", type=int, default=3, help="of the leader, and of another")
    parser.add_argument(
        "--events", type=int, default=20_000, help="in the log of a cold start; 0: none is measured"
    )
    parser.add_argument("--client", choices=("c", "python"), default="c")
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to measure")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-") as folder:
        home = Path(folder).absolute()
        with three_of_nats(home) as stream:
            found = calls_and_failovers(home, stream, arguments)
            if arguments.events:
                found["starts"] = starts(home, stream, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def calls_and_failovers(
    home: Path, stream: Stream, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure beside the baseline with one, two and three replicas; then kill some of the three."""
    program = built_load(home) if arguments.client == "c" else None
    found: dict[str, Any] = {"calls": {}}
    alone = Server(home / "alone")
    with Servers(home / "calls", stream.address("calls")) as replicas:
        try:
            alone.start()
            baseline = Caller([alone], prepare(alone.running, alone.pki)["node"], program)
            node = ""
            for count, name in list(COUNTS.items())[: arguments.replicas]:
                replicas.add().start()
                leader = replicas.leader()
                node = node or prepare(leader.running, leader.pki)["node"]
                ordered = sorted(replicas.all, key=lambda server: server is not leader)
                caller = Caller(ordered, node, program)
                found["calls"][name] = compared(baseline, caller, arguments)
                print_calls(name, found["calls"][name], is_first=count == 1)
        finally:
            alone.stop()
        if arguments.failovers and len(replicas.all) > 1:
            found["failovers"] = failovers(replicas, node, arguments.failovers)
    return found


class Caller(NamedTuple):
    """Who calls: commands at the first of the servers, queries at all of them at once."""

    servers: list[Server]
    node: str
    program: Path | None

    def commands(self, shape: Shape, seconds: float, at: int = 0) -> dict[str, float]:
        server = self.servers[at]
        load = Load(self.program, server.pki, shape, seconds)
        return load.measure(server.running, "GetBootStrapToken", COMMAND)

    def queries(self, shape: Shape, seconds: float) -> dict[str, float]:
        """The sum of the rates, the middle of the rest."""
        request = pb.CheckConnStateRequest(token=self.node)

        def at(server: Server) -> dict[str, float]:
            load = Load(self.program, server.pki, shape, seconds)
            return load.measure(server.running, "CheckConnState", request)

        with ThreadPoolExecutor(len(self.servers)) as threads:
            rows = list(threads.map(at, self.servers))
        row = {key: statistics.median(each[key] for each in rows) for key in rows[0]}
        return {**row, "calls_per_s": sum(each["calls_per_s"] for each in rows)}

    def measured(self, seconds: float) -> Iterator[tuple[str, dict[str, float]]]:
        yield "commands, 64 at once", self.commands(MANY, seconds)
        yield "commands, one by one", self.commands(ONE, seconds)
        if len(self.servers) > 1:
            yield "commands at another, one by one", self.commands(ONE, seconds, at=-1)
        yield "queries, 64 at once at each", self.queries(MANY, seconds)
        yield "queries, one by one at each", self.queries(ONE, seconds)


def compared(
    baseline: Caller, caller: Caller, arguments: argparse.Namespace
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Both in turns: what was measured, of whom, in each round."""
    found: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(arguments.rounds):
        for who, each in ((BASELINE, baseline), ("replicas", caller)):
            for what, row in each.measured(arguments.seconds):
                found[what][who].append(row)
    return found


def print_calls(
    name: str, found: dict[str, dict[str, list[dict[str, float]]]], *, is_first: bool
) -> None:
    """Medians over the rounds; the ratio is that of calls a second in the same round."""
    if is_first:
        print(f"{'':<34}{'calls/s':>9}{'ratio':>7}{'CPU µs/call':>13}{'p50 ms':>8}{'p99 ms':>8}")
    for who, title in ((BASELINE, f"{BASELINE}, beside {name}"), ("replicas", name)):
        print(title)
        for what, rows in found.items():
            if who not in rows:
                continue
            own, base = rows[who], found[what.replace(" at another", "")][BASELINE]
            ratios = [a["calls_per_s"] / b["calls_per_s"] for a, b in zip(own, base, strict=True)]
            row = {key: statistics.median(each[key] for each in own) for key in own[0]}
            print(
                f"  {what:<32}{row['calls_per_s']:>9.0f}{statistics.median(ratios):>7.2f}"
                f"{row['cpu_us']:>13.0f}{row['p50_ms']:>8.2f}{row['p99_ms']:>8.2f}"
            )


def failovers(replicas: Servers, node: str, count: int) -> dict[str, list[dict[str, float]]]:
    """Kill the leader, and another, so many times; each is started again before the next."""
    found: dict[str, list[dict[str, float]]] = {"the leader": [], "another": []}
    for _ in range(count):
        for victim, rows in found.items():
            leader = replicas.leader()
            others = [server for server in replicas.all if server is not leader]
            killed = leader if victim == "the leader" else others[0]
            survivors = [server for server in replicas.all if server is not killed]
            rows.append(uvloop.run(after_kill(killed, survivors, node)))
            rows[-1]["back"] = killed.start()
    print(f"{count} kills of each, s: median (longest)")
    for victim, rows in found.items():
        figures = (
            f"{what} {statistics.median(row[what] for row in rows):.2f} "
            f"({max(row[what] for row in rows):.2f})"
            for what in rows[0]
        )
        print(f"  {victim:<12}{', '.join(figures)}")
    return found


def starts(home: Path, stream: Stream, arguments: argparse.Namespace) -> dict[str, float]:
    """How long servers take to start on so many events, seconds; printed, too."""
    first, address = home / "first", stream.address("starts")
    began(first)
    shutil.rmtree(first / "log")
    write_log(first / "log", newcomers(arguments.events // EVENTS_A_NODE))
    for mark in first.glob("pki/*/log-id"):
        mark.unlink()
    shutil.copytree(first, home / "file")
    found = {f"{BASELINE}: no snapshot": began(home / "file")}
    found[f"{BASELINE}: snapshot"] = began(home / "file")
    move = [PROGRAM, "log", "move", "--data-dir", str(first), "--to", address]
    clock = time.perf_counter()
    subprocess.run(move, check=True, stdout=subprocess.DEVNULL)
    found["log move to the stream"] = time.perf_counter() - clock
    with Servers(home / "starts", address) as replicas:
        found["first replica: its own copy, no snapshot"] = replicas.add(first).start()
        cold = replicas.add()
        found["another replica, cold: nothing but the keys"] = cold.start()
        cold.stop()
        found["another replica: its copy and a snapshot"] = cold.start()
    print(f"starts with {arguments.events} events, from the command until ready, s")
    for what, seconds in found.items():
        print(f"  {what:<46}{seconds:>8.2f}")
    return found


def began(data: Path) -> float:
    """Start a server without a stream, and stop it; how long the start took."""
    server = Server(data)
    try:
        return server.start()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
