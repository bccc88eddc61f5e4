"""A simulated cluster: plays a plan, and writes the chronicle of what came of it."""

import asyncio
import gc
import itertools
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import eventlog
from eventlog import EventLog, LogDamaged, LogError, MemoryLog
from eventlog.simulation import Fate, PowerLoss, SimulatedDisk
from nc.domain.state import State
from nc.projections.digest import digest
from nc.refusals import DiskFull, Stopping, Unwritable
from nc.replay import replay
from nc.secrets import SECRET_KEY_BYTES, TokenIds
from nc.testing.chance import SeededChance
from nc.testing.expectations import DENIED, MISTAKE, OK
from nc.testing.history import Answer
from nc.testing.laws import Law
from nc.testing.operations import ADMIN, IssueToken, Operation
from nc.testing.simulation.acts import Plan
from nc.testing.simulation.chronicle import Chronicle, Sight
from nc.testing.simulation.laws import (
    DURABLE_ADDRESS,
    KEEPS_ADDRESS,
    NOTHING_CRASHES,
    RIGHT_ONE,
    STARTS,
)
from nc.testing.simulation.loop import SimulatedLoop
from nc.testing.simulation.machines import Machine
from nc.testing.simulation.network import Network, in_place_of_sockets
from nc.testing.simulation.records import Asked, Records
from nc.testing.simulation.servers import SimulatedServer
from nc.testing.targets.calls import Names
from nc.testing.targets.in_process import START_MS

FOLDER: Final = Path("/log")
_SEGMENT_BYTES: Final = 8192  # so that a life fills several

# How often somebody who waits looks.
_WAIT_S: Final = 0.02

# How long systemd waits before it starts a server again that has failed.
_RESTART_S: Final = 2.0


class ClusterClock:
    """The clock of every machine: it goes on with the loop, and jumps when it is told to."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.jumped_ms = 0

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
        server: the one that serves, while one does.
        rival: the other replica, where the log is shared.
        machines: those that joined, by name; `twins` are copies of them.
        enrolments: what each was answered.
        packets: those that are under way, by number: from whose address to which.
    """

    def __init__(self, plan: Plan, loop: SimulatedLoop) -> None:
        self.plan = plan
        self.chronicle = Chronicle(plan.network, plan=plan)
        self.clock = ClusterClock(loop)
        self.network = Network(plan.seed)
        self.names = Names()
        self.server: SimulatedServer | None = None
        self.rival: SimulatedServer | None = None
        self.machines: dict[str, Machine] = {}
        self.enrolments: dict[str, Answer] = {}
        self.twins: list[Machine] = []
        self.packets: dict[int, tuple[str, str]] = {}
        self.arrived = 0
        self.cannot_start = False
        self.disk = SimulatedDisk()
        self._memory = MemoryLog(self.clock.now_ns)
        self._full_disks = 0
        self._loop = loop
        self._chance = SeededChance(("cluster", plan.seed))
        self._token_ids = TokenIds(self._chance.random_bytes(SECRET_KEY_BYTES))
        self._records = Records(self.chronicle)
        self._numbers = itertools.count(1)
        self._down_s = _RESTART_S
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.up = asyncio.Event()

    # What is written down.

    @property
    def now_s(self) -> float:
        """Since the beginning."""
        return self._loop.time()

    @property
    def last_seq(self) -> int:
        """The last event in the log, as far as it can be seen."""
        return self.server.replica.state.seq if self.server is not None else 0

    def tell(self, text: str) -> None:
        """A line of the chronicle."""
        self.chronicle.lines.append(f"{self.now_s:+10.3f} s  {text}")

    def saw(self, law: Law, what: str, *, holds: bool) -> None:
        """A law had something to say."""
        self.chronicle.saw(law.name, Sight(what, self.now_s, self.last_seq), holds=holds)
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

    # The server

    def begin(self) -> None:
        """Let there be a server, whatever happens to it."""
        self.spawn(self._supervise())

    async def _supervise(self) -> None:
        while not self.cannot_start:
            server = await self._started()
            if server is not None:
                self.server = server
                self.up.set()
                self._check_start(server)
                self.tell(f"the server serves, after event {self.last_seq}")
                self.spawn(self._watch_failure(server))
                self.spawn(self._watch_power(server))
                await server.life.over.wait()
            await asyncio.sleep(self._down_s)
            self._down_s = _RESTART_S

    async def _started(self) -> SimulatedServer | None:
        """A server that has come so far as to serve; None: it did not."""
        server: SimulatedServer | None = None
        try:
            server = self._make_server(self._open_log())
            starting = server.life.run(server.start(self.network))
            await self._first_of(starting, server.life.over.wait(), server.power_is_lost.wait())
            server.require_power()
            await starting
        except PowerLoss:
            self.tell("the power fails while the server starts")
            self._lose(server, silently=True)
            self.disk = self.disk.crash(Fate(0.5, self._chance))
        except LogDamaged as damaged:
            self.saw(STARTS, f"{damaged}", holds=False)
            self.cannot_start = True
        except (LogError, Unwritable, DiskFull, Stopping) as error:
            self.tell(f"the server does not start: {error}")
            self._lose(server, silently=False)
        else:
            return server
        return None

    def _open_log(self) -> EventLog:
        self.disk.is_full = self._full_disks > 0
        if self.plan.is_shared:
            log = self._memory.peer()
            log.is_full = self._full_disks > 0
            return log
        return eventlog.open(
            FOLDER,
            now_ns=self.clock.now_ns,
            random_bytes=self._chance.random_bytes,
            disk=self.disk,
            segment_size_bytes=_SEGMENT_BYTES,
        )

    def _make_server(self, log: EventLog) -> SimulatedServer:
        def is_broken(what: str) -> None:
            self.saw(NOTHING_CRASHES, what, holds=False)

        network, chance = self.plan.network, self._chance
        return SimulatedServer(log, network, self.clock, self._token_ids, chance, is_broken)

    def start_rival(self) -> None:
        """Another replica begins to follow the shared log, and to write to it."""
        rival = self._make_server(self._memory.peer())
        rival.life.do(rival.replica.start)
        self.rival = rival

    def _check_start(self, server: SimulatedServer) -> None:
        state = server.replica.state
        if server.log.last_seq == state.seq:
            is_same = digest(state) == digest(replay(server.log, State()))
            self.saw(STARTS, "its state is not what the log amounts to", holds=is_same)

    async def _watch_failure(self, server: SimulatedServer) -> None:
        await self._first_of(server.replica.failed.wait(), server.life.over.wait())
        if server.replica.failed.is_set() and not server.life.is_over:
            self.tell(f"the server ends: {server.replica.failure}")
            self.end_server(silently=False, down_s=_RESTART_S)

    async def _watch_power(self, server: SimulatedServer) -> None:
        await self._first_of(server.power_is_lost.wait(), server.life.over.wait())
        if server.power_is_lost.is_set() and not server.life.is_over:
            self.lose_power(0.5, 0, _RESTART_S)

    async def _first_of(self, *work: "asyncio.Task[Any] | Coroutine[Any, Any, Any]") -> None:
        """Wait for the first; the others' waiting is given up, but for tasks."""
        tasks = [w if isinstance(w, asyncio.Task) else asyncio.create_task(w) for w in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task, given in zip(tasks, work, strict=True):
                if task is not given:
                    task.cancel()

    def lose_power(self, keep: float, seed: int, down_s: float) -> None:
        """The server's machine is off at once."""
        self.end_server(silently=True, down_s=down_s)
        if not self.plan.is_shared:
            self.disk = self.disk.crash(Fate(keep, SeededChance(("fate", seed, self.plan.seed))))

    def end_server(self, *, silently: bool, down_s: float) -> None:
        """The server's process ends at once; nothing if there is none."""
        server, self.server = self.server, None
        self.up.clear()
        if server is not None:
            self._down_s = down_s
            self._lose(server, silently=silently)

    def _lose(self, server: SimulatedServer | None, *, silently: bool) -> None:
        if server is not None:
            self.network.end_life(server.life, silently=silently)
            server.life.end()
            if self.plan.is_shared:
                server.log.close()
        self.disk.kill()

    async def stop_server(self, down_s: float) -> None:
        """The server stops cleanly, and is started again later."""
        server = self.server
        if server is None or server.is_stopping:
            return
        stopping = server.life.run(server.stop())
        await self._first_of(stopping, server.life.over.wait(), server.power_is_lost.wait())
        if self.server is server and not server.power_is_lost.is_set():
            self.tell("the server has stopped")
            self.end_server(silently=False, down_s=down_s)

    def fill_disk(self, by: int) -> None:
        """There is no room any more (1), or there is again (-1)."""
        self._full_disks = max(0, self._full_disks + by)
        self.disk.is_full = self._full_disks > 0
        if self.server is not None and isinstance(self.server.log, MemoryLog):
            self.server.log.is_full = self.disk.is_full

    @property
    def in_trouble(self) -> bool:
        """Whether the server may turn commands away, as things are."""
        server = self.server
        if server is None or server.is_stopping or server.replica.failure is not None:
            return True
        return self.disk.is_full or server.replica.full.is_set()

    # Calls

    async def call(self, operation: Operation, replica: int = 0) -> Answer | None:
        """What a client is told; None: nobody answers, or only that it does not work now."""
        server = self.rival if replica and self.rival is not None else self.server
        caller = getattr(operation, "caller", ADMIN)
        if server is None or caller not in {ADMIN, *self.names.nodes()}:
            return None
        while True:  # what was just given out must not be used in its own round
            await self._records.nothing_new()
            if server.life.is_over or (self.plan.is_shared and not await self._catch_up(server)):
                return None
            if not self._records.must_wait:
                break
        was_in_trouble = self.in_trouble
        asked = self._records.ask(operation, self.clock.now_ns() // 1_000_000)
        answer = await self._answer(server, operation, asked.request_id)
        is_lame = answer is not None and answer.facts.code not in {OK, MISTAKE, DENIED}
        if is_lame and (was_in_trouble or self.in_trouble):
            answer = None
        if self.plan.is_shared:  # or an agent would be told that it is unknown
            while self.server is not None and not await self._catch_up(  # noqa: ASYNC110 - it tries
                self.server
            ):
                await asyncio.sleep(_WAIT_S)
        if answer is not None:
            self.names.remember(operation, answer)
        self._records.answered(asked, answer, self.clock.now_ns() // 1_000_000, self.last_seq)
        self._tell_call(asked, answer)
        return answer

    async def _answer(
        self, server: SimulatedServer, operation: Operation, request_id: str
    ) -> Answer | None:
        names = self.names if operation != _CATCH_UP else Names()
        task = server.life.run(server.service.carry_out(operation, names, request_id))
        await self._first_of(task, server.life.over.wait())
        return task.result() if task.done() and not task.cancelled() else None

    async def _catch_up(self, server: SimulatedServer) -> bool:
        """A write of its own lets a replica know what the other one wrote."""
        answer = await self._answer(server, _CATCH_UP, "catch-up")
        return answer is not None and answer.is_ok

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
        self.tell(f"{machine.name} {what}")
        if what.startswith("is connected"):
            node_id = self._token_ids.id_of(machine.token)
            self._records.was_told(node, node_id, machine.address, self.last_seq, self.now_s)

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
        server = self.server
        if server is not None:
            replicas = [server.replica] + ([self.rival.replica] if self.rival else [])
            self._records.read_log(server.log, [each.state for each in replicas])
        if not self.plan.is_shared:
            files = {str(path): bytes(data) for path, data in self.disk.files()}
            self.chronicle.log_bytes = files
        for law, name in ((KEEPS_ADDRESS, "keeps"), (DURABLE_ADDRESS, "durable")):
            for sight, holds in self._records.told_addresses(name):
                self.chronicle.saw(law.name, sight, holds=holds)

    def end(self) -> None:
        """Nothing goes on."""
        for task in list(self._tasks):
            task.cancel()
        for machine in (*self.machines.values(), *self.twins):
            machine.switch_off(silently=True)
        for server in (self.server, self.rival):
            if server is not None:
                server.life.end()


_CATCH_UP: Final = IssueToken("", 1)

Live = Callable[[Cluster], Coroutine[Any, Any, None]]


def play(plan: Plan) -> Chronicle:
    """Play a plan from its beginning to the end, when all is well again; its chronicle."""
    from nc.testing.simulation.life import live  # noqa: PLC0415 - it needs this module

    loop = SimulatedLoop()
    was_collecting = gc.isenabled()
    gc.disable()  # what it collects must not depend on what was there before
    try:
        return loop.run_until_complete(_play(plan, loop, live))
    finally:
        loop.close()
        if was_collecting:
            gc.enable()


async def _play(plan: Plan, loop: SimulatedLoop, live: Live) -> Chronicle:
    cluster = Cluster(plan, loop)

    def failed(_loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # The second: picows keeps an exception to itself when a dial is given up at the same time.
        if not isinstance(error, PowerLoss | TimeoutError):
            cluster.saw(NOTHING_CRASHES, f"{context['message']}: {error!r}", holds=False)

    loop.set_exception_handler(failed)
    with in_place_of_sockets(cluster.network):
        await live(cluster)
        cluster.finish()
        cluster.end()
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(1)
    return cluster.chronicle


_LAST_TURNS: Final = 5  # seconds in which what was ended lets go
