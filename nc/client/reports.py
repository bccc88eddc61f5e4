"""What a server tells of its log, its history and itself; typed as in `nc.client.types`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nc.client.replicas import LostReplica
from nc.client.types import BootstrapToken, Node, NodeState

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event, and who caused it when through what.

    Attributes:
        kind: `node_registered`; docs/reference/events.md has them all.
        node_id, node_name: of the node that it is about; empty if it is about none.
        event: the message, `nc.pb.events_pb2.Event`.
    """

    seq: int
    recorded_at_ns: int
    actor: str
    method: str
    request_id: str
    kind: str
    node_id: str
    node_name: str
    event: Any

    @property
    def recorded_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.recorded_at_ns // 1000)

    @property
    def fields(self) -> Any:
        """The event's own fields, such as `fields.reason`: the message of its kind."""
        return getattr(self.event, self.kind)


@dataclass(frozen=True, slots=True)
class Reason:
    """An event, and what it meant, a sentence."""

    event: LoggedEvent
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a node is in its state as of the event `seq`; the earliest reason first.

    Attributes:
        left_out: how many reasons are left out, behind the first ten.
    """

    node_id: str
    name: str
    state: NodeState
    address: str
    seq: int
    reasons: tuple[Reason, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class PastState:
    """The state after the event `seq`."""

    seq: int
    recorded_at: datetime | None
    network: str
    nodes: tuple[Node, ...]
    tokens: tuple[BootstrapToken, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that changed; `field` is empty when the subject as a whole came or went."""

    subject: str
    id: str
    name: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Differences:
    """What changed between two events; `more` are beyond those that the server lists."""

    from_seq: int
    to_seq: int
    differences: tuple[Difference, ...]
    more: int


@dataclass(frozen=True, slots=True)
class LogStatus:
    folder: str
    first_seq: int
    last_seq: int
    size_bytes: int
    free_bytes: int
    snapshot_seq: int
    writable: bool
    stream: str = ""  # which keeps it; in the folder is a copy then
    waits_for: str = ""  # what changes wait for; "": for nothing that is known


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """One of the server's own certificates; `renewed_from` is None where it cannot renew it."""

    authority: str
    kind: str
    file: str
    not_after: datetime | None
    renewed_from: datetime | None


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How a server is; `degraded` are sentences that say what is wrong and what to do.

    Attributes:
        out_of_touch_since: since when it may lack what other servers have; None: it does not.
    """

    version: str
    started_at: datetime | None
    now: datetime | None
    network: str
    advertised: str
    addresses_total: int
    addresses_bound: int
    nodes_idle: int
    nodes_init: int
    nodes_connected: int
    tokens: int
    log: LogStatus
    certificates: tuple[CertificateStatus, ...]
    degraded: tuple[str, ...]
    unrenewable_nodes: int
    replica_id: str
    tokens_expired: int
    tokens_revoked: int
    lost_replicas: tuple[LostReplica, ...] = ()
    advertised_names: tuple[str, ...] = ()
    out_of_touch_since: datetime | None = None
