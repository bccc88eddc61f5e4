"""What do metrics cost?

Question: what CPU time does a scrape take of a server with so many nodes, each of whose methods was
called, as a ratio to the same server with a hundred nodes; and what does counting add to a call, as
a ratio to `prometheus_client`'s own counters, and to a query's way through the edge? In turns.

    python benchmarks/metrics.py [--nodes 100000] [--rounds 20] [--calls 20000] [--json FILE]
"""

import argparse
import asyncio
import gc
import json
import math
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.histories import newcomers, write_log
from benchmarks.snapshot_pause import installation
from nc.clock import SystemClock
from nc.domain.state import State
from nc.metrics.census import Census
from nc.metrics.exporter import registry_of
from nc.metrics.families import Families
from nc.metrics.loop_lag import LoopLag
from nc.metrics.sources import Sources
from nc.metrics.tally import Tally
from nc.pb import network_controller_pb2 as pb
from nc.rpc.call_counts import DURATION_BOUNDS_S, CallCounts
from nc.rpc.callers import Callers, Transport
from nc.rpc.edge import Edge
from nc.rpc.methods import Method
from nc.rpc.permissions import Permission
from nc.rpc.queue.binding import Metadata
from nc.secrets import SystemSecrets

FEW = 100
PATH = b"/pb.LiteKubeNCService/CheckConnState"
ANSWER = b"answer"
METHOD = Method(
    "CheckConnState",
    pb.CheckConnStateRequest.FromString,
    lambda _request, _call: ANSWER,
    None,
    Permission.ANYONE,
    reads=True,
    is_query=True,
)
LOG = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ""])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = asyncio.run(scrapes(arguments.nodes, arguments.rounds))
    found |= calls(arguments.calls, arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(found), encoding="utf-8")


async def scrapes(nodes: int, rounds: int) -> dict[str, float]:
    """Print what a scrape takes, of few nodes and of many."""
    async with served(FEW) as few, served(nodes) as many:
        pairs = [(few.scrape(), many.scrape()) for _ in range(rounds)]
        census_s = await many.census()
    of_few, of_many = (statistics.median(each) * 1e3 for each in zip(*pairs, strict=True))
    ratio = statistics.median(other / one for one, other in pairs)
    lines = many.text.count(b"\n")
    print(f"{'a scrape, of':32} {'CPU ms':>8} {'ratio':>6}")
    print(f"{f'{FEW} nodes':32} {of_few:8.2f} {1:6.2f}")
    print(
        f"{f'{nodes} nodes':32} {of_many:8.2f} {ratio:6.2f}   {lines} lines, {len(many.text)} bytes"
    )
    print(f"{'a census of them, every 30 s':32} {census_s * 1e3:8.2f}")
    return {"scrape_few_ms": of_few, "scrape_ms": of_many, "scrape_ratio": ratio}


class Scraped:
    """The metrics of a server."""

    def __init__(self, sources: Sources) -> None:
        tally = Tally(sources.replica.state, sources.clock)
        self._census = Census(sources, tally)
        lag = LoopLag(sources.clock)
        self._registry = registry_of(Families(sources, tally, self._census, lag))
        self.text = b""

    def scrape(self) -> float:
        """CPU seconds of one."""
        before = time.thread_time()
        self.text = generate_latest(self._registry)
        return time.thread_time() - before

    async def census(self) -> float:
        """CPU seconds of one, on the event loop."""
        before = time.thread_time()
        await self._census.take()
        return time.thread_time() - before


@asynccontextmanager
async def served(nodes: int) -> AsyncIterator[Scraped]:
    """A server with so many nodes, each of whose methods was called once."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:  # with mode 0700
        data_dir = Path(home)
        async with installation(data_dir):  # makes certificates and a key; its log is replaced
            pass
        shutil.rmtree(data_dir / "log")
        write_log(data_dir / "log", newcomers(nodes))
        for authority in ("grpc", "network"):
            (data_dir / "pki" / authority / "log-id").unlink()
        async with installation(data_dir) as (_, server):
            sources = server.metrics_sources()
            for _, counts in sources.calls.by_method():
                counts.started += 1
                counts.end("OK", 1_000_000)
            scraped = Scraped(sources)
            await scraped.census()
            gc.freeze()
            yield scraped


def calls(count: int, rounds: int) -> dict[str, float]:
    """Print what counting takes of a call, ours and the library's, and what a query takes."""
    ours, library, query = Ours(), Library(), Query()
    times = [
        [timed(run, count) for run in (nothing, ours.count, library.count, query.answer)]
        for _ in range(rounds)
    ]
    empty, us, theirs, whole = (statistics.median(each) for each in zip(*times, strict=True))
    ratio = statistics.median((row[1] - row[0]) / (row[2] - row[0]) for row in times)
    share = statistics.median((row[1] - row[0]) / (row[3] - row[0]) for row in times)
    print(f"\n{'a call':32} {'CPU µs':>8} {'ratio':>6}")
    print(f"{'counted by prometheus_client':32} {theirs - empty:8.2f} {1:6.2f}")
    print(f"{'counted by us':32} {us - empty:8.2f} {ratio:6.2f}")
    print(
        f"{'a query in the edge, counted':32} {whole - empty:8.2f}        {share:.1%} is counting"
    )
    return {"count_us": us - empty, "count_ratio": ratio, "count_share": share}


def timed(run: Callable[[], None], count: int) -> float:
    """CPU µs of one of so many runs."""
    before = time.thread_time()
    for _ in range(count):
        run()
    return (time.thread_time() - before) * 1e6 / count


def nothing() -> None:
    """What the loop itself takes."""


class Ours:
    """As the edge counts."""

    def __init__(self) -> None:
        self._all = CallCounts()
        self._counts = self._all.of({PATH: METHOD})

    def count(self) -> None:
        counts = self._counts.get(PATH, self._all.unknown)
        counts.started += 1
        counts.end("200", 180_000)


class Library:
    """As its documentation says, with the labels looked up for each call."""

    def __init__(self) -> None:
        registry, labels = CollectorRegistry(), ["grpc_type", "grpc_service", "grpc_method"]
        self._started = Counter("started", "-", labels, registry=registry)
        self._handled = Counter("handled", "-", [*labels, "grpc_code"], registry=registry)
        self._seconds = Histogram(
            "seconds", "-", labels, registry=registry, buckets=DURATION_BOUNDS_S
        )

    def count(self) -> None:
        names = ("unary", "pb.LiteKubeNCService", "CheckConnState")
        self._started.labels(*names).inc()
        self._handled.labels(*names, "OK").inc()
        self._seconds.labels(*names).observe(0.00018)


class Query:
    """A query's whole way through the edge, without a socket."""

    def __init__(self) -> None:
        clock, secrets = SystemClock(), SystemSecrets()
        state = State()
        self._edge = Edge(
            Transport.PLAINTEXT, Callers(), lambda: state, str, clock, secrets, LOG, lambda _: None
        )
        self._edge.open({PATH: METHOD})

    def answer(self) -> None:
        wire = Wire()
        refusal = self._edge.admit(wire)
        assert refusal is None
        self._edge.handle(wire, b"")
        self._edge.ended(wire, is_cancelled=False)


class Wire:
    """A call as its transport has it."""

    def __init__(self) -> None:
        self.path = PATH
        self.metadata: Metadata = (("user-agent", "grpc-go/1.60.0"),)
        self.deadline = math.inf
        self.pool: Any = None
        self.party: Any = None
        self.context: Any = None
        self.trailing: Any = None
        self.status: int | None = None

    def peer(self) -> str:
        return "ipv4:192.0.2.1:4711"

    def certificate(self) -> bytes | None:
        return None

    def reply(self, message: bytes) -> None:
        assert message == ANSWER
        self.status = 0

    def vouch(self) -> None:
        """There are no connections."""

    def refuse(self, code: int, details: str) -> None:
        raise AssertionError(code, details)


if __name__ == "__main__":
    main()
