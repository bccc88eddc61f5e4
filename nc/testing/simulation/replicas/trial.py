"""A trial: servers on one log, clients that ask any of them, and faults; drawn from a seed.

Laws:
    an answer is never older than an acknowledgement
    what was acknowledged is in the log, and what "changed nothing" is not
    acknowledgements come from one leader after the other, never from two at a time
    a link belongs to a session that goes on, and ends only with its session, or a newer link
    no replica is lost that was in touch
    once all faults are over, all servers answer, and have the same state
    no event is written that a server which goes on does not know
    no server goes on with a log that lost events, or that it is given other bytes of
"""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from eventlog import LogRewound
from nc.domain.codec.digest import digest
from nc.domain.codec.records import entries_in
from nc.domain.events import Entry
from nc.domain.events import pb as events_pb
from nc.domain.levels import FIRST_LEVEL, LEVEL
from nc.secrets import SECRET_KEY_BYTES, TokenIds
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import SimulatedLoop, first_of
from nc.testing.simulation.replicas.clients import ISSUE, Clients
from nc.testing.simulation.replicas.faults import Faults
from nc.testing.simulation.replicas.lines import Lines
from nc.testing.simulation.replicas.log_laws import misread, unknown_kinds
from nc.testing.simulation.replicas.messages import Message
from nc.testing.simulation.replicas.shared_log import SharedLog
from nc.testing.simulation.replicas.sites import DriftingClock, Process, Site, World

__all__ = ["Ending", "Trial", "run_trial"]

_SERVERS: Final = 3
_CLIENTS: Final = 3
_CALM_S: Final = 40.0  # after the last fault, all is to be well by then
_QUIET_S: Final = 15.0  # without clients
_RESTART_S: Final = 0.2
_SETTLE_S: Final = 8.0
_RATES: Final = (0.97, 0.06)  # the slowest clock, and how much faster the fastest is


_LOST_MESSAGES: Final = 4


class Ending(Enum):
    """What comes after the faults."""

    CALM = "calm"
    REWOUND = "the log loses events"
    REPLACED = "the log loses events, and others are appended"
    FORKED = "a server is given other bytes than were appended"


# What is rare in life has weight here.
_ENDINGS: Final = (Ending.CALM,) * 5 + (Ending.REWOUND, Ending.REPLACED, Ending.FORKED)


class Trial:
    """See the module.

    Attributes:
        breaches: of laws, each as a sentence.
        story: what happened, a line each.
        left: the servers that were up at the end.
    """

    def __init__(self, loop: SimulatedLoop, seed: object) -> None:
        chance = self._chance = SeededRandom(("replicas", seed))
        self.shared = SharedLog(chance)
        lines = self._lines = Lines(chance)
        token_ids = TokenIds(chance.random_bytes(SECRET_KEY_BYTES))
        self._world = World(self.shared, lines, token_ids, chance, self._hear)
        self.sites = [self._site(loop, f"s{number}") for number in range(1, _SERVERS + 1)]
        self.breaches: list[str] = []
        self.story: list[str] = []
        self.left: list[str] = []
        self._now_s = loop.time
        self.clients = Clients(lambda: self.up, self.breach, loop.time, token_ids, chance)
        self.faults = Faults(self.sites, self.shared, lines, chance, self.note, loop.time)
        self._last_epoch = 0
        if chance.pick((True, False)):  # until it starts again
            chance.pick(self.sites).level = FIRST_LEVEL

    def _site(self, loop: asyncio.AbstractEventLoop, name: str) -> Site:
        slowest, spread = _RATES
        rate = slowest + spread * self._chance.random()
        return Site(name, DriftingClock(loop, rate, 1000 * self._chance.random()))

    @property
    def up(self) -> list[Process]:
        processes = (site.process for site in self.sites)
        return [p for p in processes if p is not None and p.is_up and not p.life.is_over]

    def note(self, text: str) -> None:
        self.story.append(f"{self._now_s():8.3f}  {text}")

    def breach(self, text: str) -> None:
        self.note(f"BROKEN: {text}")
        self.breaches.append(text)

    def _hear(self, _logger: object, _method: str, line: Any) -> str:
        event = line["event"]
        if event in ("rpc.crashed", "link.crashed"):
            self.breach(f"{event}: {line.get('exc_info')!r}")
        if event == "replica.lost":
            self._judge_loss(line["session"])
        if event != "rpc":
            self.note(f"{event} { {key: value for key, value in line.items() if key != 'event'} }")
        return ""

    def _judge_loss(self, session: str) -> None:
        for process in self.up:
            name = process.view.name
            if process.replica.session == session and self.faults.is_in_touch(name):
                self.breach(f"{name} is lost, though it was in touch")

    async def keep(self, site: Site) -> None:
        """Have a server run on a site; start it again after each end."""
        while True:
            await asyncio.sleep(max(0.0, site.starts_at_s - self._now_s()))
            try:
                process = site.process = Process(self._world, site)
            except LogRewound:
                site.starts_at_s = self._now_s() + _QUIET_S
                continue
            self._lines.callees[site.name] = process
            self.note(f"{site.name} starts")
            self._watch_acknowledgements(process)
            task = process.life.run(process.serve())
            await first_of(task, process.life.over.wait())
            self.note(f"{site.name} has ended")
            process.life.end()
            site.level = LEVEL
            self.faults.ended(site)
            site.starts_at_s = max(site.starts_at_s, self._now_s() + _RESTART_S)

    def _watch_acknowledgements(self, process: Process) -> None:
        """Acknowledgements come from one leader after the other."""
        replica: Any = process.replica
        acknowledge = replica.acknowledge

        def watched(seq: int, answer: Callable[[bool], None]) -> None:
            epoch, leads = replica.state.leader.epoch, replica.leads

            def answered(is_known: bool) -> None:
                if is_known and leads and not process.life.is_over:
                    if epoch < self._last_epoch:
                        self.breach(f"leader {epoch} acknowledges event {seq} after a later one")
                    self._last_epoch = max(self._last_epoch, epoch)
                answer(is_known)

            acknowledge(seq, answered)

        replica.acknowledge = watched

    async def check(self) -> None:
        """Look at every law that is about the end, when all has been calm for a while."""
        if len(self.up) < _SERVERS:
            self.breach("not all servers are up")
            return
        for process in self.up:
            if not process.role.may_answer():
                self.breach(f"{process.view.name} answers nothing")
        if len({digest(process.replica.state) for process in self.up}) > 1:
            self.breach("the states differ")
        code, _, _ = await self.clients.ask("GetBootStrapToken", ISSUE)
        if code != "200":
            self.breach(f"a command is answered {code!r}")
        await asyncio.sleep(1.0)
        self.check_copies()
        entries = list(entries_in(self.sites[0].copy.read()))
        self._check_log(entries)
        self._check_links(entries)

    def check_copies(self) -> None:
        for broken in misread(self.shared, self.sites):
            self.breach(broken)

    def _check_log(self, entries: list[Entry]) -> None:
        for broken in unknown_kinds(entries):
            self.breach(broken)
        ids = {entry.request_id for entry in entries}
        for lost in self.clients.acknowledged - ids:
            self.breach(f"acknowledged, and not in the log: {lost}")
        for done in self.clients.refused & ids:
            self.breach(f"nothing was changed, and it is in the log: {done}")

    def _check_links(self, entries: list[Entry]) -> None:
        state = self.up[0].replica.state
        going_on = {process.replica.session for process in self.up}
        for node_id, link in state.links.items():
            if link.session not in going_on:
                self.breach(f"a link of {node_id} has an owner that is gone")
        dropped = {
            event.state_changed.link_id
            for entry in entries
            for event in entry.events
            if event.state_changed.reason == events_pb.STATE_CHANGE_REASON_REPLICA_LOST
        }
        for process in self.up:
            for link_id, session in process.links.values():
                if session == process.replica.session and link_id in dropped:
                    self.breach(f"{link_id} was dropped while its session goes on")


async def _end_badly(trial: Trial, ending: Ending) -> None:
    """Damage the log; all servers have read it to its end before."""
    await asyncio.sleep(_SETTLE_S)
    trial.note(ending.value)
    shared = trial.shared
    if ending is Ending.FORKED:
        shared.forked_after[trial.sites[0].name] = len(shared.messages)
    else:
        shared.rewind(_LOST_MESSAGES)
    if ending is Ending.REPLACED:
        for number in range(_LOST_MESSAGES + 1):
            shared.messages.append(Message("somebody", number, b"", 0, b""))
    await asyncio.sleep(_QUIET_S)
    trial.check_copies()


async def _play(loop: SimulatedLoop, seed: object, faults_s: float, ending: Ending) -> Trial:
    trial = Trial(loop, seed)
    keeping = [asyncio.create_task(trial.keep(site)) for site in trial.sites]
    asking = [asyncio.create_task(trial.clients.run()) for _ in range(_CLIENTS)]
    await trial.faults.run(faults_s)
    if ending is Ending.CALM:
        await asyncio.sleep(_CALM_S)
    else:
        await _end_badly(trial, ending)
    for task in asking:
        task.cancel()
    if ending is Ending.CALM:
        await asyncio.sleep(_QUIET_S)
        await trial.check()
    for task in (*keeping, *asking):
        task.cancel()
    for result in await asyncio.gather(*keeping, *asking, return_exceptions=True):
        if isinstance(result, Exception):
            raise result  # of the harness itself
    for process in trial.up:
        trial.left.append(process.view.name)
        process.life.end()
    return trial


def run_trial(seed: object, faults_s: float = 60.0, *, ending: Ending | None = None) -> Trial:
    """Play a trial: so many seconds with faults, then its ending.

    Args:
        seed: what is drawn follows from it.
        faults_s: how long.
        ending: None: drawn, too.
    """
    ending = ending or SeededRandom(("ending", seed)).pick(_ENDINGS)
    loop = SimulatedLoop()
    try:
        return loop.run_until_complete(_play(loop, seed, faults_s, ending))
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left) if left else asyncio.sleep(0))
        loop.close()
