"""A gRPC channel to one port of a server: every method by its name, errors with a remedy."""

import os
from typing import Any, Self

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from nc.client.connection_errors import describe_grpc
from nc.client.tls import ClientTls
from nc.clock import SystemClock, now_utc
from nc.errors import UNREACHABLE, OperatorError
from nc.services import (
    ADMIN_SERVICES,
    BOOTSTRAP_SERVICE,
    CONTROL_SERVICE,
    INTERNAL_SERVICE,
    NODE_SERVICE,
)
from nc.text import host_port, printable

DEFAULT_TIMEOUT_S = 10.0

# The services on each port.
CONTROL_PORT = (CONTROL_SERVICE, INTERNAL_SERVICE, *ADMIN_SERVICES)
BOOTSTRAP_PORT = (BOOTSTRAP_SERVICE, NODE_SERVICE)

_REMEDIES = {
    grpc.StatusCode.UNAVAILABLE: "is the server running there, and are the certificates its own?",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the server did not answer in time; try again",
    grpc.StatusCode.PERMISSION_DENIED: "",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "",  # as above, the server says what to do
    grpc.StatusCode.UNIMPLEMENTED: "is this the right port?",
}


# In gRPC's details when TLS failed: it refused a certificate, or the server refused ours.
_OF_TLS = ("CERTIFICATE_VERIFY_FAILED", "Socket closed", "SSL_ERROR", "recvmsg", "handshake")

_UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class CallFailed(OperatorError):
    """A call was answered with a gRPC status instead of a response."""

    def __init__(self, target: str, method: str, code: grpc.StatusCode, details: str) -> None:
        self.code = code
        self.details = details
        remedy = _REMEDIES.get(code, "see the server's log")
        if code in _UNREACHABLE:
            self.exit_code, self.kind = UNREACHABLE, "unreachable"
        elif code is grpc.StatusCode.PERMISSION_DENIED:
            self.kind = "refused"
        super().__init__(f"{method} at {target}: {code.name}: {details}", remedy=remedy)


def channel_options(proxy: str | None) -> list[tuple[str, Any]]:
    """Options by which gRPC goes through this proxy, and through none that the environment names.

    The other connections to a server do not follow `https_proxy`, so gRPC must not, either.
    """
    if proxy is None:
        return [("grpc.enable_http_proxy", 0)]
    os.environ["no_grpc_proxy"] = ""  # noqa: SIM112 - gRPC's name; else `no_proxy` would be asked
    return [("grpc.http_proxy", proxy)]


class Client:
    """A channel to one port, open within `async with`.

    Args:
        tls: None for plain text.
        services: those that are on the port.
        proxy: the URL of an HTTP proxy to go through; None connects directly.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ClientTls | None,
        services: tuple[ServiceDescriptor, ...] = CONTROL_PORT,
        proxy: str | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.target = host_port(host, port)
        self._tls = tls
        self._services = services
        self._proxy = proxy
        self._options = channel_options(proxy)
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        if self._tls is None:
            self._channel = grpc.aio.insecure_channel(self.target, self._options)
        else:
            credentials = grpc.ssl_channel_credentials(
                self._tls.ca_pem, self._tls.key_pem, self._tls.certificate_pem
            )
            self._channel = grpc.aio.secure_channel(self.target, credentials, self._options)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def _describe(self, details: str) -> str:
        """Why there is no connection; gRPC hides that TLS refused a certificate for its dates."""
        if self._tls is not None and any(sign in details for sign in _OF_TLS):
            from nc.client.certificate_dates import (  # noqa: PLC0415 - loads cryptography
                date_problems,
            )

            now = now_utc(SystemClock())
            problems = await date_problems(self._tls, self.host, self.port, now, self._proxy)
            if problems:
                return problems
        return describe_grpc(details, tls=self._tls is not None)

    async def call(self, method: str, request: Message, *, request_id: str = "") -> Any:
        """Call a method by its name in the .proto files; gives its response message.

        The request id is recorded with the events of the call; "" lets the server make one.

        Raises:
            CallFailed: with the gRPC status.
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
            response = await call(request, timeout=DEFAULT_TIMEOUT_S, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            details = printable(error.details() or "")
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                details = await self._describe(details)
            raise CallFailed(self.target, method, error.code(), details) from None
        _make_printable(response)
        return response


def _make_printable(response: Message) -> None:
    """Clean the texts of a response; base64 of PEM is never shown, and may have line ends."""
    for field, value in response.ListFields():
        if isinstance(value, str) and not field.name.endswith(("Cert", "Key")):
            setattr(response, field.name, printable(value))
