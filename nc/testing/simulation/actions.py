"""The actions of a simulated cluster; a plan is a list of them, each with its time.

An action is one class: what it is about, and what it does. It names its machine (`node 3`), so that
any action can be left out and the rest still means something: that is how a plan is made smaller.
An action about something that is not there does nothing.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from nc.testing.contract.enrolment import Enrol
from nc.testing.contract.history import Answer
from nc.testing.contract.operations import Call as Operation
from nc.testing.contract.operations import IssueToken, Redeem, SetExpiries
from nc.testing.simulation.machines import JOINS_BY, Machine

if TYPE_CHECKING:
    from nc.testing.simulation.executor import Executor


_ATTEMPTS: Final = 30
_AGAIN_S: Final = 2.0


class Break(Enum):
    SILENTLY = "neither side learns of it"
    AT_SERVER = "the server learns of it first"
    AT_NODE = "the node learns of it first"


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happens at a time; `replica` is the server that is meant, of several."""

    at_ms: int

    def begin(self, on: "Executor") -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Join(Action):
    """A token is issued and redeemed, and the new machine's agent starts.

    A machine that enrols with a key of its own repeats its attempt while no answer comes.
    """

    node: str
    replica: int = 0
    enrols: bool = False

    def begin(self, on: "Executor") -> None:
        on.do(self._join(on))

    async def _join(self, on: "Executor") -> None:
        cluster, node, token = on.cluster, self.node, f"{JOINS_BY}{self.node}"
        issued = await cluster.call(IssueToken(token, 10), self.replica)
        if issued is None or not issued.is_ok or node in cluster.machines:
            return
        joined = await self._ask(on, token)
        if joined is not None and joined.is_ok and node not in cluster.machines:
            cluster.enrolments[node] = joined
            cluster.machines[node] = Machine(cluster, node, node)
            cluster.machines[node].switch_on()

    async def _ask(self, on: "Executor", token: str) -> Answer | None:
        if not self.enrols:
            return await on.cluster.call(Redeem(token, self.node), self.replica)
        for _ in range(_ATTEMPTS):
            answer = await on.cluster.call(Enrol(token, self.node), self.replica)
            if answer is not None:
                return answer
            await asyncio.sleep(_AGAIN_S)
        return None


@dataclass(frozen=True, slots=True)
class Call(Action):
    operation: Operation
    replica: int = 0

    def begin(self, on: "Executor") -> None:
        on.do(on.cluster.call(self.operation, self.replica))


@dataclass(frozen=True, slots=True)
class Expire(Action):
    """A node's token expires so many seconds from then on; 0: never."""

    node: str
    in_s: int
    replica: int = 0

    def begin(self, on: "Executor") -> None:
        at_s = on.cluster.clock.now_ns() // 10**9 + self.in_s if self.in_s else 0
        on.do(on.cluster.call(SetExpiries(((self.node, at_s),)), self.replica))


@dataclass(frozen=True, slots=True)
class SetClock(Action):
    by_ms: int

    def begin(self, on: "Executor") -> None:
        on.cluster.note(f"clocks jump by {self.by_ms / 1000:+g} s")
        on.cluster.time.jumped_ms += self.by_ms
        on.cluster.clock_set_at_s = on.cluster.now_s


@dataclass(frozen=True, slots=True)
class Partition(Action):
    """The network between these machines and all servers is down for a while."""

    nodes: tuple[str, ...]
    for_s: int

    def begin(self, on: "Executor") -> None:
        network = on.cluster.network
        on.cluster.note(f"nothing comes through to {', '.join(self.nodes)} for {self.for_s} s")
        for node in self.nodes:
            network.cut_off(node)

        def mend() -> None:
            for node in self.nodes:
                network.mend(node)

        on.until(self.for_s, mend)


@dataclass(frozen=True, slots=True)
class MachineAction(Action):
    node: str

    def begin(self, on: "Executor") -> None:
        machine = on.cluster.machines.get(self.node)
        if machine is not None:
            self.happen(on, machine)

    def happen(self, on: "Executor", machine: Machine) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SwitchOff(MachineAction):
    """A machine is switched off; silently, as when its power fails: no peer learns of it."""

    silently: bool

    def happen(self, on: "Executor", machine: Machine) -> None:
        if machine.is_on:
            how = ", silently" if self.silently else ""
            on.cluster.note(f"{machine.name} is switched off{how}")
            machine.switch_off(silently=self.silently)


@dataclass(frozen=True, slots=True)
class SwitchOn(MachineAction):
    def happen(self, on: "Executor", machine: Machine) -> None:
        if not machine.is_on:
            on.cluster.note(f"{machine.name} is switched on")
            machine.switch_on()


@dataclass(frozen=True, slots=True)
class DuplicateNode(MachineAction):
    """Another machine is the same node for a while, as after a copy of its disk."""

    for_s: int

    def happen(self, on: "Executor", _machine: Machine) -> None:
        cluster = on.cluster
        name = f"duplicate {len(cluster.duplicates) + 1} of {self.node}"
        duplicate = Machine(cluster, name, self.node)
        cluster.duplicates.append(duplicate)
        cluster.note(f"{name} is switched on for {self.for_s} s")
        duplicate.switch_on()
        on.until(self.for_s, lambda: duplicate.switch_off(silently=False))


@dataclass(frozen=True, slots=True)
class BreakLink(MachineAction):
    how: Break

    def happen(self, on: "Executor", machine: Machine) -> None:
        on.cluster.note(f"the connection of {machine.name} breaks: {self.how.value}")
        if self.how is Break.SILENTLY:
            on.cluster.network.sever(machine.name)
        else:
            on.cluster.network.reset(machine.name, at_server=self.how is Break.AT_SERVER)


@dataclass(frozen=True, slots=True)
class StopReading(MachineAction):
    for_s: int

    def happen(self, on: "Executor", machine: Machine) -> None:
        network, name = on.cluster.network, machine.name
        on.cluster.note(f"{name} reads nothing for {self.for_s} s")
        network.stall(name, is_stalled=True)
        on.until(self.for_s, lambda: network.stall(name, is_stalled=False))


@dataclass(frozen=True, slots=True)
class SendPackets(MachineAction):
    to: str
    count: int
    size_bytes: int

    def happen(self, on: "Executor", machine: Machine) -> None:
        receiver = on.cluster.machines.get(self.to)
        if receiver is not None and receiver.address:
            for _ in range(self.count):
                on.cluster.traffic.send(machine, receiver.address, self.size_bytes)


@dataclass(frozen=True, slots=True)
class Forge(MachineAction):
    """One of several servers is an attacker's: it sends others a packet with a source elsewhere.

    The source is the node that the packet is for, so that it is linked to a server that gets it.
    """

    replica: int

    def happen(self, on: "Executor", machine: Machine) -> None:
        on.cluster.traffic.forge(on.cluster.site_of(self.replica), machine)


class Plan(NamedTuple):
    """A cluster's life.

    Attributes:
        seed: of all chance that is not in the actions.
        network: the overlay network.
        is_shared: whether there are several servers on one log, which others keep.
        actions: in their order.
    """

    seed: int
    network: str
    is_shared: bool
    actions: tuple[Action, ...]
