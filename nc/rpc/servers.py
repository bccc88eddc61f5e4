"""The gRPC ports: what each serves, how it is secured, how it begins and ends."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1.health_pb2 import HealthCheckResponse
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.net.sockets import PortUnavailable
from nc.rpc.callers import Transport
from nc.rpc.edge import Edge
from nc.rpc.introspection import HEALTH_SERVICE, Health, health_handlers, reflection_handlers
from nc.rpc.methods import Method
from nc.services import ADMIN_SERVICE, BOOTSTRAP_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE

# The largest request is a list of expiries: 40,000 nodes fit. Everything else is a few bytes.
MAX_REQUEST_BYTES = 1024 * 1024
MAX_BOOTSTRAP_REQUEST_BYTES = 128 * 1024
MAX_METADATA_BYTES = 16 * 1024

# Calls under way at once, a port; beyond it gRPC answers RESOURCE_EXHAUSTED by itself.
MAX_CONCURRENT_CALLS = 8192

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

# How long a port that gRPC has closed may stay closed.
_CHECK_INTERVAL_S = 0.25

# At a stop, all calls count as answered when none came in for so long; and how often that is waited
# for, so that callers who never pause do not prevent the stop.
_QUIET_S = 0.05
_QUIET_TRIES = 20

_OPTIONS = (
    # Two servers on one port would silently share its calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", MAX_CALLS_A_CONNECTION),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
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

_CONTROL_OPTIONS = (("grpc.max_receive_message_length", MAX_REQUEST_BYTES),)

# The bootstrap port is open to every machine, and needed for one call of a few bytes: connections
# are short, and requests small.
_BOOTSTRAP_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_BOOTSTRAP_REQUEST_BYTES),
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.max_connection_age_grace_ms", 10_000),
)


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
    """

    host: str
    number: int
    transport: Transport
    services: tuple[ServiceDescriptor, ...]
    options: tuple[tuple[str, int], ...]
    credentials: Credentials | None


def control_port(host: str, number: int, credentials: Credentials | None) -> GrpcPort:
    """The port for clients that have a certificate."""
    transport = Transport.PLAINTEXT if credentials is None else Transport.MUTUAL_TLS
    services = (CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE, ADMIN_SERVICE)
    return GrpcPort(host, number, transport, services, _CONTROL_OPTIONS, credentials)


def bootstrap_port(host: str, number: int, credentials: Credentials | None) -> GrpcPort:
    """The port for machines that have none yet."""
    transport = Transport.PLAINTEXT if credentials is None else Transport.SERVER_TLS
    services = (CONTROL_SERVICE, BOOTSTRAP_SERVICE)
    return GrpcPort(host, number, transport, services, _BOOTSTRAP_OPTIONS, credentials)


def internal_port(host: str, number: int, credentials: Credentials | None) -> GrpcPort:
    """The port for clients of `Internal` that hold the server's root certificate and no other."""
    transport = Transport.PLAINTEXT if credentials is None else Transport.INTERNAL
    return GrpcPort(host, number, transport, (INTERNAL_SERVICE,), _CONTROL_OPTIONS, credentials)


class _Listener:
    """One open port, which is opened again when gRPC closes it.

    grpc.aio closes a port for good after a single request whose path is not UTF-8 (grpcio 1.85,
    `AioServer._server_main_loop`), and every client can send one.
    """

    def __init__(
        self, port: GrpcPort, handlers: list[grpc.GenericRpcHandler], log: FilteringBoundLogger
    ) -> None:
        self._port = port
        self._handlers = handlers
        self._log = log
        self._server, self.number = self._open(port.number)
        self._keeper: asyncio.Task[None] | None = None

    def _open(self, number: int) -> tuple[grpc.aio.Server, int]:
        port = self._port
        server = grpc.aio.server(
            options=(*_OPTIONS, *port.options), maximum_concurrent_rpcs=MAX_CONCURRENT_CALLS
        )
        server.add_generic_rpc_handlers(self._handlers)
        address = f"{port.host}:{number}"
        try:
            if port.credentials is None:
                return server, server.add_insecure_port(address)
            return server, server.add_secure_port(address, port.credentials.for_server())
        except RuntimeError as error:
            raise PortUnavailable(address, "it is in use, or not allowed") from error

    async def start(self) -> "asyncio.Task[None]":
        """Begin to answer; returns the task that keeps the port open."""
        await self._server.start()
        self._keeper = asyncio.create_task(self._keep())
        return self._keeper

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, let those under way finish within the grace."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await self._server.stop(grace_s)

    async def _keep(self) -> None:
        while True:
            try:
                await self._server.wait_for_termination(_CHECK_INTERVAL_S)
            except Exception as error:  # noqa: BLE001 - whatever ended it
                await self._reopen(type(error).__name__)

    async def _reopen(self, reason: str) -> None:
        for _ in range(2):  # the first may only say once more what ended it
            with contextlib.suppress(Exception):
                await self._server.stop(None)
        try:
            self._server, _ = self._open(self.number)
            await self._server.start()
        except PortUnavailable as error:
            self._log.critical(log_events.PORT_LOST, message=str(error), reason=reason)
            await asyncio.sleep(_CHECK_INTERVAL_S)
        else:
            self._log.error(log_events.PORT_REOPENED, port=self.number, reason=reason)


class GrpcServers:
    """The ports, which begin and end together and share one health."""

    def __init__(
        self, control: GrpcPort, bootstrap: GrpcPort, log: FilteringBoundLogger, *more: GrpcPort
    ) -> None:
        self._ports = (control, bootstrap, *more)
        self._log = log
        self._health = Health()
        self._listeners: list[_Listener] = []
        self._edges: list[Edge] = []
        # The services that health is known of; "" is the server as a whole.
        self._services = {"", *(s.full_name for port in self._ports for s in port.services)}

    def open(
        self, methods: Mapping[str, Method], edge_of: Callable[[Transport], Edge]
    ) -> tuple[int, int]:
        """Take all ports (see `nc.server.parts.RpcPorts`); returns those of control, bootstrap."""
        for port in self._ports:
            edge = edge_of(port.transport)
            self._edges.append(edge)
            handlers = self._handlers(port, edge, methods)
            self._listeners.append(_Listener(port, handlers, self._log))
        control, bootstrap, *_ = self._listeners
        return control.number, bootstrap.number

    async def start(self) -> "dict[str, asyncio.Task[None]]":
        """Begin to answer on all ports; returns the tasks that keep them open."""
        self.set_serving(serving=True)
        names = ("control_port", "bootstrap_port", "internal_port")
        listeners = zip(names, self._listeners, strict=False)
        return {name: await listener.start() for name, listener in listeners}

    def set_serving(self, *, serving: bool) -> None:
        """Set what health checks answer."""
        status = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
        self._health.set(self._services, status)

    async def stop(self, grace_s: float) -> None:
        """Answer NOT_SERVING, refuse new calls, let those under way finish within the grace."""
        self._health.end()
        for edge in self._edges:
            edge.close()
        await self._until_quiet()
        await asyncio.gather(*(listener.stop(grace_s) for listener in self._listeners))

    async def _until_quiet(self) -> None:
        """Let what has arrived be answered: gRPC would cancel what it has not yet handed to us."""
        for _ in range(_QUIET_TRIES):
            before = [edge.calls for edge in self._edges]
            await asyncio.sleep(_QUIET_S)
            if before == [edge.calls for edge in self._edges]:
                return

    def _handlers(
        self, port: GrpcPort, edge: Edge, methods: Mapping[str, Method]
    ) -> list[grpc.GenericRpcHandler]:
        by_service: dict[str, dict[str, Any]] = {
            service.full_name: {
                method.name: edge.unary(methods[method.name]) for method in service.methods
            }
            for service in port.services
        }
        standard = {
            HEALTH_SERVICE.full_name: health_handlers(self._health),
            **reflection_handlers(port.services),
        }
        for service, handlers in standard.items():
            by_service[service] = {
                name: edge.guarded(f"{service}/{name}", handler)
                for name, handler in handlers.items()
            }
        return [
            grpc.method_handlers_generic_handler(service, handlers)
            for service, handlers in by_service.items()
        ]
