"""What goes wrong in the field for a while: clocks, a wrong server, folders that are gone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventlog import MemoryLog
from nc.testing.contract.laws.cluster import ONCE_ENROLLED
from nc.testing.simulation.actions import Action
from nc.testing.simulation.data import Part
from nc.testing.simulation.network import ANOTHER_SERVER, WrongServer
from nc.testing.simulation.servers import SimulatedServer

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster
    from nc.testing.simulation.executor import Executor

PutRight = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Fault(Action):
    """Something in the field is wrong for a while, and then right again."""

    for_s: int

    def begin(self, on: "Executor") -> None:
        if (put_right := self.happen(on.cluster)) is not None:
            on.until(self.for_s, put_right)

    def happen(self, cluster: "Cluster") -> PutRight | None:
        """Begin it; gives what puts it right again, or None if it cannot be just now."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class StepClock(Fault):
    """A machine's clock is wrong by so much; `node` None: the server's.

    One that is wrong already is wrong by another amount, until the first of both ends.
    """

    node: str | None
    by_ms: int

    def happen(self, cluster: "Cluster") -> PutRight | None:
        if self.node is not None and self.node not in cluster.machines:
            return None
        self._step_to(cluster, self.by_ms)
        return lambda: self._step_to(cluster, 0)

    def _step_to(self, cluster: "Cluster", offset_ms: int) -> None:
        whose = "the server" if self.node is None else self.node
        cluster.note(f"the clock of {whose} is set to {offset_ms / 1000:+g} s")
        if self.node is None:
            cluster.clock.offset_ms = offset_ms
            cluster.clock_set_at_s = cluster.now_s
        else:
            cluster.machines[self.node].clock.offset_ms = offset_ms


@dataclass(frozen=True, slots=True)
class Misdirect(Fault):
    """The server's name leads elsewhere, and every link breaks."""

    to: WrongServer

    def happen(self, cluster: "Cluster") -> PutRight | None:
        network, certificates = cluster.network, cluster.certificates
        if network.misdirected_to is not None:
            return None
        cluster.note(f"at the server's address there is {self.to.value}")
        network.misdirected_to = self.to
        certificates.is_other_ca = self.to is WrongServer.OTHER_CA
        another: SimulatedServer | None = None
        if self.to is WrongServer.EMPTY_LOG:  # with our CA and key; it knows no node
            log = MemoryLog(cluster.time.now_ns)
            another = SimulatedServer(cluster, "another server", log, ANOTHER_SERVER, cluster.time)
            another.life.run(another.start())
        for name in cluster.machines:
            network.reset(name, at_server=False)

        def put_right() -> None:
            cluster.note("the server is at its address again")
            network.misdirected_to = None
            certificates.is_other_ca = False
            if another is not None:
                strangers = len(another.replica.state.nodes)
                what = f"a server with an empty log has {strangers} nodes"
                cluster.saw(ONCE_ENROLLED, what, holds=strangers == 0)
                network.end_life(another.life, silently=False)
                another.life.end()

        return put_right


@dataclass(frozen=True, slots=True)
class LoseData(Fault):
    """The server's machine starts anew, without some of the server's data."""

    parts: tuple[Part, ...]

    def happen(self, cluster: "Cluster") -> PutRight | None:
        return None if cluster.plan.is_shared else cluster.sites[0].lose_data(self.parts)


@dataclass(frozen=True, slots=True)
class LoseFolder(Fault):
    node: str

    def happen(self, cluster: "Cluster") -> PutRight | None:
        if self.node not in cluster.machines:
            return None
        cluster.note(f"the state folder of {self.node} is gone")
        cluster.certificates.missing.add(self.node)

        def put_right() -> None:
            cluster.note(f"the state folder of {self.node} is back")
            cluster.certificates.missing.discard(self.node)

        return put_right
