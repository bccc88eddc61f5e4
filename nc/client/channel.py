"""The calling side, for our own command lines: one channel, every method, errors with advice.

Other programs generate a client from the .proto files in their own language.
"""

from dataclasses import dataclass
from typing import Any, Self

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from nc.client.connection_errors import grpc_in_words
from nc.errors import UNREACHABLE, OperatorError
from nc.rpc.services import BOOTSTRAP_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE
from nc.text import host_port

DEFAULT_TIMEOUT_S = 10.0

# Which services a client finds on a port, so that it works with other implementations too.
CONTROL_PORT = (CONTROL_SERVICE, INTERNAL_SERVICE)
BOOTSTRAP_PORT = (BOOTSTRAP_SERVICE,)

_REMEDIES = {
    grpc.StatusCode.UNAVAILABLE: "is the server running there, and are the certificates its own?",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the server did not answer in time; try again",
    grpc.StatusCode.PERMISSION_DENIED: "",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "the server is busy; try again in a moment",
    grpc.StatusCode.UNIMPLEMENTED: "is this the right port?",
}

_UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class CallFailed(OperatorError):
    """A call did not reach the application, or was not let in."""

    def __init__(self, target: str, method: str, code: grpc.StatusCode, details: str) -> None:
        self.code = code
        self.details = details
        if code in _UNREACHABLE:
            self.exit_code, self.kind = UNREACHABLE, "unreachable"
        elif code is grpc.StatusCode.PERMISSION_DENIED:
            self.kind = "refused"
        remedy = _REMEDIES.get(code, "see the server's log")
        super().__init__(f"{method} at {target}: {code.name}: {details}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client trusts, and shows; PEM. Without a key and a certificate it shows nothing."""

    ca_pem: bytes
    key_pem: bytes | None = None
    certificate_pem: bytes | None = None

    def __repr__(self) -> str:
        return "ClientTls(…)"


class Client:
    """A channel to one port, open within `async with`.

    Args:
        host, port: where it is.
        tls: None for plain text.
        services: what the port has.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ClientTls | None,
        services: tuple[ServiceDescriptor, ...] = CONTROL_PORT,
    ) -> None:
        self.target = host_port(host, port)
        self._tls = tls
        self._services = services
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        if self._tls is None:
            self._channel = grpc.aio.insecure_channel(self.target)
        else:
            credentials = grpc.ssl_channel_credentials(
                self._tls.ca_pem, self._tls.key_pem, self._tls.certificate_pem
            )
            self._channel = grpc.aio.secure_channel(self.target, credentials)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def call(self, method: str, request: Message, *, request_id: str = "") -> Any:
        """Call a method by its name; the answer is its response message.

        Args:
            method: as in the .proto files.
            request: of the method's type.
            request_id: to be recorded with what the call changes; the server makes one without.

        Raises:
            CallFailed: whatever is not an answer.
        """
        service = next(s for s in self._services if method in s.methods_by_name)
        answer = message_factory.GetMessageClass(service.methods_by_name[method].output_type)
        channel: Any = self._channel
        call = channel.unary_unary(
            f"/{service.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        try:
            metadata = [("x-request-id", request_id)] if request_id else None
            return await call(request, timeout=DEFAULT_TIMEOUT_S, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            details = error.details() or ""
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                details = grpc_in_words(details, tls=self._tls is not None)
            raise CallFailed(self.target, method, error.code(), details) from None
