"""The actions of a simulated cluster; a plan is a list of them, each with its time.

An action names what it is about (`node 3`), so that any action can be left out and the rest still
means something: that is how a plan is made smaller. An action about something that is not there
does nothing.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from nc.testing.contract import operations as ops


class Break(Enum):
    """How a connection breaks."""

    SILENTLY = "neither side learns of it"
    AT_SERVER = "the server learns of it first"
    AT_NODE = "the node learns of it first"


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happens at a time; `replica` is the server that is meant, of two."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Join(Action):
    """A token is issued and redeemed, and the new machine's agent starts."""

    node: str
    replica: int = 0


@dataclass(frozen=True, slots=True)
class Call(Action):
    """A client calls."""

    operation: ops.Call
    replica: int = 0


@dataclass(frozen=True, slots=True)
class Expire(Action):
    """A node's token expires so many seconds from then on; 0: never."""

    node: str
    in_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class SwitchOff(Action):
    """A machine is switched off; silently, as when its power fails: no peer learns of it."""

    node: str
    silently: bool


@dataclass(frozen=True, slots=True)
class SwitchOn(Action):
    """A machine's agent starts."""

    node: str


@dataclass(frozen=True, slots=True)
class DuplicateNode(Action):
    """Another machine is the same node for a while, as after a copy of its disk."""

    node: str
    for_s: int


@dataclass(frozen=True, slots=True)
class Partition(Action):
    """The network between these machines and all servers is down for a while."""

    nodes: tuple[str, ...]
    for_s: int


@dataclass(frozen=True, slots=True)
class BreakLink(Action):
    """A machine's connection breaks."""

    node: str
    how: Break


@dataclass(frozen=True, slots=True)
class StopReading(Action):
    """A machine reads nothing for a while."""

    node: str
    for_s: int


@dataclass(frozen=True, slots=True)
class SendPackets(Action):
    """One machine sends to another."""

    node: str
    to: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CutPower(Action):
    """A server's power fails at so many steps of its disk from then on, or a second later."""

    at_step: int
    keep: float  # the share of what was not synced that is kept
    seed: int  # of the chance in it
    down_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class KillServer(Action):
    """A server's process ends at once; its kernel closes its connections."""

    down_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class RestartServer(Action):
    """A server stops cleanly, and starts again."""

    down_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class SetClock(Action):
    """Clocks jump, forwards or back."""

    by_ms: int


@dataclass(frozen=True, slots=True)
class FillDisk(Action):
    """A server's disk is full for a while."""

    for_s: int
    replica: int = 0


@dataclass(frozen=True, slots=True)
class FailSync(Action):
    """One of the next syncs of a server's disk fails; of a log in memory, its next append."""

    in_steps: int  # of a log in memory: odd, what it was to write is there all the same
    replica: int = 0


class WrongServer(Enum):
    """What answers at the server's address for a while."""

    OTHER_CA = "a server with another CA"
    EMPTY_LOG = "a server with the same CA and an empty log"
    CLOSED_PORT = "a machine without a server"
    SILENT = "nothing"


class Part(Enum):
    """A part of the server's data; each may be a volume of its own."""

    LOG = "the log"
    SECRET_KEY = "the secret key"  # noqa: S105 - a file's name
    CERTIFICATES = "the certificates"


@dataclass(frozen=True, slots=True)
class Fault(Action):
    """Something in the field is wrong for a while, and then right again."""

    for_s: int


@dataclass(frozen=True, slots=True)
class StepClock(Fault):
    """A machine's clock is wrong by so much; `node` None: the server's."""

    node: str | None
    by_ms: int


@dataclass(frozen=True, slots=True)
class Misdirect(Fault):
    """The server's name leads elsewhere, and every link breaks."""

    to: WrongServer


@dataclass(frozen=True, slots=True)
class LoseData(Fault):
    """The server's machine starts anew, without some of the server's data."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class LoseFolder(Fault):
    """An agent's state folder is gone."""

    node: str


class Plan(NamedTuple):
    """A cluster's life.

    Attributes:
        seed: of all chance that is not in the actions.
        network: the overlay network.
        is_shared: whether there is a second server on the same log; it is in memory then.
        actions: in their order.
    """

    seed: int
    network: str
    is_shared: bool
    actions: tuple[Action, ...]
