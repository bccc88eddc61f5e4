"""A call as its transport has it, and what the edge keeps of it until its end."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from nc.domain.state import State
from nc.rpc.admission import Admission, Pool
from nc.rpc.api import Call
from nc.rpc.call_counts import MethodCounts
from nc.rpc.methods import Method, StreamMethod
from nc.rpc.queue.binding import Metadata


class WireCall(Protocol):
    """A call as its transport has it; see `nc.rpc.queue.call.ServerCall`."""

    path: bytes
    metadata: Metadata
    deadline: float
    pool: Any
    party: Any
    context: Any
    trailing: Any
    status: int | None

    def peer(self) -> str: ...

    def certificate(self) -> bytes | None: ...

    def vouch(self) -> None: ...

    def reply(self, message: bytes) -> None: ...

    def refuse(self, code: int, details: str) -> None: ...


class Served(NamedTuple):
    """What a port has at a path.

    Attributes:
        method: None if there is none.
        pools: which has places for a call of an administrator, and which for another's.
        takes_tokens: see `Method.takes_tokens`.
    """

    method: Method | StreamMethod | None
    name: str
    counts: MethodCounts
    pools: tuple[Pool, Pool] | None = None
    takes_tokens: bool = False


def served_by(method: Method | StreamMethod, counts: MethodCounts, admission: Admission) -> Served:
    if isinstance(method, StreamMethod):
        pool = admission.watches if method.is_watch else admission.streams
        return Served(method, method.name, counts, (pool, pool))
    pools = admission.administrators, admission.health if method.is_health else admission.others
    return Served(method, method.name, counts, pools, method.takes_tokens)


@dataclass(slots=True)
class Record(Call):
    """What the edge keeps of a call."""

    served: Served
    allowed_in: State | None = None  # the state in which it was last allowed
    place: Pool | None = None  # where it has one
    code: str = ""  # what it was answered with, unless that is a status
    message: str = ""
    denied_so_far: int = 0
