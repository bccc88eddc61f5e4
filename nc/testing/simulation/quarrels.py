"""What goes wrong between several servers, and between them and the log that they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nc.domain.invitations import InviteReplica
from nc.domain.levels import FIRST_LEVEL, LEVEL
from nc.domain.replica_errors import ReplicaTooOld
from nc.testing.simulation.actions import Action
from nc.testing.simulation.lines import THE_LOG, way
from nc.testing.simulation.loop import first_of
from nc.testing.simulation.outages import KillServer
from nc.testing.simulation.several import SERVERS
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
        several.count_fault(1)
        several.log.troubles[self.kind] += 1

        def mend() -> None:
            several.log.troubles[self.kind] -= 1
            several.count_fault(-1)

        on.until(self.for_s, mend)


@dataclass(frozen=True, slots=True)
class Cut(Action):
    """Nothing comes through from a server to another, or to the log; one way, or both."""

    for_s: int
    replica: int
    other: int
    both: bool = True

    def begin(self, on: "Executor") -> None:
        cluster = on.cluster
        source = cluster.site_of(self.replica)
        apart, to = [source.name, THE_LOG], THE_LOG
        if self.other != LOG:
            destination = cluster.site_of(self.other)
            apart, to = [source.name, destination.name], destination.ip
        nor_back = ", nor the other way round" * self.both
        what = f"{source.name} does not reach {apart[-1]}{nor_back}"
        ways = [way(source.ip, to), *[way(to, source.ip)] * self.both]
        _cut_off(on, self.for_s, what, ways, apart)


@dataclass(frozen=True, slots=True)
class ResetLines(Action):
    """What a server said to the others is cut short, which only they learn of."""

    replica: int

    def begin(self, on: "Executor") -> None:
        several, site = on.cluster.several, on.cluster.site_of(self.replica)
        if several is not None:
            on.cluster.note(f"connections of {site.name} are reset, and it does not know")
            several.begin_to_settle(site.name)
            several.lines.reset(site.ip)


@dataclass(frozen=True, slots=True)
class KillLeader(Action):
    """The process of the server that leads ends at once."""

    down_s: int

    def begin(self, on: "Executor") -> None:
        if (leader := _leader(on)) is not None:
            KillServer(self.at_ms, self.down_s, on.cluster.sites.index(leader)).begin(on)


@dataclass(frozen=True, slots=True)
class Downgrade(Action):
    """A server is of an older version for a while, which says that it knows fewer kinds."""

    for_s: int
    replica: int

    def begin(self, on: "Executor") -> None:
        several, number = on.cluster.several, self.replica % SERVERS
        if several is None:
            return

        def restart(level: int) -> None:
            several.levels[number] = level
            KillServer(self.at_ms, 1, number).begin(on)

        restart(FIRST_LEVEL)
        on.until(self.for_s, lambda: restart(LEVEL))


@dataclass(frozen=True, slots=True)
class Invite(Action):
    """The server that leads is to record an event of a kind that older servers do not know."""

    def begin(self, on: "Executor") -> None:
        on.do(self._invite(on))

    async def _invite(self, on: "Executor") -> None:
        leader = _leader(on)
        if leader is None or (server := leader.server) is None:
            return
        known_seq = server.replica.state.seq
        command = InviteReplica(f"invitation {self.at_ms}", self.at_ms)
        inviting = server.life.run(server.server.submit(command, "invite"))
        await first_of(inviting, server.life.over.wait())
        is_over = inviting.done() and not inviting.cancelled()
        refusal = inviting.exception() if is_over else None
        for replica_id in refusal.versions if isinstance(refusal, ReplicaTooOld) else ():
            on.cluster.called_old.append((replica_id, known_seq, server.replica.state.seq))


@dataclass(frozen=True, slots=True)
class SilenceLeader(Action):
    """Nothing comes from the server that leads, or to it, for a while: it is paused, or cut off.

    No connection is refused. The others are in touch, and go on without it.
    """

    for_s: int

    def begin(self, on: "Executor") -> None:
        if (leader := _leader(on)) is None:
            return
        what = f"nothing comes from {leader.name}, which leads, or to it"
        others = [THE_LOG, *(site.ip for site in on.cluster.sites if site is not leader)]
        ways = [each for ip in others for each in (way(leader.ip, ip), way(ip, leader.ip))]
        _cut_off(on, self.for_s, what, ways, [leader.name])


def _cut_off(
    on: "Executor", for_s: int, what: str, ways: Sequence[str], apart: Sequence[str]
) -> None:
    """Let nothing through on these ways for a while; nothing is done where one server is alone.

    Args:
        on: carries it out.
        for_s: seconds.
        what: for the note.
        ways: each as `way` names it.
        apart: the names of the servers that are out of touch for it.
    """
    cluster, several = on.cluster, on.cluster.several
    if several is None:
        return
    cluster.note(f"for {for_s} s {what}")
    several.count_fault(1, *apart)
    for each in ways:
        cluster.network.cut_off(each)

    def mend() -> None:
        for each in ways:
            cluster.network.mend(each)
        several.count_fault(-1, *apart)

    on.until(for_s, mend)


def _leader(on: "Executor") -> "Site | None":
    sites = (site for site in on.cluster.sites if site.server is not None and site.server.leads)
    return next(sites, None)


@dataclass(frozen=True, slots=True)
class Ask(Action):
    """Many clients ask the servers for a while."""

    for_s: int

    def begin(self, on: "Executor") -> None:
        if on.cluster.several is not None:
            on.until(self.for_s, on.cluster.begin_asking())


@dataclass(frozen=True, slots=True)
class RewindLog(Action):
    """The log loses its last messages, as when old copies are put back.

    It is the end of the cluster's life: no server that has read them may go on, and what was
    acknowledged is forgotten by the others.
    """

    count: int
    appended: bool  # others have appended since

    def begin(self, on: "Executor") -> None:
        if on.cluster.several is not None:
            on.cluster.note(f"the log loses its last {self.count} messages")
            on.cluster.finish()
            on.cluster.several.log.rewind(self.count, appended=self.appended)


@dataclass(frozen=True, slots=True)
class ForkLog(Action):
    """What a server reads of the log from now on are other bytes than were appended.

    As after a flipped bit in the store of one NATS server. It is the end of that server's life.
    """

    replica: int

    def begin(self, on: "Executor") -> None:
        several, site = on.cluster.several, on.cluster.site_of(self.replica)
        if several is not None:
            on.cluster.note(f"{site.name} is given other bytes of the log")
            several.count_fault(1, site.name)
            several.log.forked_after[site.ip] = len(several.log.messages)
