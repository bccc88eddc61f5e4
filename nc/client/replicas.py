"""What a server tells of those that share its log; typed as in `nc.client.types`."""

import shlex
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nc.text import host_port


class ReplicaState(StrEnum):
    UNKNOWN = "unknown"
    RUNNING = "running"
    STOPPED = "stopped"  # or lost: see Replica.lost
    REMOVED = "removed"


class ReplicaRole(StrEnum):
    UNKNOWN = "unknown"
    LEADER = "leader"
    FOLLOWER = "follower"


@dataclass(frozen=True, slots=True)
class Replica:
    """A server of those that share a log; `self` is the one that answers.

    Attributes:
        sessions: those of it that have not ended.
        since: when it started last, or was removed.
        ended: when one that is stopped did, or was lost; None: it runs, or that is not known.
        lost: whether it ended without saying so: it crashed, was killed, or was not heard.
        links: of nodes, that it holds.
        role, address, level, lag_events: None where the server that answers does not know them.
    """

    id: str
    state: ReplicaState
    sessions: tuple[str, ...]
    version: str
    since: datetime | None
    self: bool
    role: ReplicaRole | None
    address: str | None
    level: int | None
    lag_events: int | None
    links: int
    ended: datetime | None
    lost: bool


@dataclass(frozen=True, slots=True)
class LostReplica:
    """One of several servers, which ended without a stop; `since` is None if that is not known."""

    id: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ReplicaInvitation:
    """An invitation for one further server; `replica_id` is empty until it is redeemed."""

    id: str
    issued_at: datetime | None
    expires_at: datetime | None
    expired: bool
    replica_id: str
    peer_address: str
    redeemed_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedInvitation:
    """A new invitation; the code is worth every key of the cluster until it is redeemed."""

    code: str
    issued: ReplicaInvitation
    host: str
    port: int
    ca_cert_hash: str
    cluster: str

    @property
    def invitation(self) -> str:
        """`CODE@IP:PORT`, a secret."""
        return f"{self.code}@{host_port(self.host, self.port)}"

    @property
    def serve_command(self) -> str:
        """The command line that makes another machine a replica, in the usual data folder.

        Others reach it at its address on its default route, unless `--advertise` is added.
        """
        words = ["network-controller", "serve", "--cluster", self.cluster]
        words += ["--invite", self.invitation, "--ca-cert-hash", self.ca_cert_hash]
        return shlex.join(words)

    def __repr__(self) -> str:
        return f"IssuedInvitation({self.issued.id})"
