"""Operators: clients of nc.admin.v1 over real TLS, each with a certificate of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message

from nc.pb.admin.v1 import administrators_pb2
from nc.services import (
    ADMIN_SERVICES,
    BOOTSTRAP_SERVICE,
    CONTROL_SERVICE,
    INTERNAL_SERVICE,
    JOINING_SERVICE,
    NODE_SERVICE,
    full_name,
)
from tests.support.whole_server import LOOPBACK, PATIENCE_S, WholeServer

# As in `Nodes/List`.
METHODS = {
    f"{method.containing_service.name}/{method.name}": method
    for service in (
        CONTROL_SERVICE,
        BOOTSTRAP_SERVICE,
        INTERNAL_SERVICE,
        NODE_SERVICE,
        JOINING_SERVICE,
        *ADMIN_SERVICES,
    )
    for method in service.methods
}


class Refused(Exception):
    """A call ended with a status."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        super().__init__(error.code().name, error.details())
        self.code = error.code()
        self.details = error.details() or ""


class Operator:
    """Calls methods by their short names, as in `Nodes/List`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    async def call(self, name: str, /, request: Message | None = None, **fields: Any) -> Any:
        """The response; the request's fields may be given instead of it.

        Raises:
            Refused: with the status.
        """
        call, request_class = self._callable(name, "unary_unary")
        try:
            return await call(request or request_class(**fields), timeout=PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            raise Refused(error) from None

    async def stream(
        self, name: str, /, request: Message | None = None, **fields: Any
    ) -> AsyncIterator[Any]:
        """The messages of a stream; raises as `call`."""
        call, request_class = self._callable(name, "unary_stream")
        responses = call(request or request_class(**fields), timeout=3 * PATIENCE_S)
        try:
            async for response in responses:
                yield response
        except grpc.aio.AioRpcError as error:
            raise Refused(error) from None
        finally:
            responses.cancel()

    def _callable(self, name: str, kind: str) -> tuple[Any, type[Message]]:
        method = METHODS[name]
        request, response = map(
            message_factory.GetMessageClass, (method.input_type, method.output_type)
        )
        call = getattr(self.channel, kind)(
            f"/{full_name(method)}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return call, request


@asynccontextmanager
async def operator(
    server: WholeServer, key_pem: bytes | None = None, certificate_pem: bytes | None = None
) -> AsyncIterator[Operator]:
    """An operator with a certificate; without one given, with that of the server's folder."""
    paths = server.certificates.grpc.paths
    credentials = grpc.ssl_channel_credentials(
        paths.ca.read_bytes(),
        key_pem or paths.client_key.read_bytes(),
        certificate_pem or paths.client.read_bytes(),
    )
    target = f"{LOOPBACK}:{server.endpoints.control_port}"
    # no connection is shared, and no more is taken than was asked for
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.secure_channel(target, credentials, options) as channel:
        yield Operator(channel)


@asynccontextmanager
async def issued(
    server: WholeServer, by: Operator, name: str, role: administrators_pb2.Role
) -> AsyncIterator[Operator]:
    """An operator whose certificate another one has issued."""
    answer = await by.call("Administrators/Issue", name=name, role=role)
    pair = answer.key_pem.encode(), answer.certificate_pem.encode()
    async with operator(server, *pair) as made:
        yield made


async def enrolled(admin: Operator, token: str) -> str:
    """Redeem a bootstrap token through `GetToken`; gives the node's token."""
    answer = await admin.call("LiteKubeNCService/GetToken", bootStrapToken=token)
    assert answer.code == "200", answer.message
    return str(answer.token)
