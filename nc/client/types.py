"""What calls give: small frozen dataclasses, with the names of the messages in proto/nc/admin/v1.

Times are `datetime` in UTC; None means never, or not known. Texts are as they were written,
by other machines too: pass them through `nc.text.printable` before a terminal gets them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NodeState(StrEnum):
    UNKNOWN = "UNKNOWN"  # what a newer server calls otherwise
    IDLE = "IDLE"
    INIT = "INIT"
    CONNECTED = "CONNECTED"


class NodeOrder(StrEnum):
    NAME = "name"
    ADDRESS = "address"
    REGISTERED = "registered"
    STATE_SINCE = "state-since"
    EXPIRY = "expiry"
    CERTIFICATES_END = "certificates-end"
    LINKS = "links"


class Role(StrEnum):
    UNKNOWN = "unknown"
    ADMIN = "admin"  # may do everything
    VIEWER = "viewer"  # may read everything


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a machine says of itself; every field may be empty."""

    hostname: str
    os: str
    architecture: str
    agent_version: str
    peer_address: str


@dataclass(frozen=True, slots=True)
class Link:
    """Counters since the link was opened; "in" is from the node, `dropped` is by reason."""

    link_id: str
    peer: str
    opened_at: datetime | None
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Node:
    """A node; `address` is empty while it has none, `link` is None unless this server has one."""

    id: str
    name: str
    labels: Mapping[str, str]
    note: str
    facts: NodeFacts
    state: NodeState
    state_since: datetime | None
    address: str
    address_assigned: bool
    registered_at: datetime | None
    token_id: str
    expires_at: datetime | None
    expired: bool
    certificates_end: datetime | None
    renewable: bool
    links: int
    link: Link | None


@dataclass(frozen=True, slots=True)
class NodeLink:
    """A link, and the node that it belongs to."""

    node_id: str
    name: str
    address: str
    state: NodeState
    link: Link


@dataclass(frozen=True, slots=True)
class StateOfNode:
    """The row of one node in `nodes.states`."""

    id: str
    name: str
    state: NodeState
    address: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The ids of the nodes that were registered again, and of those that still wait."""

    node_ids: tuple[str, ...]
    waiting_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BootstrapToken:
    """A bootstrap token by its id; a limit of 0 is none, `nodes` are those registered now."""

    id: str
    label: str
    issued_at: datetime | None
    expires_at: datetime | None
    expired: bool
    revoked: bool
    max_uses: int
    uses: int
    max_nodes: int
    nodes: int
    node_labels: Mapping[str, str]
    node_name_prefix: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new bootstrap token, which is shown once, and where a machine redeems it."""

    token: str
    issued: BootstrapToken
    host: str
    port: int
    ca_cert_hash: str

    def __repr__(self) -> str:
        return f"IssuedToken({self.issued.id})"


@dataclass(frozen=True, slots=True)
class Administrator:
    """A client certificate for an operator; `self` is the one of the call."""

    name: str
    role: Role
    serial: str
    issued_at: datetime | None
    certificate_ends: datetime | None
    revoked: bool
    revoked_at: datetime | None
    installed: bool
    self: bool


@dataclass(frozen=True, slots=True)
class IssuedAdministrator:
    """A new certificate, PEM; the key only if the server made it."""

    administrator: Administrator
    ca_pem: str
    certificate_pem: str
    key_pem: str

    def __repr__(self) -> str:
        return f"IssuedAdministrator({self.administrator.name})"


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event, and who caused it when through what.

    Attributes:
        kind: `node_registered`; docs/events.md has them all.
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
    """How a server is; `degraded` are sentences that say what is wrong and what to do."""

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
