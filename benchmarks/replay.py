"""How fast is a history read back into state?

Question: how many events a second go from storage into state, when the same history is kept

    log               in our log: checksums, hash chain and sequence numbers verified, then folded
    log, not folded   the same without the fold: what reading, verifying and parsing take
    sqlite            by SQLite, an event a row, read in order into the same fold; the baseline
    es objects        by the library `eventsourcing`, an aggregate a node, as plain objects in
                      memory; each is asked of its repository
    es sqlite         the same in SQLite
    es in order       the same, by one pass over all notifications instead

Nobody but the log verifies anything: SQLite has no checksums, and `eventsourcing` checks that each
aggregate's versions are without gaps. What is compared in the end is what is known of every node;
the log's and SQLite's state also has the address pool, in the order in which it is given out.

Two histories (`histories.py`): newcomers, and a cluster that lives. Best of the rounds, in turns,
without garbage collection; by the CPU's time too, for machines that are shared.

    python benchmarks/replay.py [--events 200000] [--nodes 10000] [--rounds 3] [--json FILE]
"""

import argparse
import gc
import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
try:
    from benchmarks.eventsourced import Fact, Store, facts_of_aggregates
except ModuleNotFoundError as error:
    sys.exit(f"{error}: run pip install -c constraints.txt -e '.[bench]' for this benchmark")
import eventlog
from benchmarks.histories import cluster, kinds, newcomers, write_log
from benchmarks.timing import Taken, best, timed
from nc.domain.codec.records import entries_in
from nc.domain.events import Entry, Event
from nc.domain.evolve import evolve
from nc.domain.links import link_of
from nc.domain.state import State
from nc.replica.replay import replay

BASELINE = "sqlite"


def main() -> None:
    """Compare both histories."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--nodes", type=int, default=10_000, help="of the cluster that lives")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    gc.disable()
    results = {}
    for name, entries in (
        ("newcomers", list(newcomers(arguments.events // 2))),
        ("cluster", list(cluster(arguments.nodes, arguments.events))),
    ):
        with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-") as home:
            results[name] = compare(name, entries, Path(home), arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def compare(name: str, entries: list[Entry], home: Path, rounds: int) -> dict[str, object]:
    """Write a history in every way, read it in every way, print the table."""
    mix = kinds(entries)
    events = sum(mix.values())
    write_log(home / "log", entries)
    log = eventlog.open(home / "log")
    rows = write_rows(home / "rows.db", entries)
    objects, stored = Store(None), Store(home / "es.db")
    objects.write(entries)
    stored.write(entries)
    ways: dict[str, Callable[[], Any]] = {
        "log": lambda: replay(log, State()),
        "log, not folded": lambda: parse(log),
        "sqlite": lambda: read_rows(rows),
        "es objects": objects.by_aggregate,
        "es sqlite": stored.by_aggregate,
        "es in order": stored.in_order,
    }
    expected = facts_of_state(replay(log, State()))
    taken: dict[str, list[Taken]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, read in ways.items():
            found, took = timed(read)
            match found:
                case State():
                    assert facts_of_state(found) == expected
                case list():
                    assert facts_of_aggregates(found) == expected
                case _:
                    assert found == events
            taken[way].append(took)
    for each in (log, rows, objects, stored):
        each.close()
    return report(name, mix, {way: best(those) for way, those in taken.items()})


def report(name: str, mix: dict[str, int], taken: dict[str, Taken]) -> dict[str, object]:
    """Print a table, and return what is in it."""
    events = sum(mix.values())
    shares = ", ".join(
        f"{kind} {count / events:.1%}" for kind, count in sorted(mix.items(), key=lambda m: -m[1])
    )
    print(f"{name}: {events:,} events: {shares}")
    print(f"{'':<18}{'events/s':>12}{'by CPU time':>14}{'/ ' + BASELINE:>12}")
    for way, took in taken.items():
        ratio = taken[BASELINE].cpu / took.cpu
        print(f"{way:<18}{events / took.wall:>12,.0f}{events / took.cpu:>14,.0f}{ratio:>12.2f}")
    print()
    rates = {way: {"wall": events / t.wall, "cpu": events / t.cpu} for way, t in taken.items()}
    return {"events": events, "mix": dict(mix), "events_per_second": rates}


def facts_of_state(state: State) -> dict[str, Fact]:
    """What is known of every node."""
    return {
        node_id: Fact(
            node.token_id,
            node.expires_at_ms,
            (link := link_of(state.links, node_id)).state.value,
            link.link_id,
            state.addresses.address_of(node_id),
        )
        for node_id, node in state.nodes.items()
    }


def parse(log: eventlog.FileLog) -> int:
    """Read, verify and parse everything; returns how many events there are."""
    return sum(len(entry.events) for entry in entries_in(log.read()))


def write_rows(path: Path, entries: list[Entry]) -> sqlite3.Connection:
    """An event a row, with what it came with."""
    rows = sqlite3.connect(path)
    rows.execute(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, recorded_at_ns INTEGER, actor TEXT,"
        " method TEXT, request_id TEXT, payload BLOB)"
    )
    rows.executemany(
        "INSERT INTO events (recorded_at_ns, actor, method, request_id, payload)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            (e.recorded_at_ns, e.actor, e.method, e.request_id, event.SerializeToString())
            for e in entries
            for event in e.events
        ),
    )
    rows.commit()
    return rows


def read_rows(rows: sqlite3.Connection) -> State:
    payloads = rows.execute("SELECT payload FROM events ORDER BY seq")
    return evolve(State(), (Event.FromString(payload) for (payload,) in payloads))


if __name__ == "__main__":
    main()
