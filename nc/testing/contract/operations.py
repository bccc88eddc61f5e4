"""Operations: requests to a network controller, and events that happen to it.

Tokens, nodes and links have names here (`token 1`, `node 2`, `link 3`), which a target turns into
the real ones that it was given: so a history reads the same for every target. A text that is no
name is sent as it is, which is how a wrong token is spelled.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

ADMIN = "admin"  # as a caller: the administrator's certificate

SERVER_NODE = "reserverd"  # the node token that stands for the server itself, spelled so


class Port(Enum):
    """Which gRPC port a call goes through."""

    CONTROL = "control port"
    BOOTSTRAP = "bootstrap port"


@dataclass(frozen=True, slots=True)
class IssueToken:
    """GetBootStrapToken."""

    token: str  # the name that it gets
    minutes: int  # 0: the default; negative: for ever
    caller: str = ADMIN


@dataclass(frozen=True, slots=True)
class Redeem:
    """GetToken."""

    token: str
    node: str  # the name that the new node gets
    port: Port = Port.BOOTSTRAP
    caller: str = ADMIN  # on the control port


@dataclass(frozen=True, slots=True)
class CheckState:
    """CheckConnState."""

    node: str
    caller: str = ADMIN


@dataclass(frozen=True, slots=True)
class GetAddress:
    """GetRegistedIp."""

    node: str
    caller: str = ADMIN


@dataclass(frozen=True, slots=True)
class Unregister:
    """UnRegister."""

    node: str
    caller: str = ADMIN


@dataclass(frozen=True, slots=True)
class SetExpiries:
    """UpdateSensorExpireTime."""

    expiries: tuple[tuple[str, int], ...]  # node, and Unix seconds or 0 for never
    caller: str = ADMIN


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """HealthCheck."""

    port: Port = Port.CONTROL


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A node's link is accepted."""

    node: str
    link: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """A node sends its handshake on its link, and gets its address."""

    node: str
    link: str


@dataclass(frozen=True, slots=True)
class CloseLink:
    """A node closes its link."""

    node: str
    link: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """The server sweeps expired nodes and tokens; in real time it also does so by itself."""


Query: TypeAlias = CheckState | GetAddress | CheckHealth
LinkOperation: TypeAlias = OpenLink | Handshake | CloseLink
Operation: TypeAlias = (
    IssueToken | Redeem | Unregister | SetExpiries | Sweep | Query | LinkOperation
)


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes; a negative value sets the clock back, where the target allows it."""

    ms: int


@dataclass(frozen=True, slots=True)
class Restart:
    """The process stops cleanly, and starts again."""

    network: str = ""  # another overlay network from now on; "" for the same


@dataclass(frozen=True, slots=True)
class Crash:
    """The process ends while operations are under way, and starts again.

    A real process is killed; on a simulated disk the power fails, too, and what was not synced is
    kept or lost by chance.
    """

    at_step: int = 0  # how much of what is under way still happens
    keep: float = 0.0  # the share of what was not synced that is kept
    seed: int = 0  # of the chance


Happening: TypeAlias = Wait | Restart | Crash
