"""What happens to the machines. A fault begins, lasts for a time, and is mended.

Each is a function of the site and the machine that it is for, which returns how it is mended.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from benchmarks.drill.programs import until
from benchmarks.drill.site import MACHINES, Site, apart

Mend = Callable[[], None]
Begin = Callable[[Site, str], Mend]

LEADER, FOLLOWER, ANY = "leader", "follower", "any"


class Fault(NamedTuple):
    """One kind of fault.

    Attributes:
        name: what it does, with {} for the machine.
        who: which machine it is for, by its replica: the leader's, a follower's, any.
        begin: does it.
        lasts_s: until it is mended.
        is_death: the machine's replica is gone from its beginning on.
        is_one_link: another machine may as well be the one that the rest goes on without.
    """

    name: str
    who: str
    begin: Begin
    lasts_s: float
    is_death: bool = False
    is_one_link: bool = False

    def machines(self, machine: str) -> tuple[str, ...]:
        """This one, or both ends of the link that is cut: either may be the one that is lost."""
        return (machine, _other_end(machine)) if self.is_one_link else (machine,)

    def text(self, machine: str, role: str, lasts_s: float) -> str:
        return f"{self.name.format(machine)} ({role}), {lasts_s:g} s"


def _kill_replica(site: Site, name: str) -> Mend:
    site.replicas[name].kill()
    return site.replicas[name].start


def _kill_nats(site: Site, name: str) -> Mend:
    site.nats[name].kill()
    return site.nats[name].start


def _both(one: Begin, other: Begin) -> Begin:
    """Two faults of one machine at once."""

    def begin(site: Site, name: str) -> Mend:
        mends = one(site, name), other(site, name)

        def mend() -> None:
            for each in mends:
                each()

        return mend

    return begin


def _cut(site: Site, name: str) -> Mend:
    site.cut(apart([name]))
    return site.mend


def _cut_out(site: Site, name: str) -> Mend:
    """What it sends gets lost; what the others send arrives."""
    site.cut(pair for pair in apart([name]) if pair[0] == name)
    return site.mend


def _cut_in(site: Site, name: str) -> Mend:
    site.cut(pair for pair in apart([name]) if pair[1] == name)
    return site.mend


def _cut_one_other(site: Site, name: str) -> Mend:
    """It reaches one of the others only, which reaches both."""
    other = _other_end(name)
    site.cut([(name, other), (other, name)])
    return site.mend


def _other_end(name: str) -> str:
    return next(each for each in reversed(MACHINES) if each != name)


def _isolate(site: Site, name: str) -> Mend:
    site.isolate(name)
    return site.mend


def _pause_replica(site: Site, name: str) -> Mend:
    site.replicas[name].pause()
    return site.replicas[name].resume


def _pause_nats(site: Site, name: str) -> Mend:
    site.nats[name].pause()
    return site.nats[name].resume


FAULTS: Final = (
    Fault("kill -9 of replica {}", FOLLOWER, _kill_replica, 20, is_death=True),
    Fault("kill -9 of replica {}", LEADER, _kill_replica, 20, is_death=True),
    Fault("kill -9 of NATS {}", FOLLOWER, _kill_nats, 15),
    Fault("kill -9 of NATS {}", LEADER, _kill_nats, 15),
    Fault("kill -9 of both on {}", FOLLOWER, _both(_kill_nats, _kill_replica), 20, is_death=True),
    Fault("kill -9 of both on {}", LEADER, _both(_kill_nats, _kill_replica), 20, is_death=True),
    Fault("{} cut from the others", FOLLOWER, _cut, 20),
    Fault("{} cut from the others", LEADER, _cut, 20),
    Fault("what {} sends to the others lost", FOLLOWER, _cut_out, 15),
    Fault("what {} sends to the others lost", LEADER, _cut_out, 15),
    Fault("what the others send to {} lost", FOLLOWER, _cut_in, 15),
    Fault("what the others send to {} lost", LEADER, _cut_in, 15),
    Fault("{} cut from one of the others", LEADER, _cut_one_other, 15, is_one_link=True),
    Fault("{} cut from everything", FOLLOWER, _isolate, 20, is_death=True),
    Fault("{} cut from everything", LEADER, _isolate, 20, is_death=True),
    Fault("replica {} paused", FOLLOWER, _pause_replica, 2),
    Fault("replica {} paused", LEADER, _pause_replica, 2),
    Fault("replica {} paused", FOLLOWER, _pause_replica, 10),
    Fault("replica {} paused", LEADER, _pause_replica, 10),
    Fault("NATS {} paused", ANY, _pause_nats, 2),
    Fault("NATS {} paused", ANY, _pause_nats, 10),
    Fault("both on {} paused", LEADER, _both(_pause_nats, _pause_replica), 10),
)


def named(text: str) -> list[Fault]:
    """Those whose name has a text."""
    return [fault for fault in FAULTS if text in fault.name]


# For the short form: the deaths, a cut and a pause, each for as long as it takes to go on without.
_SHORT_S: Final = 8.0
SHORT: Final = tuple(FAULTS[at]._replace(lasts_s=_SHORT_S) for at in (0, 5, 9, 18))


def machine_for(who: str, site: Site, chance: random.Random) -> str:
    """A machine that a fault is for, now."""
    leader = site.leader()
    others = [name for name in MACHINES if name != leader]
    names = {LEADER: [leader], FOLLOWER: others, ANY: list(MACHINES)}[who]
    return chance.choice(names)


async def restart_all(site: Site, is_settled: Callable[[], Awaitable[None]]) -> None:
    """A rolling restart: each program is stopped and started, one after the other.

    Args:
        site: the machines.
        is_settled: returns once the site is well again; waited for before the next one.
    """
    for name in MACHINES:
        for program in (site.nats[name], site.replicas[name]):
            await program.stop()
            program.start()
            await until(program.is_ready, program.name)
            await is_settled()
