"""How fast is a long log in a browser: as a page of one file, and live in the console?

Question: how long does Chromium take to show 100,000 events about 10,000 nodes, and to show another
moment of them, and how much memory do they take? The baseline is the page of one event: what the
browser takes anyway. For the console a real server has the log; it, the console and the browser
share the machine.

    opened   until the file's page is loaded, or the console has read and shown all of the log
    present  until the console shows the nodes as they are, and the newest events
    paint    the first contentful paint
    step     what the slider's handler takes; until it is seen is longer by a frame at the most
    heap     of JavaScript, after all steps
    live     from a call that changes something to the page that shows it, on average

    python benchmarks/page.py [--nodes 10000] [--events 100000] [--steps 300] [--rounds 5]
                              [--only console]
"""

import argparse
import statistics
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

import eventlog
from nc.domain.codec.records import Recorded
from nc.domain.events import Batch
from nc.domain.state import State
from nc.history.export.html import write_page

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.busy_log import START, busy_history
from tests.support.chromium import Chromium, Tab
from tests.support.live_console import LiveConsole, enter, wait_for

ENTRIES_IN_RECORD = 100

OPENED_MS = "performance.getEntriesByType('navigation')[0].loadEventEnd"
PAINT_MS = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
LAST_SHOWN = "Number(text('moment-event').replaceAll(',', '').split(' of ')[1])"
HEAP_MB = "performance.memory.usedJSHeapSize / 1e6"
STEPS_MS = """
(async () => {
  const slider = document.getElementById("slider");
  const taken = [];
  for (let i = 1; i <= %d; i++) {
    slider.value = (i * 0.6180339887) %% 1;
    const before = performance.now();
    slider.dispatchEvent(new Event("input"));
    taken.push(performance.now() - before);
    await new Promise((done) => requestAnimationFrame(done));
  }
  return taken;
})()
"""


def main() -> None:
    """Measure the pages and the console."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("page", "console"))
    arguments = parser.parse_args()
    history = busy_history(arguments.nodes, arguments.events)
    titles = (
        "written s  size MB  opened ms  present ms  paint ms  "
        "step ms p50    p99    max  heap MB  live ms"
    )
    print(f"{titles:>118}")
    with tempfile.TemporaryDirectory() as name, Chromium() as browser, Tab(browser) as tab:
        folder = Path(name)
        if arguments.only != "console":
            for events in (history[:1], history):
                measure_page(tab, folder / "page.html", events, arguments)
        if arguments.only != "page":
            measure_console(tab, folder, history, arguments)


def measure_page(tab: Tab, path: Path, events: list[Recorded], how: argparse.Namespace) -> None:
    """Write a page, open it some times, move its slider; print what it took."""
    before = time.perf_counter()
    with path.open("w", encoding="utf-8") as out:
        write_page(events, State(), out)
    written_s = time.perf_counter() - before
    opened: list[float] = []
    painted: list[float] = []
    stepped: list[float] = []
    for _ in range(how.rounds):
        tab.open(path)
        opened.append(tab.run(OPENED_MS))
        stepped += tab.run(STEPS_MS % (how.steps // how.rounds))
        painted.append(tab.run(PAINT_MS))
    size_mb = path.stat().st_size / 1e6
    start = f"page {len(events):>6} events {written_s:>8.2f} {size_mb:>8.2f}"
    show(start, statistics.median(opened), 0, statistics.median(painted), stepped, tab.run(HEAP_MB))


def measure_console(
    tab: Tab, folder: Path, history: list[Recorded], how: argparse.Namespace
) -> None:
    """Serve the log, open the console, move its slider; print what it took."""
    with LiveConsole(folder, START.network_address) as live:
        live.stop_server()
        before = time.perf_counter()
        write_log(folder / "data" / "log", history)
        written_s = time.perf_counter() - before
        live.start_server()
        last_seq = live.run(live.client.events.last_seq())
        enter(tab, live.start_console())
        present = tab.run("performance.now()")
        wait_for(tab, "text('pulse') === 'Live'")
        opened = tab.run("performance.now()")
        painted = tab.run(PAINT_MS)
        stepped = tab.run(STEPS_MS % how.steps)
        start = f"live {last_seq:>6} events {written_s:>8.2f} {'':>8}"
        heap_mb, live_ms = tab.run(HEAP_MB), shown_ms(live, tab, how.rounds)
        show(start, opened, present, painted, stepped, heap_mb, live_ms)


def shown_ms(live: LiveConsole, tab: Tab, rounds: int) -> float:
    """How long it takes until a page shows what has changed, ms."""
    before = time.perf_counter()
    for _ in range(rounds):
        live.run(live.client.tokens.issue())
        last_seq = live.run(live.client.events.last_seq())
        wait_for(tab, f"{LAST_SHOWN} >= {last_seq}")
    return (time.perf_counter() - before) * 1000 / rounds


def write_log(folder: Path, history: list[Recorded]) -> None:
    """Add a history to a log, many entries a record."""
    entries = [next(group).entry for _, group in groupby(history, key=lambda each: id(each.entry))]
    log = eventlog.open(folder)
    seq = log.last_seq
    for start in range(0, len(entries), ENTRIES_IN_RECORD):
        some = entries[start : start + ENTRIES_IN_RECORD]
        count = sum(len(entry.events) for entry in some)
        log.append(Batch(entries=some).SerializeToString(), count, seq)
        seq += count
    log.close()


def show(
    start: str,
    opened: float,
    present: float,
    painted: float,
    stepped: list[float],
    heap_mb: float,
    live_ms: float = 0,
) -> None:
    """Print a line of the table."""
    stepped = sorted(stepped)
    shown = f"{present:.0f}" if present else ""
    lived = f"{live_ms:.0f}" if live_ms else ""
    p99 = stepped[len(stepped) * 99 // 100]
    print(
        f"{start} {opened:>10.0f} {shown:>11} {painted:>9.0f} {statistics.median(stepped):>12.1f}"
        f" {p99:>6.1f} {stepped[-1]:>6.1f} {heap_mb:>8.0f} {lived:>8}"
    )


if __name__ == "__main__":
    main()
