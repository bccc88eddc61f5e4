"""Write the golden log of this version: a log with every kind of event, and its export.

`just golden` runs it. It drives the replica with a clock of its own, so that a day passes at once,
and uses the program to repair a damaged log, and to export it.
"""

import asyncio
import shutil
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import eventlog
from nc.domain.events import Event
from nc.history.events import history
from tests.golden import lives
from tests.golden.life import SEGMENT_SIZE_BYTES, VERSION, Clock

KINDS = {field.name for field in Event.DESCRIPTOR.oneofs_by_name["kind"].fields}
PROGRAM = Path(sys.executable).with_name("network-controller")


def damage(folder: Path) -> None:
    """Change a byte of the last record that holds an event, and remove the snapshots behind it."""
    for snapshot in folder.glob("*.snap*"):
        snapshot.unlink()
    newest = max(folder.glob("*.seg"))
    data = bytearray(newest.read_bytes())
    data[data.rindex(b"golden")] ^= 1
    newest.write_bytes(data)


def remove_allocated_space(folder: Path) -> None:
    """Shorten the segment that `log repair` allocated: its end is zeros."""
    for segment in folder.glob("*.seg"):
        data = segment.read_bytes()
        blocks = max(1, -(-len(data.rstrip(b"\0")) // SEGMENT_SIZE_BYTES))
        segment.write_bytes(data[: blocks * SEGMENT_SIZE_BYTES])


def kinds_in(folder: Path) -> set[str]:
    return {str(each.event.WhichOneof("kind")) for each in history(eventlog.LogReader(folder))}


def run(*arguments: str) -> None:
    subprocess.run([PROGRAM, *arguments], check=True)


def write(target: Path) -> None:
    """Write `log`, the folder, and `export.zip`, its export.

    Ends the program if a kind of event is missing.
    """
    clock, requests = Clock(), count(1)
    with TemporaryDirectory() as data_dir:
        folder = Path(data_dir, "log")
        asyncio.run(lives.first_life(folder, clock, requests))
        asyncio.run(lives.operators_life(folder, clock, requests))
        asyncio.run(lives.members_life(folder, clock, requests))
        asyncio.run(lives.replicas_life(folder, clock, requests))
        asyncio.run(lives.second_life(folder, clock, requests))
        damage(folder)
        run("log", "repair", "--log", str(folder), "--apply", "--yes")
        clock.now_ms = time.time_ns() // 1_000_000  # `log repair` has the machine's clock
        asyncio.run(lives.third_life(folder, clock, requests))
        if missing := KINDS - kinds_in(folder):
            sys.exit(
                f"no event of the kind {', '.join(sorted(missing))}: add it to {lives.__file__}"
            )
        shutil.copytree(folder, target / "log")
        remove_allocated_space(target / "log")
        export = str(target / "export.zip")
        run("log", "export", "--log", str(folder), "--format", "binary", "--out", export)


if __name__ == "__main__":
    write(Path(__file__).parent / VERSION)
