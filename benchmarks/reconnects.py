"""What does it cost when every node comes back at once, and what does a node leave in the log?

Question: of so many registered nodes, how much CPU time of the server does a link take that is
opened, kept (`--hold`) and closed, how long until all are back that come at once, and how many
events and bytes of log is each step? The baseline of opening a link is `links.py`'s bare TLS
server, in the same run. With `--agents` some real agents join as well, one after the other, renew
their certificates (a life of a minute, so at least 20 s), and are restarted: what an event takes
of the log that comes alone.

Nodes are our agent's end of a link, in four processes on this machine, which take CPU time, too.

    python benchmarks/reconnects.py [--links 2000] [--rounds 2] [--hold 0] [--agents 0]
                                    [--json FILE]
"""

import argparse
import contextlib
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.links import all_linked, bare_running, enrol, ours_running
from benchmarks.servers import stopping
from eventlog import LogReader
from eventlog.format import record_size_bytes
from nc.domain.codec.records import events_of
from nc.domain.events import Event, pb

PROGRAM, NCADM = (
    str(Path(sys.executable).with_name(name)) for name in ("network-controller", "ncadm")
)
PATIENCE_S = 120.0
LOOK_S = 0.5  # at the log, which takes CPU time, too


class Cost(NamedTuple):
    """What a step took of the server, a node."""

    seconds: float  # all of them
    cpu_us: float
    events: float
    log_bytes: float


class Events(NamedTuple):
    """Events by what they are, and their bytes in the log with the records around them."""

    kinds: Counter[str]
    log_bytes: int


def events_after(folder: Path, seq: int) -> Events:
    """What was recorded after an event."""
    kinds: Counter[str] = Counter()
    log_bytes = 0
    with contextlib.closing(LogReader(folder)) as reader:
        for record in reader.read(seq):
            log_bytes += record_size_bytes(len(record.payload))
            kinds.update(kind_of(recorded.event) for recorded in events_of(record))
    return Events(kinds, log_bytes)


def kind_of(event: Event) -> str:
    kind = str(event.WhichOneof("kind"))
    if kind != "state_changed":
        return kind
    return pb.ConnectionState.Name(event.state_changed.to_state).removeprefix("CONNECTION_STATE_")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--links", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--hold", type=float, default=0, help="seconds that all links are kept")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found: dict[str, list[Cost]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder:
        home = Path(folder)
        storm(home, arguments, found)
        if arguments.agents:
            alone(home / "alone", arguments.agents, found)
    print(f"{'a node':<26}{'all, s':>9}{'CPU µs':>9}{'events':>9}{'log bytes':>11}")
    for step, costs in found.items():
        row = [statistics.median(column) for column in zip(*costs, strict=True)]
        print(f"{step:<26}{row[0]:>9.2f}{row[1]:>9.0f}{row[2]:>9.2f}{row[3]:>11.0f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def storm(home: Path, arguments: argparse.Namespace, found: dict[str, list[Cost]]) -> None:
    """Let all nodes come at once, and leave at once, again and again."""
    links = arguments.links
    with ours_running(home) as ours, bare_running(home / "data" / "pki" / "network") as bare:
        meter = Meter(ours.pid, home / "data" / "log", found)
        uvloop.run(enrol(ours, home, links))
        meter.note("enrolled, at once", links)
        for number in range(arguments.rounds):
            bare_meter = Meter(bare.pid, meter.folder, found)
            with all_linked("bare", bare, home, links) as seconds:
                bare_meter.note("bare TLS opened", links, seconds)
            with all_linked("ours", ours, home, links) as seconds:
                meter.until("CONNECTED", links)
                meter.note("link opened" if number else "first link opened", links, seconds)
                if arguments.hold:
                    time.sleep(arguments.hold)
                    meter.note("links kept", links)
            began = time.perf_counter()
            meter.until("IDLE", links)
            meter.note("link closed", links, time.perf_counter() - began)


class Meter:
    """What a server has used since the last note of it.

    Args:
        pid: of the server.
        folder: of its log.
        found: what every step cost, in each round.
    """

    def __init__(self, pid: int, folder: Path, found: dict[str, list[Cost]]) -> None:
        self._pid, self.folder, self._found = pid, folder, found
        self._began, self._cpu_s, self._seq = time.perf_counter(), self._cpu(), self._last_seq()

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _last_seq(self) -> int:
        with contextlib.closing(LogReader(self.folder)) as reader:
            return reader.last_seq

    def events(self) -> Events:
        return events_after(self.folder, self._seq)

    def until(self, kind: str, count: int) -> None:
        """Wait until so many events of that kind have come."""
        wait_until(lambda: self.events().kinds[kind] >= count, f"{count} of {kind}")

    def note(self, step: str, nodes: int, seconds: float | None = None) -> None:
        """Note what a node has used, and print the events.

        Args:
            step: its name.
            nodes: how many there are.
            seconds: how long the step took; by default all since the last note.
        """
        took_s = time.perf_counter() - self._began if seconds is None else seconds
        kinds, log_bytes = self.events()
        cpu_us = (self._cpu() - self._cpu_s) * 1e6
        cost = Cost(took_s, cpu_us / nodes, kinds.total() / nodes, log_bytes / nodes)
        counts = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        print(f"{step}: {counts or 'no events'}")
        self._found[step].append(cost)
        self._began, self._cpu_s, self._seq = time.perf_counter(), self._cpu(), self._last_seq()


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(LOOK_S)


def alone(home: Path, agents: int, found: dict[str, list[Cost]]) -> None:
    """Real agents, one after the other: each step's events come alone."""
    home.mkdir()
    lives_short = ("--certificate-lifetime", "1m")
    with ours_running(home, *lives_short) as running, contextlib.ExitStack() as stack:
        meter = Meter(running.pid, home / "data" / "log", found)
        line = joining_line(home, running.control_port)
        meter.note("started", 1)
        for number in range(agents):
            stack.enter_context(agent(home / str(number), *line, "--name", f"worker-{number}"))
            meter.until("CONNECTED", number + 1)
        meter.note("agent joined, linked", agents)
        meter.until("certificates_renewed", agents)
        meter.until("CONNECTED", agents)
        meter.note("agent renewed, new link", agents)
        stack.close()
        meter.until("IDLE", agents)
        meter.note("agent stopped", agents)
        for number in range(agents):
            stack.enter_context(agent(home / str(number)))
            meter.until("CONNECTED", number + 1)
        meter.note("agent back", agents)


def joining_line(home: Path, control_port: int) -> list[str]:
    """The arguments with which a machine joins, as `ncadm` prints them."""
    command = [NCADM, "--port", str(control_port), "--data-dir", str(home / "data")]
    command += ["create-bootstrap-token", "--life", "10", "--output", "json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return shlex.split(json.loads(done.stdout)["joinCommand"])[2:]


@contextlib.contextmanager
def agent(state: Path, *arguments: str) -> Iterator[None]:
    """An agent that runs meanwhile, without packets."""
    command = [PROGRAM, "join", *arguments, "--state-dir", str(state), "--no-tun"]
    with state.with_suffix(".log").open("a") as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=lines, text=True)
    with stopping(process):
        yield


if __name__ == "__main__":
    main()
