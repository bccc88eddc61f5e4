"""The fault drill of several machines: what a developer runs before machines are trusted with it.

Three machines, each with a server of NATS and a replica, and agents with TUN devices, each in a
network namespace of its own; clients ask all replicas without a pause, and change what they ask
for; nodes of different replicas send each other packets. Then servers are killed, paused, cut off
and restarted. At the end everything that was asked, answered and given is judged by the laws, with
the log.

    --each             every fault once, one after the other, and how long it was noticed
    --random MINUTES   faults that chance chooses, of --seed
    --short            a few faults, for a minute
    --judge FOLDER     none: judge a drill again that left its folder, also one that was killed

Needs root and TUN devices, but to judge. Exits with 1 if a law is broken, and then keeps its
folder.

    python -m benchmarks.drill --each
"""

import argparse
import asyncio
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.arguments import number, whole_number
from benchmarks.drill.drill import Drill, Size
from benchmarks.drill.faults import FAULTS, SHORT, named
from benchmarks.drill.record import FILE
from benchmarks.drill.site import CLIENTS, MOST_NODES, addresses, inside
from benchmarks.drill.verdict import verdict
from benchmarks.lab import Lab


def main() -> int:
    """Run the drill; the exit code."""
    arguments = parsed()
    if arguments.judge is not None:
        return 0 if verdict(arguments.judge) else 1
    if os.geteuid() != 0:
        sys.exit("the drill needs root: it makes network namespaces")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to end what was started
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed  # noqa: S311
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="nc-drill-", dir=arguments.folder)).absolute()
    print(f"seed {seed}; files in {home}", flush=True)
    size = Size(arguments.agents, arguments.workers, arguments.pause, arguments.rate)
    with Lab(addresses(size.agents)) as lab, inside(lab, CLIENTS):
        drill = Drill(lab, home, size, seed)
        try:
            is_well = asyncio.run(drilled(drill, arguments))
        finally:
            drill.close()
    if is_well and not arguments.keep:
        shutil.rmtree(home)
    return 0 if is_well else 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--each", action="store_true")
    mode.add_argument("--random", type=number(0.1), metavar="MINUTES")
    mode.add_argument("--short", action="store_true")
    mode.add_argument("--judge", type=Path, metavar="FOLDER")
    parser.add_argument("--times", type=whole_number(1), default=1, help="how often, with --each")
    parser.add_argument("--only", default="", help="faults whose name has this text, with --each")
    parser.add_argument("--seed", type=int, help="of all that is chosen; by default another one")
    parser.add_argument("--agents", type=whole_number(2, MOST_NODES), default=30)
    parser.add_argument(
        "--workers", type=whole_number(1), default=2, help="clients with changes, a replica"
    )
    parser.add_argument("--pause", type=number(0.001), default=0.05, help="of a client, seconds")
    parser.add_argument("--rate", type=number(0.1), default=5, help="packets a second of each node")
    parser.add_argument("--folder", type=Path, help="where its files are; by default in /tmp")
    parser.add_argument("--keep", action="store_true", help="keep its files, whatever was found")
    arguments = parser.parse_args()
    if arguments.judge is not None and not (arguments.judge / FILE).is_file():
        parser.error(f"{arguments.judge} has no {FILE}: it is no drill's folder")
    if not named(arguments.only):
        names = ", ".join(dict.fromkeys(fault.name.format("a") for fault in FAULTS))
        parser.error(f"no fault's name has the text {arguments.only!r}; they are: {names}")
    return arguments


async def drilled(drill: Drill, arguments: argparse.Namespace) -> bool:
    """Whether all laws held."""
    async with drill.running():
        if arguments.random is not None:
            await drill.at_random(arguments.random)
        elif arguments.short:
            await drill.each(SHORT, restarts=False)
        else:
            await drill.each_so_often(arguments.only, arguments.times)
    await drill.stop_replicas()
    drill.end()
    return verdict(drill.site.home)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing was judged, and the files are kept: see --judge")
