"""What happens in a cluster's life: a plan is acts, each at its time.

An act names what it is about (`node 3`), so any of them can be left out and the rest still means
something: that is how a plan is made smaller. What is not there when an act comes is let be.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from nc.testing.operations import Operation


class Break(Enum):
    """How a connection breaks."""

    SILENTLY = "nobody is told"
    AT_SERVER = "the server is told first"
    AT_NODE = "the node is told first"


@dataclass(frozen=True, slots=True)
class Join:
    """A token is issued and redeemed, and the new machine's agent starts."""

    at_ms: int
    node: str
    replica: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody asks for something."""

    at_ms: int
    operation: Operation
    replica: int = 0  # which server is asked, where several share a log


@dataclass(frozen=True, slots=True)
class Expire:
    """A node's token expires so many seconds from then on; 0: never."""

    at_ms: int
    node: str
    in_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """A machine is off; silently: nobody is told, as when its power fails."""

    at_ms: int
    node: str
    silently: bool


@dataclass(frozen=True, slots=True)
class SwitchOn:
    """A machine's agent starts."""

    at_ms: int
    node: str


@dataclass(frozen=True, slots=True)
class DuplicateNode:
    """Another machine is the same node for a while, as after a copy of its disk."""

    at_ms: int
    node: str
    for_s: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Nothing comes through between these machines and any server for a while."""

    at_ms: int
    nodes: tuple[str, ...]
    for_s: int


@dataclass(frozen=True, slots=True)
class BreakLink:
    """A machine's connection breaks."""

    at_ms: int
    node: str
    how: Break


@dataclass(frozen=True, slots=True)
class StopReading:
    """A machine reads nothing for a while."""

    at_ms: int
    node: str
    for_s: int


@dataclass(frozen=True, slots=True)
class SendPackets:
    """One machine sends to another."""

    at_ms: int
    node: str
    to: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PowerCut:
    """A server's power fails at so many steps of its disk from then on, or a second later."""

    at_ms: int
    at_step: int
    keep: float  # the share of what was not synced that is kept
    seed: int  # of the chance in it
    down_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class Kill:
    """A server's process ends at once; its kernel tells the nodes."""

    at_ms: int
    down_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class Restart:
    """A server stops cleanly, and starts again."""

    at_ms: int
    down_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class SetClock:
    """Clocks jump, forwards or back."""

    at_ms: int
    by_ms: int


@dataclass(frozen=True, slots=True)
class FillDisk:
    """There is no room on a server's disk for a while."""

    at_ms: int
    for_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class FailSync:
    """One of the next syncs of a server's disk fails; of a log in memory, its next append."""

    at_ms: int
    in_steps: int  # of a log in memory: odd, what it was to write is there all the same
    replica: int = 0


Act: TypeAlias = (
    Join
    | Call
    | Expire
    | SwitchOff
    | SwitchOn
    | DuplicateNode
    | Partition
    | BreakLink
    | StopReading
    | SendPackets
    | PowerCut
    | Kill
    | Restart
    | SetClock
    | FillDisk
    | FailSync
)


class Plan(NamedTuple):
    """A cluster's life.

    Attributes:
        seed: of all chance that is not in the acts.
        network: the overlay network.
        is_shared: whether there is a second server on the same log; it is in memory then.
        acts: in their order.
    """

    seed: int
    network: str
    is_shared: bool
    acts: tuple[Act, ...]
