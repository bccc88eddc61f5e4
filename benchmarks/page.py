"""How fast is the page of a long log, in a browser?

Question: how long does Chromium take to open the page of 50,000 events about 2,000 nodes, and to
show another moment of it? The baseline is the page of one event: what the browser takes anyway.

A step is what the slider's handler takes; until it is seen is longer by a frame at the most.

    python benchmarks/page.py [--nodes 2000] [--events 50000] [--steps 300]
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from nc.domain.state import State
from nc.history.events import Recorded
from nc.history.export.html import write_page

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.busy_log import busy_history
from tests.support.chromium import Chromium, Tab

ROUNDS = 5

OPENED_MS = "performance.getEntriesByType('navigation')[0].loadEventEnd"
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
    """Measure both pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    history = busy_history(arguments.nodes, arguments.events)
    print("            written s    size MB  opened ms  step ms p50    p99    max")
    with tempfile.TemporaryDirectory() as folder, Chromium() as browser, Tab(browser) as tab:
        for events in (history[:1], history):
            measure(tab, Path(folder) / "page.html", events, arguments.steps)


def measure(tab: Tab, path: Path, events: list[Recorded], steps: int) -> None:
    """Write a page, open it some times, move its slider; print what it took."""
    before = time.perf_counter()
    with path.open("w", encoding="utf-8") as out:
        write_page(events, State(), out)
    written_s = time.perf_counter() - before
    opened: list[float] = []
    stepped: list[float] = []
    for _ in range(ROUNDS):
        tab.open(path)
        opened.append(tab.run(OPENED_MS))
        stepped += tab.run(STEPS_MS % (steps // ROUNDS))
    stepped.sort()
    print(
        f"{len(events):>6} events {written_s:>9.2f} {path.stat().st_size / 1e6:>10.2f}"
        f" {statistics.median(opened):>10.0f} {statistics.median(stepped):>12.1f}"
        f" {stepped[len(stepped) * 99 // 100]:>6.1f} {stepped[-1]:>6.1f}"
    )


if __name__ == "__main__":
    main()
