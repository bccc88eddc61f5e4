"""The workload of a simulated cluster, drawn from a seed before it is played.

Mostly one thing at a time, now and then many at once; short pauses mostly, long ones now and then,
so that what takes a minute (silence, a wait before the next try) is sometimes over when something
else happens, and sometimes not.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from nc.testing.contract.operations import CheckState, GetAddress, Unregister
from nc.testing.search.choices import Choices
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation import actions as act
from nc.testing.simulation.machines import JOINS_BY
from nc.testing.simulation.outages import CutPower, FailSync, FillDisk, KillServer, RestartServer
from nc.testing.simulation.quarrels import (
    LOG,
    Ask,
    Cut,
    Downgrade,
    ForkLog,
    Invite,
    KillLeader,
    RewindLog,
    TroubleAll,
)
from nc.testing.simulation.several import SERVERS
from nc.testing.simulation.shared_log import Trouble
from nc.testing.targets.in_process import START_MS
from nc.testing.targets.target import Ability

DEFAULT_ACTIONS: Final = 40

_NETWORKS: Final = ("10.1.1.1/24", "10.1.1.1/24", "10.1.1.1/28")
_SHARED: Final = (False, False, False, True)
_PAUSES_MS: Final = (0, 0, 5, 30, 200, 1000, 1000, 5000, 20_000, 70_000)
# Of several servers, which look at each other all the time: a second costs ten times as much.
_PAUSES_OF_SEVERAL_MS: Final = (*_PAUSES_MS[:-1] * 3, _PAUSES_MS[-1])
_SECONDS: Final = (1, 3, 10, 30, 70, 100)
_DOWN_S: Final = (0, 1, 5, 30, 90)
_DAY_MS: Final = 25 * 3_600_000  # after which expired tokens are forgotten
_JUMPS_MS: Final = (1, 1000, 60_000, 3_600_000, _DAY_MS, -1000, -60_000, -3_600_000)
_EXPIRIES_S: Final = (-1, 1, 5, 30, 0, 0)
_KEPT: Final = (0.0, 0.5, 0.9, 1.0)
_STEPS: Final = range(12)
_AT_FIRST: Final = (1, 2, 3, 4)
_MOST_NODES: Final = 9
_ASKING_S: Final = (3, 10, 30)
_CHASES: Final = 6
_INVITED_AFTER_MS: Final = (1000, 5000, 20_000, 30_000)
_ENDS_OF_LOG: Final = (False, False, False, True)
_LOST_MESSAGES: Final = (1, 2, 4, 20)
_AFTER_THE_END: Final = 3  # actions
_SIZES_BYTES: Final = (28, 1400, 1400, 60_000)


def draw(seed: int, actions: int = DEFAULT_ACTIONS, *, is_shared: bool | None = None) -> act.Plan:
    """A cluster's life: so many actions after the first machines have joined.

    Whether several servers share a log is drawn, unless `is_shared` decides it.
    """
    pick = SeededRandom(("workload", seed)).pick
    shared = pick(_SHARED) if is_shared is None else is_shared
    network = pick(_NETWORKS)
    workload = ClusterWorkload(pick, is_shared=shared)
    for _ in range(pick(_AT_FIRST)):
        workload.join()
    rules = _RULES_OF_SEVERAL if shared else _RULES
    workload.go_on(rules, actions)
    if shared and pick(_ENDS_OF_LOG):
        workload.break_log()
        workload.go_on(rules, _AFTER_THE_END)
    return act.Plan(seed, network, shared, tuple(workload.actions))


class ClusterWorkload(Choices):
    """Draws actions; each rule is one thing that happens."""

    def __init__(self, pick: Any, *, is_shared: bool) -> None:
        super().__init__(pick, frozenset(Ability) - {Ability.LINKS, Ability.SWEEP})
        self._is_shared = is_shared
        self._now_ms = 1000
        self.actions: list[act.Action] = []

    def pause(self) -> None:
        self._now_ms += self.pick(_PAUSES_OF_SEVERAL_MS if self._is_shared else _PAUSES_MS)

    def go_on(self, rules: Sequence[Callable[["ClusterWorkload"], None]], count: int) -> None:
        for _ in range(count):
            self.pause()
            self.pick(rules)(self)

    def _add(self, kind: Callable[..., act.Action], *fields: Any) -> None:
        self.actions.append(kind(self._now_ms, *fields))

    def _machine(self) -> str:
        return self.pick(self.nodes)

    def _replica(self) -> int:
        return self.pick(range(SERVERS))

    def _server(self) -> int:
        return self._replica() if self._is_shared else 0

    # Rules

    def join(self) -> None:
        """A machine joins, while there are not too many."""
        if len(self.nodes) < _MOST_NODES:
            node = self.fresh("node")
            self.nodes.append(node)
            self.tokens.append(f"{JOINS_BY}{node}")
            self._add(act.Join, node, self._replica(), self.pick((False, True)))

    def race(self) -> None:
        """Two servers are asked to change a node, while it may be on its way to either."""
        node = self._machine()
        if self.pick((True, False)):
            self._add(act.BreakLink, node, self.pick(tuple(act.Break)))
            self._now_ms += self.pick((0, 5, 30, 200))
        for replica in (self._replica(), self._replica()):
            if self.pick((True, True, False)):
                self._add(act.Expire, node, self.pick(_EXPIRIES_S), replica)
            else:
                asked = self.pick((CheckState, GetAddress, Unregister))
                self._add(act.Call, asked(node), replica)
            self._now_ms += self.pick((0, 0, 1, 5))

    def overtake(self) -> None:
        """A node connects twice, and its older link breaks before its server may know of that."""
        node = self._machine()
        self._add(act.DuplicateNode, node, self.pick(_SECONDS))
        self._now_ms += self.pick((200, 500, 1000, 1500))
        self._add(act.BreakLink, node, self.pick((act.Break.AT_SERVER, act.Break.AT_NODE)))

    def revive(self) -> None:
        """A node has expired for a moment."""
        node = self._machine()
        self._add(act.Expire, node, 1, self._replica())
        self._now_ms += self.pick((900, 1100, 1300, 1900))
        self._add(act.Expire, node, 0, self._replica())

    def call(self) -> None:
        operation = self.operation(START_MS + self._now_ms)
        self.learn([operation])
        self._add(act.Call, operation, self._replica())

    def query_state(self) -> None:
        self._add(act.Call, CheckState(self._machine()), self._replica())

    def unregister(self) -> None:
        if self.pick((True, False)):
            self._add(act.Call, Unregister(self._machine()), self._replica())

    def expire(self) -> None:
        """A node will expire, or is revived."""
        self._add(act.Expire, self._machine(), self.pick(_EXPIRIES_S), self._replica())

    def switch(self) -> None:
        """A machine is switched off, permanently or for a moment."""
        node = self._machine()
        self._add(act.SwitchOff, node, self.pick((True, False)))
        if self.pick((True, True, False)):
            self.pause()
            self._add(act.SwitchOn, node)

    def duplicate(self) -> None:
        self._add(act.DuplicateNode, self._machine(), self.pick(_SECONDS))

    def partition(self) -> None:
        """Some machines are cut off, or all of them."""
        some = dict.fromkeys(self._machine() for _ in range(self.pick((1, 1, 2, 5))))
        self._add(act.Partition, tuple(some), self.pick(_SECONDS))

    def break_link(self) -> None:
        self._add(act.BreakLink, self._machine(), self.pick(tuple(act.Break)))

    def reconnect(self) -> None:
        self._add(act.BreakLink, self._machine(), act.Break.AT_NODE)

    def traffic(self) -> None:
        """Packets, now and then to a machine that reads nothing."""
        sender, receiver = self._machine(), self._machine()
        if self.pick((True, False, False)):
            self._add(act.StopReading, receiver, self.pick(_SECONDS))
        self._add(act.SendPackets, sender, receiver, self.pick((1, 3, 20)), self.pick(_SIZES_BYTES))

    def end_server(self) -> None:
        match self.pick(range(4)):
            case 0:
                self._add(KillServer, self.pick(_DOWN_S), self._server())
            case 1:
                self._add(RestartServer, self.pick(_DOWN_S), self._server())
            case _:
                at_step, keep, seed = self.pick(_STEPS), self.pick(_KEPT), self.pick(range(1000))
                self._add(CutPower, at_step, keep, seed, self.pick(_DOWN_S), self._server())
                self.pick((ClusterWorkload.call, ClusterWorkload.reconnect))(self)

    def trouble_disk(self) -> None:
        """The disk is full, and a link changes meanwhile; or a sync fails."""
        if self.pick((True, True, False)):
            if self.pick((True, False)):
                self.call()
                self._now_ms += 1  # while the disk works for it
            self._add(FillDisk, self.pick(_SECONDS), self._server())
            self.pause()
            self.switch()
        else:
            self._add(FailSync, self.pick(_STEPS), self._server())
            self.call()

    def quarrel(self) -> None:
        """Servers do not reach each other, or the log, or only late; many clients ask meanwhile."""
        seconds, replica = self.pick(_SECONDS), self._replica()
        self._add(Ask, self.pick(_ASKING_S))
        self._now_ms += self.pick(_PAUSES_MS[:7])
        match self.pick(range(8)):
            case 0:
                self._add(Cut, seconds, replica, LOG)
            case 1 | 2:
                both = self.pick((True, False))
                self._add(Cut, seconds, replica, replica + self.pick((1, 2)), both)
            case 3 | 4:
                for other in (LOG, *range(replica + 1, replica + SERVERS)):
                    self._add(Cut, seconds, replica, other)
            case 5 | 6:
                self._add(TroubleAll, seconds, self.pick(tuple(Trouble)))
            case _:
                self._add(KillLeader, self.pick(_DOWN_S))

    def downgrade(self) -> None:
        """A server is older for a while, and the leader is to record what that does not know."""
        self._add(Downgrade, self.pick(_SECONDS), self._replica())
        for _ in range(2):
            self._now_ms += self.pick(_INVITED_AFTER_MS)
            self._add(Invite)

    def break_log(self) -> None:
        """The log loses its end, or a server is given other bytes of it, while clients ask."""
        self._add(Ask, self.pick(_ASKING_S))
        self.pause()
        if self.pick((True, False)):
            self._add(RewindLog, self.pick(_LOST_MESSAGES), self.pick((True, False)))
        else:
            self._add(ForkLog, self._replica())

    def chase(self) -> None:
        """A node comes to another server while others send to it; news may come late."""
        node, others = self._machine(), [self._machine(), self._machine()]
        if self.pick((True, False)):
            self._add(TroubleAll, self.pick(_SECONDS), Trouble.LATE_LOG)
        self._add(act.BreakLink, node, act.Break.AT_NODE)
        for _ in range(_CHASES):
            for other in others:
                self._add(act.SendPackets, other, node, 1, self.pick(_SIZES_BYTES))
            self._now_ms += self.pick((20, 50, 200))

    def forge(self) -> None:
        for replica in range(SERVERS):
            self._add(act.Forge, self._machine(), replica)

    def set_clock(self) -> None:
        self._add(act.SetClock, self.pick(_JUMPS_MS))


_RULES: Final = (
    *[ClusterWorkload.join] * 2,
    *[ClusterWorkload.call] * 2,
    ClusterWorkload.query_state,
    ClusterWorkload.unregister,
    *[ClusterWorkload.expire] * 2,
    *[ClusterWorkload.switch] * 2,
    ClusterWorkload.duplicate,
    ClusterWorkload.partition,
    *[ClusterWorkload.break_link] * 2,
    *[ClusterWorkload.traffic] * 2,
    ClusterWorkload.end_server,
    ClusterWorkload.trouble_disk,
    ClusterWorkload.set_clock,
)

_RULES_OF_SEVERAL: Final = (
    *(rule for rule in _RULES if rule is not ClusterWorkload.trouble_disk),
    ClusterWorkload.race,
    ClusterWorkload.revive,
    ClusterWorkload.overtake,
    *[ClusterWorkload.quarrel] * 3,
    ClusterWorkload.downgrade,
    ClusterWorkload.chase,
    ClusterWorkload.forge,
)
