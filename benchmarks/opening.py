"""How long does a start take, and how much memory does a node?

Question: with so many registered nodes, of which each holds an address, how long does it take to
open the log and have the state, with a snapshot and without one; and how many bytes of memory does
a node take then? The baseline is reading the same files once, as `cat` does.

Each start is a process of its own, and files are in the page cache for all of them.

    python benchmarks/opening.py [--nodes 1000000] [--rounds 3] [--folder .] [--json FILE]
"""

import argparse
import asyncio
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import eventlog
from nc.clock import SystemClock
from nc.domain.addresses import Network
from nc.domain.events import (
    AddressBound,
    Batch,
    Certificate,
    Entry,
    Event,
    NodeRegistered,
    ReplicaStarted,
    TokenIssued,
    pb,
)
from nc.projections.digest import digest
from nc.replica import Replica

NETWORK = "10.0.0.1/8"
ENTRIES = 256  # in a record, as under load


def main() -> None:
    """Run the comparison, or one start of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--json", type=Path)
    parser.add_argument("--start", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--snapshot", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.start:
        print(json.dumps(asyncio.run(start(arguments.start, leave=arguments.snapshot))))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Make a log, start on it without and with a snapshot, print the table."""
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-") as home:
        folder = Path(home) / "log"
        write_log(folder, arguments.nodes)
        without = [start_process(folder) for _ in range(arguments.rounds)]
        left = start_process(folder, "--snapshot")
        with_snapshot = [start_process(folder) for _ in range(arguments.rounds)]
        assert {found["digest"] for found in (*without, left, *with_snapshot)} == {left["digest"]}
        read_s = statistics.median(read_files(folder) for _ in range(arguments.rounds))
        (snapshot,) = folder.glob("*.snapshot")
        sizes = {"log": sum(p.stat().st_size for p in folder.glob("*.seg")),
                 "snapshot": snapshot.stat().st_size}  # fmt: skip
        results = {
            "nodes": arguments.nodes,
            "without_snapshot_s": statistics.median(float(f["seconds"]) for f in without),
            "with_snapshot_s": statistics.median(float(f["seconds"]) for f in with_snapshot),
            "reading_the_files_s": read_s,
            "bytes_a_node_replayed": int(without[0]["bytes"]) / arguments.nodes,
            "bytes_a_node_from_snapshot": int(with_snapshot[0]["bytes"]) / arguments.nodes,
            "snapshot_bytes_a_node": sizes["snapshot"] / arguments.nodes,
            "log_bytes_a_node": sizes["log"] / arguments.nodes,
        }
    for name, value in results.items():
        print(f"{name:<28}{value:>12,.2f}")
    share = results["with_snapshot_s"] / results["without_snapshot_s"]
    print(f"{'snapshot / replay':<28}{share:>12.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def write_log(folder: Path, nodes: int) -> None:
    """A history: a token, and nodes that redeem it and are given their addresses."""
    log = eventlog.open(folder)
    entries = histories(nodes)
    while some := list(islice(entries, ENTRIES)):
        batch = Batch(entries=some)
        count = sum(len(entry.events) for entry in some)
        log.append(batch.SerializeToString(), count, log.last_seq)
    log.close()


def histories(nodes: int) -> Iterator[Entry]:
    """What the log's entries say."""
    token_id, network = "f" * 32, Network.parse(NETWORK)
    addresses = (a for slot in range(network.slots) if (a := network.address(slot)))
    yield Entry(events=[Event(replica_started=ReplicaStarted(network_address=NETWORK))])
    yield Entry(events=[Event(token_issued=TokenIssued(token_id=token_id))])
    for number, address in zip(range(nodes), addresses, strict=False):
        node_id = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()
        certificates = [
            Certificate(authority=authority, serial=node_id, not_after_ms=1_800_000_000_000)
            for authority in (pb.CERTIFICATE_AUTHORITY_GRPC, pb.CERTIFICATE_AUTHORITY_NETWORK)
        ]
        registered = NodeRegistered(node_id=node_id, token_id=token_id, certificates=certificates)
        yield Entry(
            actor=f"bootstrap:{token_id}",
            method="GetToken",
            request_id=node_id[:20],
            events=[
                Event(node_registered=registered),
                Event(address_bound=AddressBound(node_id=node_id, address=address)),
            ],
        )


def start_process(folder: Path, *options: str) -> dict[str, str]:
    """One start in a process of its own; it says how long it took."""
    command = [sys.executable, __file__, "--start", str(folder), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


async def start(folder: Path, *, leave: bool) -> dict[str, object]:
    """Open the log and have the state; leave a snapshot if told to."""
    before = resident_bytes()
    began = time.perf_counter()
    log = eventlog.open(folder)
    replica = Replica(log, SystemClock())
    replica.start()
    seconds = time.perf_counter() - began
    state = replica.state
    memory = resident_bytes() - before
    found = {"seconds": seconds, "bytes": memory, "digest": digest(state).hex()}
    if leave:
        await replica.stop()
        log.close()
    return found


def resident_bytes() -> int:
    """Memory that this process has now."""
    fields = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) * 1024


def read_files(folder: Path) -> float:
    """How long reading all segments takes, seconds."""
    began = time.perf_counter()
    for path in folder.glob("*.seg"):
        with path.open("rb") as source, Path("/dev/null").open("wb") as sink:
            shutil.copyfileobj(source, sink, 1024 * 1024)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
