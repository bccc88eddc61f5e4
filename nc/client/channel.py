"""A gRPC channel to one port of a server: every method by its name, errors with a remedy."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, Self

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from nc.client.connection_errors import describe_grpc
from nc.client.errors import CallFailed, DeadlineExceeded, OutOfDate, call_failed
from nc.client.tls import ClientTls
from nc.clock import SystemClock, now_utc
from nc.services import (
    ADMIN_SERVICES,
    BOOTSTRAP_SERVICE,
    CONTROL_SERVICE,
    INTERNAL_SERVICE,
    JOINING_SERVICE,
    NODE_SERVICE,
    full_name,
)
from nc.text import host_port, printable

# A server lets a change wait for up to 12 s, as for an election: its answer says what became of
# it, and has to arrive.
DEFAULT_TIMEOUT_S = 15.0

_REQUEST_ID = "x-request-id"  # each answer of our own server carries it

# The services on each port.
CONTROL_PORT = (CONTROL_SERVICE, INTERNAL_SERVICE, *ADMIN_SERVICES)
BOOTSTRAP_PORT = (BOOTSTRAP_SERVICE, NODE_SERVICE, JOINING_SERVICE)

# In gRPC's details when TLS failed: it refused a certificate, or the server refused ours.
_OF_TLS = ("CERTIFICATE_VERIFY_FAILED", "Socket closed", "SSL_ERROR", "recvmsg", "handshake")

# A server that is back is found again soon; gRPC's own limit is two minutes.
_RECONNECT = (("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 5000))

# gRPC takes 4 MB by default; the states of a million nodes have 60 MB.
_ANSWERS = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)


def channel_options(proxy: str | None) -> list[tuple[str, Any]]:
    """Options by which gRPC goes through this proxy, and through none that the environment names.

    The other connections to a server do not follow `https_proxy`, so gRPC must not, either.
    """
    if proxy is None:
        return [("grpc.enable_http_proxy", 0)]
    os.environ["no_grpc_proxy"] = ""  # noqa: SIM112 - gRPC's name; else `no_proxy` would be asked
    return [("grpc.http_proxy", proxy)]


class Channel:
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
        self._options = [*channel_options(proxy), *_RECONNECT, *_ANSWERS]
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

    async def _date_problems(self, details: str) -> str:
        """What is wrong with certificates' dates, which gRPC hides; empty: nothing."""
        if self._tls is not None and any(sign in details for sign in _OF_TLS):
            from nc.client.certificate_dates import (  # noqa: PLC0415 - loads cryptography
                date_problems,
            )

            now = now_utc(SystemClock())
            return await date_problems(self._tls, self.host, self.port, now, self._proxy)
        return ""

    async def call(
        self,
        method: str,
        request: Message,
        *,
        request_id: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Any:
        """Call a method by its name in the .proto files; gives its response message.

        Where several services have a method of this name, it is called `Nodes.List`. The request id
        is recorded with the events of the call; "" lets the server make one.

        Raises:
            CallFailed: with the gRPC status.
        """
        found = self._method(method)
        channel: Any = self._channel
        call = channel.unary_unary(_path(found), **_serializers(found))
        try:
            metadata = [(_REQUEST_ID, request_id)] if request_id else None
            response = await call(request, timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise await self._failed(found, error) from None
        if found.containing_service not in ADMIN_SERVICES:
            _make_printable(response)
        return response

    async def stream(
        self, method: str, request: Message, *, silence_s: float
    ) -> AsyncIterator[Any]:
        """Call a method that answers with a stream; it has no deadline but that of each answer.

        Raises:
            CallFailed: with the gRPC status; DeadlineExceeded when nothing came for `silence_s`.
        """
        found = self._method(method)
        channel: Any = self._channel
        call = channel.unary_stream(_path(found), **_serializers(found))(request)
        answers = call.__aiter__()
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    answer = await anext(answers, None)
                if answer is None:
                    return
                yield answer
        except TimeoutError:
            silent = f"nothing came for {silence_s:g} s"
            raise DeadlineExceeded(_path(found), self.target, silent) from None
        except grpc.aio.AioRpcError as error:
            raise await self._failed(found, error) from None
        finally:
            call.cancel()

    def _method(self, name: str) -> MethodDescriptor:
        service_name, _, method = name.rpartition(".")
        return next(
            service.methods_by_name[method]
            for service in self._services
            if method in service.methods_by_name and service_name in ("", service.name)
        )

    async def _failed(self, method: MethodDescriptor, error: grpc.aio.AioRpcError) -> CallFailed:
        details = printable(error.details() or "")
        answered = any(key == _REQUEST_ID for key, _ in error.trailing_metadata() or ())
        if error.code() is grpc.StatusCode.UNAVAILABLE and not answered:
            if problems := await self._date_problems(details):
                return OutOfDate(_path(method), self.target, problems)
            details = describe_grpc(details, tls=self._tls is not None)
        return call_failed(_path(method), self.target, error.code(), details, answered=answered)


def _path(method: MethodDescriptor) -> str:
    return f"/{full_name(method)}"


def _serializers(method: MethodDescriptor) -> dict[str, Any]:
    return {
        "request_serializer": lambda message: message.SerializeToString(),
        "response_deserializer": message_factory.GetMessageClass(method.output_type).FromString,
    }


def _make_printable(response: Message) -> None:
    """Clean the texts of a response; base64 of PEM is never shown, and may have line ends."""
    for field, value in response.ListFields():
        if isinstance(value, str) and not field.name.endswith(("Cert", "Key")):
            setattr(response, field.name, printable(value))
