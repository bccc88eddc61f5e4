"""One drill: all parts together, from the first start to the verdict."""

import asyncio
import contextlib
import json
import random
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.cluster import PROGRAM
from benchmarks.drill import measures
from benchmarks.drill.clients import Clients
from benchmarks.drill.faults import FAULTS, Fault, machine_for, named, restart_all
from benchmarks.drill.nodes import Nodes
from benchmarks.drill.programs import Keeper
from benchmarks.drill.record import FILE, Record
from benchmarks.drill.site import MACHINES, Site
from benchmarks.drill.traffic import Traffic
from benchmarks.lab import Lab

SETTLES_S: Final = 150.0  # beyond what takes a minute: a replica that no other one remembers
_LASTS_S: Final = (2.0, 5.0, 10.0, 15.0)
_BETWEEN_S: Final = (0.0, 0.5, 3.0)  # the beginnings of two faults
_SECOND, _SETTLES, _RESTARTS = 0.3, 0.7, 0.05  # how probable it is after a fault
_WELL_S: Final = 2.0  # for so long everything has to be well


class Size(NamedTuple):
    """How much there is of everything.

    Attributes:
        workers: clients that change something, at each replica.
        pause_s: of a client between two questions.
        rate: packets a second in each flow.
    """

    agents: int
    workers: int
    pause_s: float
    rate: float


class Drill:
    """See the module.

    Attributes:
        unsettled: what was not well again in time.
        missing: agents that were not linked at the end.
    """

    def __init__(self, lab: Lab, home: Path, size: Size, seed: int) -> None:
        self.size, self.seed = size, seed
        self.site = Site(lab, home)
        self.nodes = Nodes(self.site, [name for name in lab.addresses if name[1:].isdecimal()])
        self.record = Record(file=home / FILE)
        self.unsettled: list[str] = []
        self.missing: list[str] = []
        self.traffic: Traffic
        self._chance = random.Random(seed)  # noqa: S311 - which has to be the same again

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything; at the end the clients stop, and all is waited for to be well."""
        site, size = self.site, self.size
        self.record.note(f"starting, with {size.agents} agents")
        await site.start()
        await self.nodes.join()
        self.record.note("all agents are connected")
        self.traffic = Traffic(site.lab, self.nodes)
        tokens = {name: self.nodes.identity(name)[0] for name in self.nodes.programs}
        pki = site.home / next(iter(MACHINES)) / "pki" / "grpc"
        clients = Clients(self.record, pki, tokens, self.seed, size.pause_s)
        keeper = Keeper([*site.programs, *self.nodes.programs.values()])
        work = (keeper.run(), self.traffic.run(size.rate), clients.run(size.workers))
        async with _meanwhile(*work):
            await self.settled()
            yield
            await self.settled()
            self.missing = [n for n in self.nodes.programs if not self.nodes.is_linked(n)]

    async def settled(self) -> None:
        """Wait until everything is well, and remember if that takes too long."""
        end_s = time.monotonic() + SETTLES_S
        await self.site.until_nats()
        well_since_s = time.monotonic()
        while time.monotonic() - well_since_s < _WELL_S:
            if (what := self._unwell()) is not None:
                well_since_s = time.monotonic()
            if time.monotonic() > end_s:
                self.unsettled.append(f"not well after {SETTLES_S:.0f} s: {what}")
                self.record.note(self.unsettled[-1])
                return
            await asyncio.sleep(0.1)

    def _unwell(self) -> str | None:
        """Something that is not well; None: all is."""
        return next(self._all_unwell(), None)

    def _all_unwell(self) -> Iterator[str]:
        yield from (program.name for program in self.site.programs if not program.is_ready())
        yield from (
            f"agent {name}" for name in self.nodes.programs if not self.nodes.is_linked(name)
        )
        recent_ns = time.time_ns() - int(_WELL_S * 1e9)
        recent = takewhile(lambda q: q.begun_ns > recent_ns, reversed(self.record.questions))
        seen = {(q.server, q.operation.reads) for q in recent if q.is_ok}
        for server in MACHINES:
            for reads, what in ((True, "queries"), (False, "changes")):
                if (server, reads) not in seen:
                    yield f"{what} at {server}"

    async def each_so_often(self, only: str, times: int) -> None:
        """Every fault whose name has a text, so often; then the rolling restart."""
        await self.each(named(only) * times, restarts=not only)

    async def each(self, faults: Sequence[Fault], *, restarts: bool) -> None:
        """Every fault once, one after the other; prints what was noticed of each."""
        rows = []
        for fault in faults:
            machine = machine_for(fault.who, self.site, self._chance)
            name = fault.text(machine, self._role(machine), fault.lasts_s)
            was = measures.before(time.time_ns(), fault.machines(machine), self.nodes)
            self.record.note(name)
            mend = fault.begin(self.site, machine)
            await asyncio.sleep(fault.lasts_s)
            mended_ns = time.time_ns()
            mend()
            self.record.note("mended")
            await self.settled()
            end_ns = mended_ns if fault.is_death else time.time_ns()
            rows.append(
                (name, measures.noticed(was, end_ns, self.record, self.nodes, self.traffic))
            )
            print(measures.row(*rows[-1]), flush=True)
        if restarts:
            self.record.note("rolling restart of all")
            await restart_all(self.site, self.settled)
        print(measures.heading())
        for each in rows:
            print(measures.row(*each))

    def _role(self, machine: str) -> str:
        return "leads" if machine == self.site.leader() else "follows"

    async def at_random(self, minutes: float) -> None:
        """Faults that chance chooses, now and then two at a time, for so long."""
        end_s = time.monotonic() + minutes * 60
        while time.monotonic() < end_s:
            lasts_s, mends = self._chance.choice(_LASTS_S), []
            for _ in range(1 + self._happens(_SECOND)):
                fault = self._chance.choice(FAULTS)
                machine = machine_for(fault.who, self.site, self._chance)
                self.record.note(fault.text(machine, self._role(machine), lasts_s))
                mends.append(fault.begin(self.site, machine))
                await asyncio.sleep(self._chance.choice(_BETWEEN_S))
            await asyncio.sleep(lasts_s)
            for mend in mends:
                mend()
            self.record.note("mended")
            if self._happens(_SETTLES):
                await self.settled()
            if self._happens(_RESTARTS):
                self.record.note("rolling restart of all")
                await restart_all(self.site, self.settled)

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability

    async def stop_replicas(self) -> None:
        """Stop the replicas, so that their copies are at rest; NATS goes on."""
        await asyncio.gather(*(program.stop() for program in self.site.replicas.values()))

    def verify(self) -> list[str]:
        """Verify the stream and each copy, and compare their heads; what is wrong.

        A copy that was at rest first lacks what came later, if only records without events: the
        stream has to contain it.
        """
        wrong = []
        for name in MACHINES:
            done = _log_verify("--data-dir", str(self.site.home / name), "--output", "json")
            if done.returncode:
                wrong.append(f"the copy of {name}: {done.stderr}")
                continue
            head, seq = _head_in(done.stdout)
            done = _log_verify("--log", self.site.stream, "--head", head, "--seq", str(seq))
            if done.returncode:
                wrong.append(f"the stream, compared with the copy of {name}: {done.stderr}")
                continue
            upto = f"up to event {seq}; the stream contains its head {head[:16]}…"
            self.record.note(f"the copy of {name} verified {upto}")
        return wrong

    def end(self) -> None:
        """Record what was found that the programs' files do not say; the replicas are at rest."""
        programs = self.nodes.programs
        self.record.end(
            {
                "wrong": self.verify(),
                "missing": self.missing,
                "unsettled": self.unsettled,
                "agent_ends": {name: agent.ends for name, agent in programs.items()},
                "server_ends": [end for program in self.site.programs for end in program.ends],
            }
        )

    def close(self) -> None:
        self.nodes.close()
        self.site.close()


def _log_verify(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [PROGRAM, "log", "verify", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def _head_in(text: str) -> tuple[str, int]:
    found = json.loads(text)
    return str(found["head"]), int(found["last_seq"])


@contextlib.asynccontextmanager
async def _meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these meanwhile; what one of them raises is raised at the end."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(found, Exception):
                raise found
