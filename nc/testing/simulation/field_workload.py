"""A day in the field, drawn from a seed: clocks step, wrong servers answer, folders vanish.

Machines join first, while all is well. What goes wrong is put right again after seconds or many
minutes, so that faults overlap; programs start while clocks are wrong and folders are gone.
"""

from typing import Final

from nc.testing.contract.operations import IssueToken, Unregister
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation import actions as act
from nc.testing.simulation.data import Part
from nc.testing.simulation.faults import LoseData, LoseFolder, Misdirect, StepClock
from nc.testing.simulation.network import WrongServer
from nc.testing.simulation.outages import KillServer, RestartServer
from nc.testing.simulation.workload import ClusterWorkload

DAY_S: Final = 24 * 3600

_NODES: Final = 7
_NETWORK: Final = "10.1.1.1/24"
_PAUSES_MS: Final = (0, 1000, 20_000, 70_000, 300_000, 600_000, 1_000_000)
_SECONDS: Final = (1, 20, 70, 300, 900)
_SECOND_MS: Final = 1000
_YEAR_MS: Final = 365 * 24 * 3_600_000
_STEPS_MS: Final = tuple(
    sign * size_ms
    for size_ms in (_SECOND_MS, 60_000, 3_600_000, 24 * 3_600_000, _YEAR_MS, 20 * _YEAR_MS)
    for sign in (1, -1)
)
_MINUTES: Final = (1, 60, 365 * 24 * 60)  # of bootstrap tokens
_LOST: Final = (
    (Part.LOG,),
    (Part.CERTIFICATES,),
    (Part.SECRET_KEY,),
    (Part.LOG, Part.SECRET_KEY),
    (Part.LOG, Part.CERTIFICATES),
)


def draw_day(seed: int, seconds: int = DAY_S) -> act.Plan:
    """So many seconds in the field."""
    day = FieldWorkload(SeededRandom(("day", seed)).pick, is_shared=False)
    return act.Plan(seed, _NETWORK, False, day.draw(seconds))


class FieldWorkload(ClusterWorkload):
    """Draws faults, each with an end, and what goes on meanwhile."""

    def draw(self, seconds: int) -> tuple[act.Action, ...]:
        for _ in range(_NODES):
            self.join()
            self._now_ms += 1000
        for _ in range(len(_MINUTES)):
            self.issue_token()
        self._now_ms += 10_000
        while self._now_ms < seconds * 1000:
            self._now_ms += self.pick(_PAUSES_MS)
            self.pick(_RULES)(self)
        return tuple(self.actions)

    def issue_token(self) -> None:
        operation = IssueToken(self.fresh("token"), self.pick(_MINUTES))
        self._add(act.Call, operation, 0)

    def unregister_one(self) -> None:
        """The last node leaves for good, once."""
        if len(self.nodes) == _NODES:
            self._add(act.Call, Unregister(self.nodes.pop()), 0)

    def step_machine_clock(self) -> None:
        node = self._machine()
        self._add(StepClock, self.pick(_SECONDS), node, self.pick(_STEPS_MS))
        self._perhaps_start(node)

    def step_server_clock(self) -> None:
        self._add(StepClock, self.pick(_SECONDS), None, self.pick(_STEPS_MS))
        if self.pick((True, False)):
            self._now_ms += self.pick((100, 5000))
            self.pick((self.stop_server, self.issue_token, self.break_link))()

    def misdirect(self) -> None:
        self._add(Misdirect, self.pick(_SECONDS), self.pick(tuple(WrongServer)))

    def lose_data(self) -> None:
        self._add(LoseData, self.pick(_SECONDS), self.pick(_LOST))

    def lose_folder(self) -> None:
        node = self._machine()
        self._add(LoseFolder, self.pick(_SECONDS), node)
        self._perhaps_start(node)

    def stop_server(self) -> None:
        self._add(self.pick((KillServer, RestartServer)), self.pick((0, 5, 30)))

    def switch(self) -> None:
        node = self._machine()
        self._add(act.SwitchOff, node, self.pick((True, False)))
        self._now_ms += self.pick((0, 1000, 20_000))
        self._add(act.SwitchOn, node)

    def _perhaps_start(self, node: str) -> None:
        """What is wrong is so at an agent's start, or breaks its link, or neither."""
        self._now_ms += self.pick((100, 5000))
        match self.pick(range(3)):
            case 0:
                self._add(act.SwitchOff, node, False)
                self._add(act.SwitchOn, node)
            case 1:
                self._add(act.BreakLink, node, act.Break.AT_NODE)


_RULES: Final = (
    *[FieldWorkload.step_machine_clock] * 3,
    *[FieldWorkload.step_server_clock] * 3,
    *[FieldWorkload.misdirect] * 2,
    FieldWorkload.lose_data,
    *[FieldWorkload.lose_folder] * 2,
    FieldWorkload.issue_token,
    FieldWorkload.unregister_one,
    FieldWorkload.switch,
    FieldWorkload.break_link,
    FieldWorkload.partition,
    FieldWorkload.stop_server,
)
