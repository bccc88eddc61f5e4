"""The parts that a server is put together from: with other parts it is the same server.

The program opens a data folder and real ports (`nc.server.installation`); a simulation brings a
clock that it moves, a log in memory and a network of its own. A server assumes no thread, no socket
and no particular event loop: what blocks goes through `run_blocking`.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple, Protocol

from structlog.typing import FilteringBoundLogger

from eventlog import AsyncLog
from eventlog.offloop import RunBlocking
from nc.clock import Clock
from nc.domain.administrators import InstallAdministrator
from nc.domain.levels import LEVEL
from nc.domain.limits import DEFAULT_LIMITS, NodeLimits
from nc.domain.network import Network
from nc.errors import OperatorError
from nc.hub.limits import Limits
from nc.hub.switch import Switch
from nc.metrics.sources import OpenMetrics
from nc.pki.certificates import NODE_LIFETIME
from nc.replica.digests import DIGEST_EVENTS
from nc.replica.local_log import in_thread
from nc.replica.snapshots import SNAPSHOT_TAIL_EVENTS
from nc.rpc.admin.server import CertificateFacts
from nc.rpc.api import Authorities, Inviting
from nc.rpc.call_lines import LogCalls
from nc.rpc.callers import Callers, Transport
from nc.rpc.edge import Edge
from nc.rpc.methods import Methods
from nc.rpc.replication.line import OpenLine
from nc.secrets import Secrets, TokenIds

# The longest that the link of an expired node outlives it.
SWEEP_INTERVAL_S = 1.0


class RpcPorts(Protocol):
    """The control port and the bootstrap port: where calls come in."""

    def open(self, methods: Methods, edge_of: Callable[[Transport], Edge]) -> tuple[int, int]:
        """Take both ports, to be served from `start` on; returns the numbers of control, bootstrap.

        Args:
            methods: what can be called, by path.
            edge_of: makes the edge of a port that is secured in this way.

        Raises:
            PortUnavailable: another program has one, or it may not be had.
        """

    async def start(self) -> Mapping[str, asyncio.Task[None]]:
        """Begin to answer; returns the tasks that no call can do without."""

    def set_serving(self, *, serving: bool) -> None:
        """Set what health checks answer."""

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls; those under way may finish within the grace."""


# A passing lack (descriptors, memory, room) or a mistake of the operator's: reported, tried again.
PASSING_FAILURES: tuple[type[Exception], ...] = (OSError, MemoryError, OperatorError)


KeepUplink = Callable[[], Awaitable[None]]
OpenUplink = Callable[[Switch], AbstractAsyncContextManager[KeepUplink | None]]


class Job(NamedTuple):
    """Work that is repeated for as long as the server runs.

    A `PASSING_FAILURES` is reported and the job runs again in its time; any other exception is a
    bug, and ends the server.
    """

    name: str
    interval_s: float
    run: Callable[[], Awaitable[None]]


# Gives the context for a connection to another server, by this one's session; None for plain text.
PeerTls = Callable[[str], ssl.SSLContext | None]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a server needs to be one of several on one log.

    Attributes:
        records: how many records and markers are known of the log.
        open_line: calls another server, at the address of its control port.
        peer_tls: of connections between hubs; None: there are none.
    """

    records: Callable[[], int]
    open_line: OpenLine
    peer_tls: PeerTls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a server is made of; its maker closes what it opened, after the server has stopped.

    Attributes:
        name: the replica's, in the log.
        log: where events are.
        cluster: if this is one of several servers.
        level: which kinds of events this server says it knows.
        shares_log: whether other servers use the same log.
        stream: which keeps the log, if one does.
        log_problem: what is wrong with the log's place at the moment, or "".
        follows_log: whether what others append is read as it comes, not only at an append.
        network: the overlay network.
        token_ids: recognise tokens; the same key for the whole life of the log.
        authorities: sign nodes' certificates.
        callers: recognise certificates.
        advertised: the IP addresses or names where the server is reached; answers give clients the
            first, and the link tells our agents all of them.
        rpc_ports: where calls come in.
        log_calls: gets the log lines of calls; None: they go to `logger`.
        listen_for_links: opens the link port.
        link_tls: the link port's TLS context, asked for with each connection; None is plain text.
        run_blocking: runs what blocks for the disk.
        append_on_loop: whether appends may block the event loop (`nc.replica.local_log`).
        interconnection: whether nodes may reach each other.
        allow_destination: what nodes may reach beyond the network, through the server.
        guesses_a_second: wrong tokens of one address; 0: as many as it likes.
        node_limits: how many nodes there may be, and when they lose their addresses.
        certificate_lifetime: of certificates that nodes renew.
        open_uplink: connects the switch to this machine's own network, and gives the background
            task that keeps it connected, if it needs one; None: it stays apart.
        open_metrics: serves the metrics; None: nobody reads them.
        report_path: the Unix socket that reports the links; None: there is none.
        jobs: work to be repeated, besides the sweep, and done after each step of the clock.
        inviting: what a machine is given that is to become a replica, or why it is given nothing.
        log_folder: where the log's files are; None: they are in no folder.
        installed: the administrator's certificate of the server's folder; None: there is none.
        certificate_facts: the server's own certificates, read from their files.
    """

    name: str
    log: AsyncLog
    network: Network
    token_ids: TokenIds
    authorities: Authorities
    clock: Clock
    secrets: Secrets
    logger: FilteringBoundLogger
    rpc_ports: RpcPorts
    listen_for_links: Callable[[], socket.socket]
    link_tls: Callable[[], ssl.SSLContext | None]
    advertised: tuple[str, ...]
    cluster: Cluster | None = None
    level: int = LEVEL
    shares_log: bool = False
    follows_log: bool = False
    stream: str = ""
    log_problem: Callable[[], str] = lambda: ""
    callers: Callers = field(default_factory=Callers)
    run_blocking: RunBlocking = in_thread
    append_on_loop: bool = True
    link_limits: Limits = field(default_factory=Limits)
    interconnection: bool = True
    allow_destination: tuple[IPv4Network, ...] = ()
    guesses_a_second: float = 0
    node_limits: NodeLimits = DEFAULT_LIMITS
    certificate_lifetime: timedelta = NODE_LIFETIME
    open_uplink: OpenUplink | None = None
    open_metrics: OpenMetrics | None = None
    report_path: Path | None = None
    jobs: tuple[Job, ...] = ()
    inviting: Inviting | str = "this server has no files that it could give to another one"
    log_folder: Path | None = None
    installed: Callable[[], InstallAdministrator | None] = lambda: None
    certificate_facts: Callable[[], Sequence[CertificateFacts]] = tuple
    log_calls: LogCalls | None = None
    sweep_interval_s: float = SWEEP_INTERVAL_S
    snapshot_tail_events: int = SNAPSHOT_TAIL_EVENTS
    digest_interval_events: int = DIGEST_EVENTS
