"""How fast does a change become durable, with one caller and with many?

Question: at 1, 64 and 256 concurrent callers, each waiting for its own change to be durable before
it makes the next one, how many changes a second does a replica reach, as a share of SQLite (WAL,
synchronous=FULL, one transaction a change, a connection a thread) and of what the disk gives to a
loop of pwrite + fdatasync into an allocated file? The bare log with one caller stands beside them,
without decisions, folds and event loop. `threaded` is the replica of a server that nodes are linked
to: every append is handed to a thread (`nc/replica/local_log.py`).

All on the same disk, in turns, in the same run. Before each, raw writes are measured again, and the
ratio to them is taken within the pair, since disks and machines are shared; figures are medians.

    python benchmarks/appends.py [--rounds 3] [--seconds 1] [--folder .] [--json FILE]
"""

import argparse
import asyncio
import json
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import uvloop

import eventlog
from nc.clock import SystemClock
from nc.domain.tokens import IssueToken
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica

CALLERS = (1, 64, 256)
RECORD_BYTES = 200  # about what one token's record takes
Measure = Callable[[Path, float], float]  # folder and seconds to changes a second
ORIGIN = Origin("system", "benchmark", "0123456789abcdef0123")


class Pair(NamedTuple):
    """Changes a second: raw, and by one contestant right after."""

    raw: float
    rate: float


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pairs: dict[str, list[Pair]] = {}
    for _ in range(arguments.rounds):
        for name, measure in _contestants().items():
            raw, rate = (
                _in_folder(each, arguments.folder, arguments.seconds) for each in (_raw, measure)
            )
            pairs.setdefault(name, []).append(Pair(raw, rate))
    _print(pairs)
    if arguments.json:
        arguments.json.write_text(json.dumps(pairs, indent=1))


def _in_folder(measure: Measure, above: Path, seconds: float) -> float:
    with tempfile.TemporaryDirectory(dir=above, prefix="bench-") as folder:
        return measure(Path(folder), seconds)


def _contestants() -> dict[str, Measure]:
    found: dict[str, Measure] = {"raw 1": _raw, "log 1": _log}
    for callers in CALLERS:
        found[f"replica {callers}"] = partial(_replica, callers=callers, append_on_loop=True)
        found[f"threaded {callers}"] = partial(_replica, callers=callers, append_on_loop=False)
        found[f"sqlite {callers}"] = partial(_sqlite, callers=callers)
    return found


def _raw(folder: Path, seconds: float) -> float:
    """Writes a second, one after the other."""
    fd = os.open(folder / "raw", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(fd, 0, 64 * 1024 * 1024)
    os.fsync(fd)
    data, count, start = bytes(RECORD_BYTES), 0, time.perf_counter()
    while not count or time.perf_counter() - start < seconds:
        os.pwrite(fd, data, count * RECORD_BYTES)
        os.fdatasync(fd)
        count += 1
    os.close(fd)
    return count / (time.perf_counter() - start)


def _log(folder: Path, seconds: float) -> float:
    """Appends a second to the bare log, one after the other."""
    log = eventlog.open(folder / "log")
    data, start = bytes(RECORD_BYTES - 88), time.perf_counter()
    while not log.last_seq or time.perf_counter() - start < seconds:
        log.append(data, 1, log.last_seq)
    rate = log.last_seq / (time.perf_counter() - start)
    log.close()
    return rate


def _replica(folder: Path, seconds: float, *, callers: int, append_on_loop: bool) -> float:
    """Tokens issued a second."""

    async def call(replica: Replica, name: int, end: float) -> int:
        count = 0
        while not count or time.perf_counter() < end:
            await replica.submit(IssueToken(f"{name:08x}{count:024x}", -1, 0), ORIGIN)
            count += 1
        return count

    async def run() -> float:
        log = eventlog.open(folder / "log")
        replica = Replica(
            LocalLog(log, SystemClock()), SystemClock(), append_on_loop=append_on_loop
        )
        replica.start()
        start = time.perf_counter()
        counts = await asyncio.gather(
            *(call(replica, name, start + seconds) for name in range(callers))
        )
        rate = sum(counts) / (time.perf_counter() - start)
        assert len(replica.state.tokens) == sum(counts)  # digests are events, too
        await replica.stop()
        log.close()
        return rate

    return uvloop.run(run())


def _sqlite(folder: Path, seconds: float, *, callers: int) -> float:
    """Rows inserted a second, a transaction each."""
    path = folder / "db"
    with sqlite3.connect(path) as first:
        first.execute("PRAGMA journal_mode=WAL")
        first.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, payload BLOB)")
    counts = [0] * callers
    start = time.perf_counter()

    def call(name: int) -> None:
        connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        while not any(counts) or time.perf_counter() - start < seconds:
            connection.execute("INSERT INTO events (payload) VALUES (?)", (bytes(112),))
            counts[name] += 1
        connection.close()

    threads = [threading.Thread(target=call, args=(name,)) for name in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def _print(pairs: dict[str, list[Pair]]) -> None:
    rates = {name: median(pair.rate for pair in of_name) for name, of_name in pairs.items()}
    print(f"{'':<14}{'a second':>10}{'/ raw':>8}{'/ SQLite':>10}")
    for name, of_name in pairs.items():
        kind, _, callers = name.partition(" ")
        sqlite = rates[f"sqlite {callers}"] if kind != "raw" else rates["sqlite 1"]
        ratio = median(pair.rate / pair.raw for pair in of_name)
        print(f"{name:<14}{rates[name]:>10,.0f}{ratio:>8.2f}{rates[name] / sqlite:>10.1f}")


if __name__ == "__main__":
    main()
