"""How fast is a log verified?

Question: how many events, and how many megabytes, a second does `log verify` go through: checksums,
hash chain, sequence numbers, the legality of every event, and the newest snapshot against a replay?

    read              the files' bytes are read, as `cat` does
    sha256            and hashed; the baseline, since no chain of hashes can be checked faster
    records           by our reader: checksums, chain and sequence numbers
    verify            `log verify` where there is no snapshot
    verify snapshot   `log verify` where a snapshot was left at the end

Two histories (`histories.py`): newcomers, and a cluster that lives. Best of the rounds, in turns,
without garbage collection, as the command does it; by the CPU's time too, for machines that are
shared. Files are in the page cache for all of them.

    python benchmarks/verify.py [--events 400000] [--nodes 10000] [--rounds 3] [--json FILE]
"""

import argparse
import gc
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import eventlog
from benchmarks.histories import cluster, newcomers, write_log
from benchmarks.timing import Taken, best, timed
from eventlog.reader import LogReader
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, encode
from nc.domain.events import Entry
from nc.domain.state import State
from nc.history.verify import known_head_of, verify
from nc.replica.replay import replay

BASELINE = "sha256"
CHUNK_BYTES = 256 * 1024


def main() -> None:
    """Verify both histories."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--nodes", type=int, default=10_000, help="of the cluster that lives")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    gc.disable()
    results = {}
    for name, entries in (
        ("newcomers", newcomers(arguments.events // 2)),
        ("cluster", cluster(arguments.nodes, arguments.events)),
    ):
        with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-") as home:
            results[name] = compare(name, entries, Path(home) / "log", arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def compare(
    name: str, entries: Iterable[Entry], folder: Path, rounds: int
) -> dict[str, dict[str, float]]:
    """Write a log with a snapshot, go through it in every way, print the table."""
    write_log(folder, entries)
    leave_snapshot(folder)
    reader = LogReader(folder)
    (snapshot,) = reader.snapshots([])
    events = reader.last_seq
    size_bytes = sum(path.stat().st_size for path in folder.glob("*.seg"))
    ways: dict[str, Callable[[], int]] = {
        "read": lambda: sum(map(len, chunks(folder))),
        "sha256": lambda: hash_files(folder),
        "records": lambda: sum(record.count for record in reader.read()),
        "verify": lambda: verify(reader.read(markers=True)).events,
        "verify snapshot": lambda: (
            verify(reader.read(markers=True), [known_head_of(snapshot)]).events
        ),
    }
    taken: dict[str, list[Taken]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            found, took = timed(run)
            taken[way].append(took)
            assert found in {events, size_bytes}
    return report(name, events, size_bytes, taken)


def report(
    name: str, events: int, size_bytes: int, taken: dict[str, list[Taken]]
) -> dict[str, dict[str, float]]:
    """Print a table, and return what is in it."""
    print(f"{name}: {events:,} events, {size_bytes / 1e6:.0f} MB")
    print(f"{'':<18}{'events/s':>12}{'by CPU time':>14}{'MB/s':>8}{'time / ' + BASELINE:>16}")
    least = {way: best(those) for way, those in taken.items()}
    for way, took in least.items():
        ratio = took.cpu / least[BASELINE].cpu
        rates = f"{events / took.wall:>12,.0f}{events / took.cpu:>14,.0f}"
        print(f"{way:<18}{rates}{size_bytes / took.wall / 1e6:>8,.0f}{ratio:>16.1f}")
    print()
    return {way: {"wall": events / t.wall, "cpu": events / t.cpu} for way, t in least.items()}


def chunks(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("*.seg")):
        with path.open("rb", buffering=0) as source:
            while data := source.read(CHUNK_BYTES):
                yield data


def hash_files(folder: Path) -> int:
    """Hash the bytes of all segments; returns how many there are."""
    hashed, size_bytes = sha256(), 0
    for data in chunks(folder):
        hashed.update(data)
        size_bytes += len(data)
    return size_bytes


def leave_snapshot(folder: Path) -> None:
    """A snapshot of the state, as a server leaves one when it stops."""
    log = eventlog.open(folder)
    writer = log.snapshots.begin(log.write_sync_marker(), SNAPSHOT_SCHEMA)
    writer.write(b"".join(encode(replay(log, State()))))
    writer.finish()
    log.close()


if __name__ == "__main__":
    main()
