"""The gRPC ports: what each serves, how it is secured, how it begins and ends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1.health_pb2 import HealthCheckResponse
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock
from nc.net.sockets import PortUnavailable
from nc.rpc.callers import Transport
from nc.rpc.edge import Edge
from nc.rpc.introspection import Health, standard_methods
from nc.rpc.methods import Method, Methods, StreamMethod
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.port import Port, PortTaken, Streaming, Unary
from nc.rpc.queue.server import QueueServer
from nc.rpc.queue.stream import Stream, StreamRefused
from nc.rpc.streams import RefusedWith
from nc.services import (
    ADMIN_SERVICES,
    BOOTSTRAP_SERVICE,
    CONTROL_SERVICE,
    INTERNAL_SERVICE,
    JOINING_SERVICE,
    NODE_SERVICE,
    REPLICA_SERVICE,
    path_of,
)

# The largest request is a list of expiries: 40,000 nodes fit. Everything else is a few bytes.
MAX_REQUEST_BYTES = 1024 * 1024
MAX_BOOTSTRAP_REQUEST_BYTES = 128 * 1024
MAX_METADATA_BYTES = 16 * 1024

# Calls under way on one connection: no client needs the whole port's share. gRPC's overload
# protection, which is on by default, also counts calls that have ended or were cancelled and whose
# memory is not free yet, and refuses new ones with UNAVAILABLE beyond that number. Without it, a
# connection that cancels its calls as fast as it begins them (CVE-2023-44487) fills the queue of
# waiting calls: 700 MB, and no call of others is answered. With it, a client that always keeps more
# than some 80% of this number under way has a few refused. Each takes up to 20 KB.
MAX_CALLS_A_CONNECTION = 250

# Calls that have arrived and wait for the event loop to take them up. From 1000 on gRPC would by
# default end some of them with CANCELLED, which clients do not retry; a fleet that restarts at once
# is more than that.
MAX_WAITING_CALLS = 32_768

# How much of a body gRPC takes before it is asked for: bodies of HEADERS-only calls cost no more.
_LOOKAHEAD_BYTES = 16 * 1024

# Connections of one port at once; further ones are closed. Each takes some 40 KB, and a descriptor.
MAX_CONNECTIONS = 20_000

# From so many connections of all ports on, the parties that have most lose some.
CROWDED_CONNECTIONS = MAX_CONNECTIONS * 3 // 4
_CROWDED_LINE_EVERY_NS = 10 * 1_000_000_000

_OPTIONS = (
    # Two servers on one port would silently share its calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", MAX_CALLS_A_CONNECTION),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.http2.lookahead_bytes", _LOOKAHEAD_BYTES),
    ("grpc.http2.bdp_probe", 0),  # it would raise the window
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),  # of a frame; see `nc.rpc.queue.floods`
    ("grpc.server.max_pending_requests", MAX_WAITING_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", MAX_WAITING_CALLS),
    # Home routers forget a silent TCP connection after minutes; a ping a minute keeps it known, and
    # finds out within 20 s that the other end is gone.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Nodes behind such routers ping us; gRPC would by default take that for an attack.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
)

# No connection stays for ever, so that none keeps what it once got; clients reconnect.
_CONTROL_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_connection_age_ms", 24 * 60 * 60 * 1000),
    ("grpc.max_connection_age_grace_ms", 60_000),
)

# The bootstrap port is open to every machine, and needed for one call of a few bytes: connections
# are short, and requests small.
_BOOTSTRAP_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_BOOTSTRAP_REQUEST_BYTES),
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.max_connection_age_grace_ms", 10_000),
)
_BOOTSTRAP_LIMITS = Limits(brought=1024 * 1024)


class Credentials:
    """A port's TLS identity; a replacement holds for every later handshake.

    Args:
        key_pem, certificate_pem: the server's own.
        client_ca_pem: the CA that client certificates must be signed by; None asks for none.
    """

    def __init__(self, key_pem: bytes, certificate_pem: bytes, client_ca_pem: bytes | None) -> None:
        self._client_ca_pem = client_ca_pem
        self._configuration = self._configure(key_pem, certificate_pem)
        self._replacement: Any = None  # that grpc has not been given yet

    def replace(self, key_pem: bytes, certificate_pem: bytes, client_ca_pem: bytes | None) -> None:
        """Use these in every later handshake; the arguments as at first."""
        self._client_ca_pem = client_ca_pem
        self._configuration = self._replacement = self._configure(key_pem, certificate_pem)

    def for_server(self) -> grpc.ServerCredentials:
        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            self._take_replacement,
            require_client_authentication=self._client_ca_pem is not None,
        )

    def _take_replacement(self) -> Any:
        """The configuration that later handshakes use; None if it has not changed.

        grpc asks at every handshake, and frees the old one although other threads may be using it
        (grpc/grpc#36693): were it given one each time, a burst of connections would crash the
        process.
        """
        replacement, self._replacement = self._replacement, None
        return replacement

    def _configure(self, key_pem: bytes, certificate_pem: bytes) -> Any:
        return grpc.ssl_server_certificate_configuration(
            [(key_pem, certificate_pem)], root_certificates=self._client_ca_pem
        )


@dataclass(frozen=True, slots=True)
class GrpcPort:
    """One port to be served.

    Attributes:
        host, number: where to listen; 0 is any port that is free.
        transport: how it is secured.
        services: ours, as this port has them.
        options: gRPC's, beyond those of every port.
        credentials: its TLS identity, None for plain text.
        limits: of its calls.
    """

    host: str
    number: int
    transport: Transport
    services: tuple[ServiceDescriptor, ...]
    options: tuple[tuple[str, int], ...]
    credentials: Credentials | None
    limits: Limits = Limits()  # noqa: RUF009 - immutable


def control_port(
    host: str, number: int, credentials: Credentials | None, *, has_replicas: bool = False
) -> GrpcPort:
    """The port for clients that have a certificate; also for other servers of a cluster."""
    transport = Transport.PLAINTEXT if credentials is None else Transport.MUTUAL_TLS
    services = (
        *(CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE),
        *(NODE_SERVICE, *ADMIN_SERVICES),
        *([REPLICA_SERVICE] if has_replicas else []),
    )
    return GrpcPort(host, number, transport, services, _CONTROL_OPTIONS, credentials)


def bootstrap_port(host: str, number: int, credentials: Credentials | None) -> GrpcPort:
    """The port for machines that have none yet."""
    transport = Transport.PLAINTEXT if credentials is None else Transport.SERVER_TLS
    services = (CONTROL_SERVICE, BOOTSTRAP_SERVICE, NODE_SERVICE, JOINING_SERVICE)
    return GrpcPort(
        host, number, transport, services, _BOOTSTRAP_OPTIONS, credentials, _BOOTSTRAP_LIMITS
    )


def internal_port(host: str, number: int, credentials: Credentials | None) -> GrpcPort:
    """The port for clients of `Internal` that hold the server's root certificate and no other."""
    transport = Transport.PLAINTEXT if credentials is None else Transport.INTERNAL
    return GrpcPort(host, number, transport, (INTERNAL_SERVICE,), _CONTROL_OPTIONS, credentials)


class GrpcServers:
    """The ports, which begin and end together and share one health."""

    def __init__(
        self,
        control: GrpcPort,
        bootstrap: GrpcPort,
        clock: Clock,
        log: FilteringBoundLogger,
        *more: GrpcPort,
    ) -> None:
        self._ports = (control, bootstrap, *more)
        self._clock = clock
        self._log = log
        self._health = Health()
        self._server: QueueServer | None = None
        self._edges: list[Edge] = []
        self._ended_in_crowds = self._crowded_line_due_ns = 0
        # The services that health is known of; "" is the server as a whole.
        self._services = {"", *(s.full_name for port in self._ports for s in port.services)}

    def open(self, methods: Methods, edge_of: Callable[[Transport], Edge]) -> tuple[int, int]:
        """Take all ports, to be served from `start` on; returns those of control and bootstrap.

        Raises:
            PortUnavailable: another program has one, or it may not be had.
        """
        self._server = QueueServer(
            self._clock,
            self._report,
            self._write_lines,
            CROWDED_CONNECTIONS,
            self._report_crowd,
            lambda party: self._log.warning(log_events.RPC_HELD_BACK, party=party),
        )
        numbers = []
        for port in self._ports:
            edge = edge_of(port.transport)
            edge.lines.write_soon = self._server.want_between_calls
            self._edges.append(edge)
            numbers.append(self._listen(self._server, port, edge, methods).number)
        control, bootstrap, *_ = numbers
        return control, bootstrap

    async def start(self) -> "dict[str, asyncio.Task[None]]":
        """Begin to answer on all ports; returns the task that no call can do without."""
        self.set_serving(serving=True)
        return {} if self._server is None else {"rpc_queue": self._server.start()}

    def set_serving(self, *, serving: bool) -> None:
        status = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
        self._health.set(self._services, status)

    async def stop(self, grace_s: float) -> None:
        """Answer NOT_SERVING, refuse new calls, let those under way finish within the grace."""
        self._health.end()
        for edge in self._edges:
            edge.close()
        if self._server is not None:
            await self._server.stop(grace_s)
        self._write_lines()

    def _listen(self, server: QueueServer, port: GrpcPort, edge: Edge, methods: Methods) -> Port:
        paths = [path_of(method) for service in port.services for method in service.methods]
        by_path = {path: methods[path] for path in paths}
        by_path |= standard_methods(self._health, port.services)
        edge.open(by_path)
        address = f"{port.host}:{port.number}"
        try:
            return server.listen(
                address,
                {path: _route(edge, method) for path, method in by_path.items()},
                edge,
                options=(*_OPTIONS, *port.options),
                credentials=None if port.credentials is None else port.credentials.for_server(),
                limits=port.limits,
            )
        except PortTaken as error:
            raise PortUnavailable(address, "it is in use, or not allowed") from error

    def _write_lines(self) -> None:
        for edge in self._edges:
            edge.lines.write()

    def _report_crowd(self, party: str, ended: int) -> None:
        self._ended_in_crowds += ended
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._crowded_line_due_ns:
            self._crowded_line_due_ns = now_ns + _CROWDED_LINE_EVERY_NS
            self._log.warning(log_events.RPC_CROWDED, party=party, ended=self._ended_in_crowds)

    def _report(self, error: Exception) -> None:
        self._log.error(log_events.RPC_CRASHED, exc_info=error)


def _route(edge: Edge, method: Method | StreamMethod) -> Unary | Streaming:
    if isinstance(method, Method):
        return Unary(edge.handle)

    async def behaviour(stream: Stream) -> None:
        try:
            await edge.converse(stream.call, stream)
        except RefusedWith as error:
            raise StreamRefused(error.status.code.value[0], error.status.message) from error

    return Streaming(behaviour)
