"""What goes wrong between several servers, and between them and the log that they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nc.testing.simulation import lines, shared_log
from nc.testing.simulation.actions import Action
from nc.testing.simulation.outages import KillServer
from nc.testing.simulation.several import Several

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster
    from nc.testing.simulation.executor import Executor

_SLOW_LOG_S: Final = 1.0
_SLOW_LINES_S: Final = 0.5
_LOST: Final = 0.4  # of the answers to appends

End = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Quarrel(Action):
    """Something is wrong among several servers for a while."""

    for_s: int

    def begin(self, on: "Executor") -> None:
        cluster, several = on.cluster, on.cluster.several
        if several is None:
            return
        apart = self.apart(cluster)
        cluster.note(f"for {self.for_s} s {self.happens(cluster)}")
        several.is_wrong(1, *apart)
        end = self.happen(cluster, several)

        def mend() -> None:
            end()
            several.is_wrong(-1, *apart)

        on.until(self.for_s, mend)

    def apart(self, _cluster: "Cluster") -> list[str]:
        """The servers that are out of touch for it."""
        return []

    def happens(self, cluster: "Cluster") -> str:
        """What happens, for people."""
        raise NotImplementedError

    def happen(self, cluster: "Cluster", several: Several) -> End:
        """Begin it; gives what ends it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CutLog(Quarrel):
    """A server does not reach the log."""

    replica: int

    def apart(self, cluster: "Cluster") -> list[str]:
        return [cluster.site_of(self.replica).name]

    def happens(self, cluster: "Cluster") -> str:
        return f"{cluster.site_of(self.replica).name} does not reach the log"

    def happen(self, cluster: "Cluster", several: Several) -> End:
        name = cluster.site_of(self.replica).name
        several.log.cut_off[name] += 1
        return lambda: several.log.cut_off.subtract([name])


@dataclass(frozen=True, slots=True)
class CutWay(Quarrel):
    """A server's packets and calls do not come through to another; one way, or both."""

    replica: int
    other: int
    both: bool

    def apart(self, cluster: "Cluster") -> list[str]:
        return [cluster.site_of(each).name for each in (self.replica, self.other)]

    def happens(self, cluster: "Cluster") -> str:
        source, destination = self.apart(cluster)
        return f"{source} does not reach {destination}{', nor that one it' * self.both}"

    def happen(self, cluster: "Cluster", several: Several) -> End:
        del several
        source, destination = (cluster.site_of(each).ip for each in (self.replica, self.other))
        ways = [lines.way(source, destination)]
        ways += [lines.way(destination, source)] * self.both
        for way in ways:
            cluster.network.cut_off(way)

        def mend() -> None:
            for way in ways:
                cluster.network.mend(way)

        return mend


@dataclass(frozen=True, slots=True)
class BusyLog(Quarrel):
    """Nothing can be appended: the servers that keep the log have no majority."""

    def happens(self, _cluster: "Cluster") -> str:
        return "the log is busy"

    def happen(self, cluster: "Cluster", several: Several) -> End:
        del cluster
        several.log.busy += 1

        def mend() -> None:
            several.log.busy -= 1

        return mend


@dataclass(frozen=True, slots=True)
class LoseAnswers(Quarrel):
    """Appends are done, or not, and not answered."""

    def happens(self, _cluster: "Cluster") -> str:
        return "the log loses answers"

    def happen(self, cluster: "Cluster", several: Several) -> End:
        del cluster
        several.log.loses_answers = _LOST

        def mend() -> None:
            several.log.loses_answers = 0.0

        return mend


@dataclass(frozen=True, slots=True)
class Lag(Quarrel):
    """What the log has, or what servers say to each other, comes late."""

    is_of_log: bool

    def happens(self, _cluster: "Cluster") -> str:
        return "what the log has comes late" if self.is_of_log else "what servers say comes late"

    def happen(self, cluster: "Cluster", several: Several) -> End:
        del cluster
        if self.is_of_log:
            several.log.lags_s = _SLOW_LOG_S
        else:
            several.lines.latency_s = _SLOW_LINES_S

        def mend() -> None:
            several.log.lags_s, several.lines.latency_s = shared_log.LATENCY_S, lines.LATENCY_S

        return mend


@dataclass(frozen=True, slots=True)
class KillLeader(Action):
    """The process of the server that leads ends at once."""

    down_s: int

    def begin(self, on: "Executor") -> None:
        for replica, site in enumerate(on.cluster.sites):
            server = site.server
            if on.cluster.several and server is not None and getattr(server.replica, "leads", True):
                KillServer(self.at_ms, self.down_s, replica).begin(on)
                return


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
