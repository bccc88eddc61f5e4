"""A simulated cluster: what there is, what it is asked, and the chronicle of what comes of it.

Servers that share a log learn what the others wrote when they next write themselves: no replica
follows the log by itself. So here each writes something now and then if there is news for it, and
whoever asks one lets it write first. What a server that knows no better does meanwhile is its own
affair, and has to be put right soon after.
"""

import asyncio
import itertools
import ssl
from collections.abc import Coroutine
from typing import Any, Final

from eventlog import LogDamaged, MemoryLog
from nc.domain.state import State
from nc.secrets import SECRET_KEY_BYTES, TokenIds
from nc.testing.chance import SeededRandom
from nc.testing.expectations import DENIED, MISTAKE, OK
from nc.testing.history import Answer
from nc.testing.laws import Law
from nc.testing.operations import ADMIN, Operation
from nc.testing.simulation.acts import Plan
from nc.testing.simulation.chronicle import Chronicle, Sighting
from nc.testing.simulation.laws import (
    DURABLE_ADDRESS,
    KEEPS_ADDRESS,
    NOTHING_CRASHES,
    RIGHT_ONE,
    STARTS,
)
from nc.testing.simulation.loop import SimulatedLoop
from nc.testing.simulation.machines import Machine
from nc.testing.simulation.network import Network
from nc.testing.simulation.records import Asked, Records
from nc.testing.simulation.servers import SimulatedServer
from nc.testing.simulation.site import Site
from nc.testing.targets.calls import Names
from nc.testing.targets.in_process import START_MS

# How often somebody who waits looks.
_WAIT_S: Final = 0.02

# How often a server that shares its log writes, if others have: between two looks of the audit.
_NEWS_S: Final = 2.0

_SERVERS_OF_A_SHARED_LOG: Final = 2


class ClusterClock:
    """The clock of every machine: it goes on with the loop, and jumps when it is told to.

    It begins somewhere within a second, since expiries are whole seconds, and sweeps are not.
    """

    def __init__(self, loop: SimulatedLoop, seed: object) -> None:
        self._loop = loop
        self.jumped_ms = int(SeededRandom(("clock", seed)).random() * 1000)

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return (START_MS + self.jumped_ms) * 1_000_000 + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds since the beginning."""
        return round(self._loop.time() * 1e9)


class Cluster:
    """A cluster, on the running loop.

    Args:
        plan: what is going to happen.
        loop: the one that runs.

    Attributes:
        chronicle: what came of it so far.
        clock, network, names: see there.
        sites: where the servers run.
        machines: those that joined, by name; `twins` are copies of them.
        enrolments: what each was answered.
        packets: those that are under way, by number: from whose address to which.
    """

    def __init__(self, plan: Plan, loop: SimulatedLoop) -> None:
        self.plan = plan
        self.chronicle = Chronicle(plan.network, plan=plan)
        self.clock = ClusterClock(loop, plan.seed)
        servers = _SERVERS_OF_A_SHARED_LOG if plan.is_shared else 1
        self.network = Network(plan.seed, servers)
        self.names = Names()
        self.machines: dict[str, Machine] = {}
        self.enrolments: dict[str, Answer] = {}
        self.twins: list[Machine] = []
        self.packets: dict[int, tuple[str, str]] = {}
        self.arrived = 0
        self._loop = loop
        self._chance = SeededRandom(("cluster", plan.seed))
        self._token_ids = TokenIds(self._chance.random_bytes(SECRET_KEY_BYTES))
        shared = MemoryLog(self.clock.now_ns) if plan.is_shared else None
        self.sites = [
            Site(
                number,
                shared,
                self,
                plan,
                self.network,
                self.clock,
                self._token_ids,
                self._chance,
            )
            for number in range(servers)
        ]
        self._records = Records(self.chronicle)
        self._numbers = itertools.count(1)
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def servers(self) -> list[SimulatedServer]:
        """Those that serve."""
        return [site.server for site in self.sites if site.server is not None]

    @property
    def state(self) -> State:
        """The newest that a server which serves knows."""
        states = (server.replica.state for server in self.servers)
        return max(states, key=lambda state: state.seq, default=State())

    @property
    def in_trouble(self) -> bool:
        """Whether a server may turn commands away, as things are."""
        return any(site.in_trouble for site in self.sites)

    @property
    def cannot_start(self) -> bool:
        """Whether a server finds its log damaged."""
        return any(site.cannot_start for site in self.sites)

    def site_of(self, replica: int) -> Site:
        """The server that an act means; where there is one, that one."""
        return self.sites[replica % len(self.sites)]

    # What is written down.

    @property
    def now_s(self) -> float:
        """Since the beginning."""
        return self._loop.time()

    @property
    def last_seq(self) -> int:
        """The last event in the log, as far as it can be seen."""
        return self.state.seq

    def tell(self, text: str) -> None:
        """A line of the chronicle."""
        self.chronicle.lines.append(f"{self.now_s:+10.3f} s  {text}")

    def saw(self, law: Law, what: str, *, holds: bool) -> None:
        """A law had something to say."""
        self.chronicle.saw(law.name, Sighting(what, self.now_s, self.last_seq), holds=holds)
        if not holds:
            self.tell(f"BROKEN: {law.name}: {what}")

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that goes on by itself, until the plan is over."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._settle)

    def _settle(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    # Calls

    async def call(self, operation: Operation, replica: int = 0) -> Answer | None:
        """What a client is told; None: nobody answers, or only that it does not work now."""
        site = self.site_of(replica)
        server, caller = site.server, getattr(operation, "caller", ADMIN)
        if server is None or caller not in {ADMIN, *self.names.nodes()}:
            return None
        while True:  # what was just given out must not be used in its own round
            await self._records.nothing_new()
            known_seq = self.last_seq
            if server.life.is_over or not await self._knows_all(server):
                return None
            if not self._records.must_wait:
                break
        was_in_trouble = site.in_trouble
        now_ms = self.clock.now_ns() // 1_000_000
        asked = self._records.ask(operation, now_ms, self.now_s, known_seq)
        # the call is begun a turn later, and must not know what is given out meanwhile
        answer = await server.answer(operation, self.names.copy(), asked.request_id)
        asked.answered_seq = server.replica.state.seq
        is_lame = answer is not None and answer.facts.code not in {OK, MISTAKE, DENIED}
        if is_lame and (was_in_trouble or site.in_trouble):
            answer = None
        for each in self.sites:  # or an agent would be told that it is unknown
            while each.process is not None and not await self._knows_all(  # noqa: ASYNC110 - it tries
                each.process
            ):
                await asyncio.sleep(_WAIT_S)
        if answer is not None:
            self.names.remember(operation, answer)
        self._records.answered(asked, answer, self.clock.now_ns() // 1_000_000, self.last_seq)
        self._tell_call(asked, answer)
        return answer

    async def spread_news(self) -> None:
        """Let servers know what others wrote, for ever."""
        while True:
            await asyncio.sleep(_NEWS_S)
            for server in self.servers:
                await server.catch_up()

    async def _knows_all(self, server: SimulatedServer) -> bool:
        return not self.plan.is_shared or await server.catch_up()

    def _tell_call(self, asked: Asked, answer: Answer | None) -> None:
        self.tell(f"{asked.worded}  →  {self._records.told(answer)}")

    # Machines

    def add_machine(self, name: str, node: str, answer: Answer) -> Machine:
        """A machine that has what an enrolment answered; the node's own, or a copy."""
        pem = answer.certificates[1].certificate.decode("ascii")
        return Machine(
            name,
            str(answer.token),
            ssl.PEM_cert_to_DER_cert(pem),
            clock=self.clock,
            network=self.network,
            seed=self.plan.seed,
            happens=lambda machine, what: self._happens(node, machine, what),
            arrived=self._packet_arrived,
        )

    def _happens(self, node: str, machine: Machine, what: str) -> None:
        if what.startswith("is connected"):
            node_id = self._token_ids.id_of(machine.token)
            self._records.was_told(node, node_id, machine.address, self.last_seq, self.now_s)
            if self.plan.is_shared:
                what += f" at {self.sites[self.network.reached[machine.name]].name}"
        self.tell(f"{machine.name} {what}")

    def node_id(self, machine: Machine) -> str:
        """The node's id in the log."""
        return self._token_ids.id_of(machine.token)

    def send_packet(self, sender: Machine, destination: str, size_bytes: int) -> int:
        """One packet; its number, 0 if it did not leave."""
        number = next(self._numbers)
        self.packets[number] = (sender.address, destination)
        if sender.send(number, destination, size_bytes):
            return number
        del self.packets[number]
        return 0

    def _packet_arrived(self, machine: Machine, number: int, destination: str) -> None:
        sent = self.packets.pop(number, None)
        is_right = sent is not None and destination == machine.address == sent[1]
        self.arrived += 1
        what = f"{machine.name} at {machine.address} got packet {number} for {destination}"
        self.saw(RIGHT_ONE, what, holds=is_right)

    # The end

    def finish(self) -> None:
        """Look at the log as a whole."""
        self.chronicle.held[NOTHING_CRASHES.name] += 1
        if self.servers:
            states = [server.replica.state for server in self.servers]
            try:
                self._records.read_log(self.servers[0].log, states, self._id_of)
            except LogDamaged as damaged:
                self.saw(STARTS, f"{damaged}", holds=False)
        if not self.plan.is_shared:
            files = {str(path): bytes(data) for path, data in self.sites[0].disk.files()}
            self.chronicle.log_bytes = files
        for law, name in ((KEEPS_ADDRESS, "keeps"), (DURABLE_ADDRESS, "durable")):
            for sight, holds in self._records.told_addresses(name):
                self.chronicle.saw(law.name, sight, holds=holds)

    def _id_of(self, node: str) -> str:
        return self._token_ids.id_of(self.names.token(node))

    def end(self) -> None:
        """Nothing goes on."""
        for task in list(self._tasks):
            task.cancel()
        for machine in (*self.machines.values(), *self.twins):
            machine.switch_off(silently=True)
        for site in self.sites:
            if site.process is not None:
                site.process.life.end()
