"""A simulated cluster: its servers, machines and network, its calls, and its history."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

from eventlog import LogDamaged
from nc.domain.state import State
from nc.secrets import SECRET_KEY_BYTES, TokenIds
from nc.testing.contract.administration import STATUSES, UnregisterNodesOf
from nc.testing.contract.enrolment import NODE_STATUSES
from nc.testing.contract.history import Answer, Sighting, answer_text
from nc.testing.contract.laws import Law
from nc.testing.contract.laws import cluster as laws
from nc.testing.contract.operations import DENIED, MISTAKE, OK, Call, Unregister
from nc.testing.contract.values import ADMIN
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.actions import Plan
from nc.testing.simulation.calls import CallRecord, Calls
from nc.testing.simulation.certificates import Certificates
from nc.testing.simulation.chronicle import Chronicle
from nc.testing.simulation.clocks import ClusterTime, MachineClock
from nc.testing.simulation.crowd import NOT_DONE, Crowd
from nc.testing.simulation.log_review import (
    GivenAddress,
    compare_addresses,
    look_for_appends_of_others,
    look_for_stale_answers,
    look_for_unknown_kinds,
    look_for_wrong_outcomes,
    look_for_wrong_refusals,
    read_log,
)
from nc.testing.simulation.loop import SimulatedLoop
from nc.testing.simulation.machines import JOINS_BY, Machine
from nc.testing.simulation.network import Network
from nc.testing.simulation.servers import SimulatedServer
from nc.testing.simulation.several import SERVERS, Several
from nc.testing.simulation.site import Site
from nc.testing.simulation.traffic import Traffic
from nc.testing.targets.calls import Names
from nc.testing.targets.server import imported_certificates

_NO_STATE: Final = State()

# What is looked at even when the log has lost what was acknowledged.
_UNTIL_THE_END: Final = {laws.NOTHING_CRASHES, laws.REWOUND}

_NO_FAULTS: Final = {OK, MISTAKE, DENIED, *STATUSES.values(), *NODE_STATUSES.values()}


class Cluster:
    """A cluster, on the running loop.

    Attributes:
        chronicle: what was observed so far.
        machines: those that joined, by name; `duplicates` are copies of them.
        enrolments: what each was answered.
        asked_to_leave: nodes that a call meant to unregister.
        given: the addresses that agents were given.
        traffic: the packets.
        refused: request ids of calls that "changed nothing".
        called_old: servers that were, with the events before and after that.
        acknowledged: those of changes that the crowd made.
        time: what clocks that are right show.
        clock: the servers'; `clock_set_at_s` is the loop's time at which it was last set.
    """

    def __init__(self, plan: Plan, loop: SimulatedLoop) -> None:
        self.plan = plan
        self.chronicle = Chronicle(plan.network, plan=plan)
        self.time = ClusterTime(loop, plan.seed)
        self.clock = MachineClock(self.time)
        self.clock_set_at_s = -math.inf
        self.certificates = Certificates(self.clock)
        servers = SERVERS if plan.is_shared else 1
        self.network = Network(plan.seed, servers, self.certificates.verify)
        self.several = Several(self, self.network) if plan.is_shared else None
        self.machines: dict[str, Machine] = {}
        self.enrolments: dict[str, Answer] = {}
        self.asked_to_leave: set[str] = set()
        self.duplicates: list[Machine] = []
        self.traffic = Traffic(self)
        self.refused: set[str] = set()
        self.acknowledged: set[str] = set()
        self.called_old: list[tuple[str, int, int]] = []
        self._crowd = Crowd(self)
        self.chance = SeededRandom(("cluster", plan.seed))
        self.token_ids = TokenIds(self.chance.random_bytes(SECRET_KEY_BYTES))
        self._loop = loop
        self._names = Names(imported_certificates())
        self.sites = [Site(number, self) for number in range(servers)]
        self._calls = Calls()
        self._is_finished = False
        self.given: list[GivenAddress] = []
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def servers(self) -> list[SimulatedServer]:
        """The servers that serve now."""
        return [site.server for site in self.sites if site.server is not None]

    @property
    def state(self) -> State:
        """The newest state that any serving server knows."""
        states = (server.replica.state for server in self.servers)
        return max(states, key=lambda state: state.seq, default=_NO_STATE)

    @property
    def in_trouble(self) -> bool:
        """Whether a server may reject commands now (a fault is active)."""
        return any(site.in_trouble for site in self.sites)

    @property
    def cannot_start(self) -> bool:
        """Whether a server finds its log damaged."""
        return any(site.cannot_start for site in self.sites)

    @property
    def lacks_members(self) -> bool:
        """Whether no server that serves is one that the log knows: others wait longer to lead."""
        sessions = self.state.sessions
        return all(server.replica.session not in sessions for server in self.servers)

    def site_of(self, replica: int) -> Site:
        """The server that an action names; the only one if there is one."""
        return self.sites[replica % len(self.sites)]

    # Recording.

    @property
    def now_s(self) -> float:
        return self._loop.time()

    def note(self, text: str) -> None:
        self.chronicle.lines.append(f"{self.now_s:+10.3f} s  {text}")

    def saw(self, law: Law, what: str, *, holds: bool) -> None:
        if self._is_finished and law not in _UNTIL_THE_END:
            return
        sighting = Sighting(what, self.now_s, self.state.seq)
        self.chronicle.saw(law.name, sighting, holds=holds)
        if not holds:
            self.note(f"BROKEN: {law.name}: {what}")

    def begin_asking(self) -> Callable[[], None]:
        """Have many clients ask; gives what ends it."""
        asking = self.spawn(self._crowd.run())

        def end() -> None:
            asking.cancel()

        return end

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run a background task until the plan is over; its failure is one of the harness."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._settle)
        return task

    def _settle(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    # Calls

    async def call(self, operation: Call, replica: int = 0) -> Answer | None:
        """The answer to a client; None: no answer, or only that the server is unavailable."""
        site = self.site_of(replica)
        server = site.server
        if (
            self._is_finished
            or server is None
            or operation.shown not in {"", ADMIN, *self._names.nodes()}
        ):
            return None
        while True:  # what was just given out must not be used in its own round
            await self._calls.wait_for_round()
            known_seq = self.state.seq
            if server.life.is_over:
                return None
            if not self._calls.must_wait:
                break
        call = self._calls.begin(operation, self._now_ms, self.now_s, known_seq)
        if isinstance(operation, Unregister):
            self.asked_to_leave.add(operation.node)
        elif isinstance(operation, UnregisterNodesOf):
            self.asked_to_leave.add(operation.token.removeprefix(JOINS_BY))
        answer = None
        try:
            answer = await self._answer(site, server, operation, call)
        finally:  # else a call that fails keeps all others waiting
            self._calls.end(call, answer, self._now_ms)
        self.chronicle.seqs[call.number] = self.state.seq
        self.note(f"{call}  →  {answer_text(answer)}")
        return answer

    async def _answer(
        self, site: Site, server: SimulatedServer, operation: Call, call: CallRecord
    ) -> Answer | None:
        was_in_trouble = site.in_trouble
        # the call is begun a turn later, and must not know what is given out meanwhile
        answer = await server.answer(operation, self._names.copy(), call.request_id)
        call.answered_seq = server.replica.state.seq
        is_fault = answer is not None and answer.facts.code not in _NO_FAULTS
        is_trouble = was_in_trouble or site.in_trouble
        # by a clock that is wrong, the caller's certificate has ended, or the CA's
        is_denied = answer is not None and answer.facts.code != OK and self.clock.offset_ms != 0
        if answer is not None and NOT_DONE in answer.message:
            self.refused.add(call.request_id)
        if is_denied or (is_fault and is_trouble):
            answer = None
        if answer is not None:
            self._names.remember(operation, answer)
        return answer

    @property
    def _now_ms(self) -> int:
        return self.clock.now_ns() // 1_000_000

    # Machines

    def happens(self, machine: Machine, what: str) -> None:
        """An agent has connected, lost its link, or given up."""
        node = machine.node
        if what.startswith("is connected"):
            node_id, seq = self.node_id(machine), self.state.seq
            self.given.append(GivenAddress(node, node_id, machine.address, seq, self.now_s))
            if self.plan.is_shared:
                what += f" at {self.sites[self.network.reached[machine.name]].name}"
        elif machine.has_given_up:
            is_right = node in self.asked_to_leave
            self.saw(laws.GOES_ON, f"{machine.name} {what}", holds=is_right)
        self.note(f"{machine.name} {what}")

    def node_id(self, machine: Machine) -> str:
        return self.token_ids.id_of(machine.token)

    def lost(self, session: str) -> None:
        """The servers take one of them for lost."""
        for server in self.servers:
            if self.several is not None and server.replica.session == session:
                what = f"{server.name} is lost, though it was in touch"
                self.saw(laws.NOT_LOST, what, holds=not self.several.is_in_touch(server.name))

    # The end

    def finish(self) -> None:
        """Compare the history up to now with the whole log; what comes later has no history."""
        if self._is_finished:
            return
        self._is_finished = True
        self._calls.give_up(self._now_ms)
        chronicle = self.chronicle
        chronicle.held[laws.NOTHING_CRASHES.name] += 1
        if self.servers or self.several is not None:
            for step in self._calls.steps():
                chronicle.add(step)
            try:
                states = [server.replica.state for server in self.servers]
                log = (
                    self.servers[0].log.read() if self.several is None else self.several.log.records
                )
                past = read_log(chronicle, log, states)
            except LogDamaged as damaged:
                self.saw(laws.STARTS, f"{damaged}", holds=False)
            else:
                look_for_stale_answers(chronicle, self._calls.ended, past, self._id_of)
                look_for_wrong_refusals(chronicle, self.called_old, past)
                look_for_wrong_outcomes(chronicle, self.refused, self.acknowledged)
        if self.several is not None:
            look_for_appends_of_others(chronicle, self.several.log.messages)
            look_for_unknown_kinds(chronicle, self.several.log.messages)
        else:
            files = {str(path): bytes(data) for path, data in self.sites[0].data.disk.files()}
            chronicle.log_bytes = files
        compare_addresses(chronicle, self.given)

    def _id_of(self, node: str) -> str:
        return self.token_ids.id_of(self._names.token(node))

    def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for machine in (*self.machines.values(), *self.duplicates):
            machine.switch_off(silently=True)
        for site in self.sites:
            if site.process is not None:
                site.process.life.end()
