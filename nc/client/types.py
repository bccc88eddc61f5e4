"""What calls give: small frozen dataclasses, with the names of the messages in proto/nc/admin/v1.

Times are `datetime` in UTC; None means never, or not known. Texts are as they were written,
by other machines too: pass them through `nc.text.printable` before a terminal gets them.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from nc.text import host_port


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


# Texts that are taken for members, so that type checkers know them.
StateText: TypeAlias = Literal["IDLE", "INIT", "CONNECTED"]
OrderText: TypeAlias = Literal[
    "name", "address", "registered", "state-since", "expiry", "certificates-end", "links"
]
RoleText: TypeAlias = Literal["admin", "viewer"]


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
class PeerServer:
    """Another server of the network; counters since its session began, "in" is from there."""

    replica_id: str
    session: str
    address: str
    connected: bool
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
class WaitingNode:
    """What is known of a node that the log lacks; "" and None: it is not."""

    id: str
    hostname: str
    address: str
    peer_address: str
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The ids of the nodes that were registered again, and those that still wait."""

    node_ids: tuple[str, ...]
    waiting_ids: tuple[str, ...]
    waiting: tuple[WaitingNode, ...] = ()


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
class JoinAddress:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new bootstrap token, which is shown once, and where a machine redeems it."""

    token: str
    issued: BootstrapToken
    host: str
    port: int
    ca_cert_hash: str
    others: tuple[JoinAddress, ...] = ()  # of other servers with the same log

    @property
    def invitation(self) -> str:
        """The token and where to redeem it, in one word."""
        places = [host_port(self.host, self.port)]
        places += [host_port(each.host, each.port) for each in self.others]
        return f"{self.token}@{','.join(places)}"

    @property
    def join_command(self) -> str:
        """The command line that a machine joins with."""
        trust = ("--ca-cert-hash", self.ca_cert_hash) if self.ca_cert_hash else ("--plaintext",)
        return shlex.join(["network-controller", "join", self.invitation, *trust])

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
