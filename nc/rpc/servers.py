"""The two gRPC ports: what each serves, how it is secured, how it begins and ends."""

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from nc.rpc.edge import Edge
from nc.rpc.introspection import HEALTH_SERVICE, health_handlers, reflection_handlers
from nc.rpc.methods import BOOTSTRAP_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE, Method

# The largest request is a list of expiries: 40,000 nodes fit. Everything else is a few bytes.
MAX_REQUEST_BYTES = 1024 * 1024
MAX_METADATA_BYTES = 16 * 1024

# Calls under way at once, a port; beyond it gRPC answers RESOURCE_EXHAUSTED by itself.
MAX_CONCURRENT_CALLS = 8192

# Calls that have arrived and wait for the event loop to take them up. From 1000 on gRPC would by
# default end some of them with CANCELLED, which clients do not retry; a fleet that restarts at once
# is more than that.
MAX_WAITING_CALLS = 32_768

_OPTIONS = (
    # Two servers on one port would silently share its calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
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


class PortUnavailable(Exception):
    """A port cannot be listened on."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        super().__init__(
            f"cannot listen on {address}: {reason}; "
            "stop what uses it, or choose another port (see network-controller serve --help)"
        )


class Credentials:
    """A port's TLS identity; replacing it holds for every handshake from then on.

    Args:
        key_pem, certificate_pem: the server's own.
        client_ca_pem: the CA that client certificates must be signed by; None asks for none.
    """

    def __init__(self, key_pem: bytes, certificate_pem: bytes, client_ca_pem: bytes | None) -> None:
        self._client_ca_pem = client_ca_pem
        self._configuration = self._configure(key_pem, certificate_pem)

    def replace(self, key_pem: bytes, certificate_pem: bytes) -> None:
        """Show this certificate from now on."""
        self._configuration = self._configure(key_pem, certificate_pem)

    def for_server(self) -> grpc.ServerCredentials:
        """What grpc wants."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            lambda: self._configuration,
            require_client_authentication=self._client_ca_pem is not None,
        )

    def _configure(self, key_pem: bytes, certificate_pem: bytes) -> Any:
        return grpc.ssl_server_certificate_configuration(
            [(key_pem, certificate_pem)], root_certificates=self._client_ca_pem
        )


@dataclass(frozen=True, slots=True)
class Port:
    """One port to be served.

    Attributes:
        host: the address to listen on.
        number: its number, 0 for any that is free.
        edge: what calls go through.
        services: ours, as this port has them.
        credentials: its TLS identity, None for plain text.
    """

    host: str
    number: int
    edge: Edge
    services: tuple[ServiceDescriptor, ...]
    credentials: Credentials | None


CONTROL_SERVICES = (CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE)
BOOTSTRAP_SERVICES = (CONTROL_SERVICE, BOOTSTRAP_SERVICE)


class GrpcServers:
    """Both ports, which begin and end together and share one health."""

    def __init__(self, methods: dict[str, Method]) -> None:
        self._methods = methods
        self._health = health.aio.HealthServicer()
        self._servers: list[grpc.aio.Server] = []
        self._services = {""}  # whose health is told; "" is the server's as a whole

    def listen(self, port: Port) -> int:
        """Take a port, to be served from `start` on; returns its number.

        Raises:
            PortUnavailable: somebody else has it, or it may not be had.
        """
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_CONCURRENT_CALLS)
        server.add_generic_rpc_handlers(self._handlers(port))
        address = f"{port.host}:{port.number}"
        try:
            if port.credentials is None:
                number = server.add_insecure_port(address)
            else:
                number = server.add_secure_port(address, port.credentials.for_server())
        except RuntimeError as error:
            raise PortUnavailable(address, "it is in use, or not allowed") from error
        self._servers.append(server)
        self._services.update(service.full_name for service in port.services)
        return number

    async def start(self) -> None:
        """Begin to answer on every port."""
        await self.set_serving(serving=True)
        for server in self._servers:
            await server.start()

    async def set_serving(self, *, serving: bool) -> None:
        """Tell whoever asks for our health."""
        status = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
        for service in self._services:
            await self._health.set(service, status)

    async def stop(self, grace_s: float) -> None:
        """Say NOT_SERVING, refuse new calls, let those under way finish within the grace."""
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(*(server.stop(grace_s) for server in self._servers))

    def _handlers(self, port: Port) -> list[grpc.GenericRpcHandler]:
        by_service: dict[str, dict[str, Any]] = {
            service.full_name: {
                method.name: port.edge.unary(self._methods[method.name])
                for method in service.methods
            }
            for service in port.services
        }
        standard = {
            HEALTH_SERVICE.full_name: health_handlers(self._health),
            **reflection_handlers(port.services),
        }
        for service, handlers in standard.items():
            by_service[service] = {
                name: port.edge.guarded(f"{service}/{name}", handler)
                for name, handler in handlers.items()
            }
        return [
            grpc.method_handlers_generic_handler(service, handlers)
            for service, handlers in by_service.items()
        ]
