"""A workload: what may happen in a cluster's life, drawn from a seed.

Mostly one thing at a time, now and then many at once; short rests mostly, long ones now and then,
so that what takes a minute (silence, a wait before the next try) is sometimes over when something
else happens, and sometimes not.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from nc.testing import choices
from nc.testing.chance import SeededRandom
from nc.testing.choices import Known
from nc.testing.operations import CheckState, GetAddress, Unregister
from nc.testing.simulation.acts import (
    Act,
    Break,
    BreakLink,
    Call,
    DuplicateNode,
    Expire,
    FailSync,
    FillDisk,
    Join,
    Kill,
    Partition,
    Plan,
    PowerCut,
    Restart,
    SendPackets,
    SetClock,
    StopReading,
    SwitchOff,
    SwitchOn,
)
from nc.testing.targets.in_process import START_MS

T = TypeVar("T")

DEFAULT_ACTS: Final = 40

_NETWORKS: Final = ("10.1.1.1/24", "10.1.1.1/24", "10.1.1.1/28")
_SHARED: Final = (False, False, False, True)
_RESTS_MS: Final = (0, 0, 5, 30, 200, 1000, 1000, 5000, 20_000, 70_000)
_SECONDS: Final = (1, 3, 10, 30, 70, 100)
_DOWN_S: Final = (0, 1, 5, 30, 90)
_DAY_MS: Final = 25 * 3_600_000  # after which expired tokens are forgotten
_JUMPS_MS: Final = (1, 1000, 60_000, 3_600_000, _DAY_MS, -1000, -60_000, -3_600_000)
_EXPIRIES_S: Final = (-1, 1, 5, 30, 0, 0)
_KEPT: Final = (0.0, 0.5, 1.0)
_STEPS: Final = range(12)
_AT_FIRST: Final = (1, 2, 3, 4)
_MOST_NODES: Final = 9
_SIZES_BYTES: Final = (28, 1400, 1400, 60_000)


def draw(seed: int, acts: int = DEFAULT_ACTS, *, is_shared: bool | None = None) -> Plan:
    """A cluster's life.

    Args:
        seed: equal seeds give equal lives.
        acts: how many, after the first machines have joined.
        is_shared: whether two servers share a log; drawn without.
    """
    drawing = _Drawing(seed)
    drawing.is_shared = drawing.pick(_SHARED) if is_shared is None else is_shared
    network = drawing.pick(_NETWORKS)
    happens = _WHAT_TO_TWO if drawing.is_shared else _WHAT
    for _ in range(drawing.pick(_AT_FIRST)):
        drawing.join()
    for _ in range(acts):
        drawing.rest()
        drawing.pick(happens)(drawing)
    return Plan(seed, network, drawing.is_shared, tuple(drawing.acts))


class _Drawing:
    """What was drawn so far."""

    def __init__(self, seed: int) -> None:
        self._chance = SeededRandom(("workload", seed))
        self.is_shared = False
        self._known = Known()
        self.now_ms = 1000
        self.acts: list[Act] = []

    def pick(self, options: Sequence[T], /) -> T:
        """One of them."""
        return options[int(self._chance.random() * len(options))]

    def rest(self) -> None:
        """Some time passes."""
        self.now_ms += self.pick(_RESTS_MS)

    def node(self) -> str:
        """One of the machines."""
        return self.pick(self._known.nodes)

    def add(self, kind: Callable[..., Act], *fields: Any) -> None:
        """This happens now."""
        self.acts.append(kind(self.now_ms, *fields))

    def join(self) -> None:
        """A machine joins, while there are not too many."""
        if len(self._known.nodes) < _MOST_NODES:
            node = self._known.fresh("node")
            self._known.nodes.append(node)
            self._known.tokens.append(f"token of {node}")
            self.add(Join, node, self.replica())

    def replica(self) -> int:
        """Which of two is meant."""
        return self.pick((0, 1))

    def one(self) -> int:
        """Which server something happens to."""
        return self.replica() if self.is_shared else 0

    def race(self) -> None:
        """Both servers are asked to change a node, while it may be on its way to either."""
        node = self.node()
        if self.pick((True, False)):
            self.add(BreakLink, node, self.pick(tuple(Break)))
            self.now_ms += self.pick((0, 5, 30, 200))
        for replica in (0, 1):
            if self.pick((True, True, False)):
                self.add(Expire, node, self.pick(_EXPIRIES_S), replica)
            else:
                asked = self.pick((CheckState, GetAddress, Unregister))
                self.add(Call, asked(node), replica)
            self.now_ms += self.pick((0, 0, 1, 5))

    def overtake(self) -> None:
        """A node is there once more, and its older link breaks before its server may know of it."""
        node = self.node()
        self.add(DuplicateNode, node, self.pick(_SECONDS))
        self.now_ms += self.pick((200, 500, 1000, 1500))
        self.add(BreakLink, node, self.pick((Break.AT_SERVER, Break.AT_NODE)))

    def revive(self) -> None:
        """A node's time is over for a moment."""
        node = self.node()
        self.add(Expire, node, 1, self.replica())
        self.now_ms += self.pick((900, 1100, 1300, 1900))
        self.add(Expire, node, 0, self.replica())

    def call(self) -> None:
        """Somebody asks for anything."""
        now_ms = START_MS + self.now_ms
        operation = choices.operation(
            self.pick, self._known, now_ms, with_links=False, with_sweep=False
        )
        self._known.learn([operation])
        self.add(Call, operation, self.replica())

    def query(self) -> None:
        """Somebody asks how a node is."""
        self.add(Call, CheckState(self.node()), self.replica())

    def unregister(self) -> None:
        """A node leaves; now and then."""
        if self.pick((True, False)):
            self.add(Call, Unregister(self.node()), self.replica())

    def expire(self) -> None:
        """A node's time will come, or it is revived."""
        self.add(Expire, self.node(), self.pick(_EXPIRIES_S), self.replica())

    def switch(self) -> None:
        """A machine is switched off, perhaps for ever, perhaps for a moment."""
        node = self.node()
        self.add(SwitchOff, node, self.pick((True, False)))
        if self.pick((True, True, False)):
            self.rest()
            self.add(SwitchOn, node)

    def twin(self) -> None:
        """A node is there twice."""
        self.add(DuplicateNode, self.node(), self.pick(_SECONDS))

    def partition(self) -> None:
        """Some machines are cut off, or all of them."""
        some = tuple(dict.fromkeys(self.node() for _ in range(self.pick((1, 1, 2, 5)))))
        self.add(Partition, some, self.pick(_SECONDS))

    def break_link(self) -> None:
        """A connection breaks."""
        self.add(BreakLink, self.node(), self.pick(tuple(Break)))

    def reconnect(self) -> None:
        """A machine comes back at once."""
        self.add(BreakLink, self.node(), Break.AT_NODE)

    def traffic(self) -> None:
        """Packets, perhaps to one who reads nothing."""
        sender, receiver = self.node(), self.node()
        if self.pick((True, False, False)):
            self.add(StopReading, receiver, self.pick(_SECONDS))
        self.add(SendPackets, sender, receiver, self.pick((1, 3, 20)), self.pick(_SIZES_BYTES))

    def server(self) -> None:
        """Something happens to the server."""
        match self.pick(range(4)):
            case 0:
                self.add(Kill, self.pick(_DOWN_S), self.one())
            case 1:
                self.add(Restart, self.pick(_DOWN_S), self.one())
            case _:
                self.add(
                    PowerCut,
                    self.pick(_STEPS),
                    self.pick(_KEPT),
                    self.pick(range(1000)),
                    self.pick(_DOWN_S),
                    self.one(),
                )
                self.pick((_Drawing.call, _Drawing.reconnect))(self)

    def disk(self) -> None:
        """Something happens to the disk, and to a link meanwhile."""
        if self.pick((True, True, False)):
            if self.pick((True, False)):
                self.call()
                self.now_ms += 1  # while the disk works for it
            self.add(FillDisk, self.pick(_SECONDS), self.one())
            self.rest()
            self.switch()
        else:
            self.add(FailSync, self.pick(_STEPS), self.one())
            self.call()

    def clock(self) -> None:
        """Clocks are set."""
        self.add(SetClock, self.pick(_JUMPS_MS))


_WHAT: Final = (
    _Drawing.join,
    _Drawing.join,
    _Drawing.call,
    _Drawing.call,
    _Drawing.query,
    _Drawing.unregister,
    _Drawing.expire,
    _Drawing.expire,
    _Drawing.switch,
    _Drawing.switch,
    _Drawing.twin,
    _Drawing.partition,
    _Drawing.break_link,
    _Drawing.break_link,
    _Drawing.traffic,
    _Drawing.traffic,
    _Drawing.server,
    _Drawing.disk,
    _Drawing.clock,
)

_WHAT_TO_TWO: Final = (*_WHAT, _Drawing.race, _Drawing.revive, _Drawing.overtake)
