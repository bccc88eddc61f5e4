"""How long does a start take, and how much memory does a node?

Question: with so many registered nodes, of which each holds an address, how long does it take to
open the log and have the state, with a snapshot and without one; and how many bytes of memory does
a node take then? The baseline is reading the same files once, as `cat` does.

Each start is a process of its own, and files are in the page cache for all of them. Bytes are what
the process's resident memory grew by. Best of the rounds, by the wall's clock and by the CPU's.

    python benchmarks/opening.py [--nodes 1000000] [--linked] [--named] [--rounds 3] [--json FILE]
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import eventlog
from benchmarks.histories import newcomers, write_log
from nc.clock import SystemClock
from nc.domain.codec.digest import digest
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica

# What was aimed at, at a million nodes.
AIMS = {"with_snapshot_s": 3.0, "bytes_a_node_from_snapshot": 600, "bytes_a_node_replayed": 600}


def main() -> None:
    """Run the comparison, or one start of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--linked", action="store_true", help="every node is CONNECTED, too")
    parser.add_argument("--named", action="store_true", help="every node has a profile, too")
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
        history = newcomers(arguments.nodes, linked=arguments.linked, are_named=arguments.named)
        write_log(folder, history)
        without = [start_process(folder) for _ in range(arguments.rounds)]
        left = start_process(folder, "--snapshot")
        with_snapshot = [start_process(folder) for _ in range(arguments.rounds)]
        assert {found["digest"] for found in (*without, left, *with_snapshot)} == {left["digest"]}
        read_s = min(read_files(folder) for _ in range(arguments.rounds))
        (snapshot,) = folder.glob("*.snapshot")
        sizes = {"log": sum(p.stat().st_size for p in folder.glob("*.seg")),
                 "snapshot": snapshot.stat().st_size}  # fmt: skip
        results = {
            "nodes": arguments.nodes,
            "without_snapshot_s": least(without, "seconds"),
            "without_snapshot_cpu_s": least(without, "cpu_seconds"),
            "with_snapshot_s": least(with_snapshot, "seconds"),
            "with_snapshot_cpu_s": least(with_snapshot, "cpu_seconds"),
            "reading_the_files_s": read_s,
            "bytes_a_node_replayed": int(without[0]["bytes"]) / arguments.nodes,
            "bytes_a_node_from_snapshot": int(with_snapshot[0]["bytes"]) / arguments.nodes,
            "snapshot_bytes_a_node": sizes["snapshot"] / arguments.nodes,
            "log_bytes_a_node": sizes["log"] / arguments.nodes,
        }
    for name, value in results.items():
        aim = f"   aim: at most {AIMS[name]:g}" if name in AIMS else ""
        print(f"{name:<28}{value:>12,.2f}{aim}")
    share = results["with_snapshot_s"] / results["without_snapshot_s"]
    print(f"{'snapshot / replay':<28}{share:>12.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def least(found: list[dict[str, str]], what: str) -> float:
    return min(float(each[what]) for each in found)


def start_process(folder: Path, *options: str) -> dict[str, str]:
    """One start in a process of its own; it says how long it took."""
    command = [sys.executable, __file__, "--start", str(folder), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


async def start(folder: Path, *, leave: bool) -> dict[str, object]:
    """Open the log and have the state; leave a snapshot if told to."""
    before = resident_bytes()
    began, began_cpu = time.perf_counter(), time.process_time()
    log = eventlog.open(folder)
    replica = Replica(LocalLog(log, SystemClock()), SystemClock())
    replica.start()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    state = replica.state
    memory = resident_bytes() - before
    found = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "bytes": memory,
        "digest": digest(state).hex(),
    }
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
