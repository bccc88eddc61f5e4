"""What goes wrong between several servers, and between them and the log that they share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nc.testing.simulation.actions import Action
from nc.testing.simulation.lines import THE_LOG, way
from nc.testing.simulation.outages import KillServer
from nc.testing.simulation.shared_log import Trouble

if TYPE_CHECKING:
    from nc.testing.simulation.executor import Executor
    from nc.testing.simulation.site import Site

LOG: Final = -1  # in place of another server


@dataclass(frozen=True, slots=True)
class TroubleAll(Action):
    """The log, or the way between any two servers, is not as it should be for a while."""

    for_s: int
    kind: Trouble

    def begin(self, on: "Executor") -> None:
        several = on.cluster.several
        if several is None:
            return
        on.cluster.note(f"for {self.for_s} s {self.kind.value}")
        several.is_wrong(1)
        several.log.troubles[self.kind] += 1

        def mend() -> None:
            several.log.troubles[self.kind] -= 1
            several.is_wrong(-1)

        on.until(self.for_s, mend)


@dataclass(frozen=True, slots=True)
class Cut(Action):
    """Nothing comes through from a server to another, or to the log; one way, or both."""

    for_s: int
    replica: int
    other: int
    both: bool = True

    def begin(self, on: "Executor") -> None:
        cluster, several = on.cluster, on.cluster.several
        if several is None:
            return
        source = cluster.site_of(self.replica)
        apart, to = [source.name, THE_LOG], THE_LOG
        if self.other != LOG:
            destination = cluster.site_of(self.other)
            apart, to = [source.name, destination.name], destination.ip
        nor_back = ", nor the other way round" * self.both
        cluster.note(f"for {self.for_s} s {source.name} does not reach {apart[-1]}{nor_back}")
        ways = [way(source.ip, to), *[way(to, source.ip)] * self.both]
        several.is_wrong(1, *apart)
        for each in ways:
            cluster.network.cut_off(each)

        def mend() -> None:
            for each in ways:
                cluster.network.mend(each)
            several.is_wrong(-1, *apart)

        on.until(self.for_s, mend)


@dataclass(frozen=True, slots=True)
class KillLeader(Action):
    """The process of the server that leads ends at once."""

    down_s: int

    def begin(self, on: "Executor") -> None:
        for replica, site in enumerate(on.cluster.sites):
            if _leads(site):
                KillServer(self.at_ms, self.down_s, replica).begin(on)
                return


@dataclass(frozen=True, slots=True)
class SilenceLeader(Action):
    """Nothing comes from the server that leads, or to it, for a while: it is paused, or cut off.

    No connection is refused. The others are in touch, and go on without it.
    """

    for_s: int

    def begin(self, on: "Executor") -> None:
        cluster, several = on.cluster, on.cluster.several
        leader = next((site for site in cluster.sites if _leads(site)), None)
        if several is None or leader is None:
            return
        cluster.note(f"for {self.for_s} s nothing comes from {leader.name}, which leads, or to it")
        others = [THE_LOG, *(site.ip for site in cluster.sites if site is not leader)]
        ways = [each for ip in others for each in (way(leader.ip, ip), way(ip, leader.ip))]
        several.is_wrong(1, leader.name)
        for each in ways:
            cluster.network.cut_off(each)

        def mend() -> None:
            for each in ways:
                cluster.network.mend(each)
            several.is_wrong(-1, leader.name)

        on.until(self.for_s, mend)


def _leads(site: "Site") -> bool:
    membership = None if site.server is None else site.server.server.membership
    return membership is not None and membership.leads


@dataclass(frozen=True, slots=True)
class Ask(Action):
    """Many clients ask the servers for a while."""

    for_s: int

    def begin(self, on: "Executor") -> None:
        if on.cluster.several is not None:
            on.until(self.for_s, on.cluster.begin_asking())


@dataclass(frozen=True, slots=True)
class RewindLog(Action):
    """The log loses its last messages, as when old copies are put back; all had read them.

    It is the end of the cluster's life: no server may go on.
    """

    count: int
    appended: bool  # others have appended since

    def begin(self, on: "Executor") -> None:
        if on.cluster.several is not None:
            on.cluster.note(f"the log loses its last {self.count} messages")
            on.cluster.several.rewind(self.count, appended=self.appended)
