"""A follower's connection to the replica that leads."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple, Protocol

import grpc
from grpc import aio

from nc.pb.replica.v1 import replication_pb2 as pb
from nc.services import REPLICA_SERVICE, path_of

# Without data for so long, the other end is asked whether it is still there.
_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

# How long what is under way may take to be answered when a line is left: a leader that hands over
# refuses it at once. Cut off, nobody would know whether it was done.
_FINISH_S: Final = 0.3

_FOLLOW, _FORWARD = (path_of(method).decode() for method in REPLICA_SERVICE.methods)


class Identity(NamedTuple):
    """PEM: whom a replica trusts, and what it shows."""

    authority: bytes
    key: bytes
    certificate: bytes


class LineBroken(Exception):
    """The leader is gone, cannot be reached, or does not lead any more."""


class Line(Protocol):
    """To one leader, for as long as it lasts; every method may raise LineBroken."""

    async def send(self, message: pb.FromFollower) -> None: ...

    async def receive(self) -> pb.FromLeader: ...

    async def forward(self, request: pb.ForwardRequest, timeout_s: float) -> pb.ForwardResponse:
        """Have something carried out. After LineBroken it is not known whether it was."""

    async def close(self) -> None:
        """End it; what is under way may be answered yet."""


OpenLine = Callable[[str], Line]  # to an address, `192.0.2.7:6440`


class GrpcLine:
    """A `Line` over gRPC.

    Args:
        address: of the leader's control port.
        identity: None for plain text.
    """

    def __init__(self, address: str, identity: Identity | None) -> None:
        if identity is None:
            self._channel = aio.insecure_channel(address, options=_OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(*identity)
            self._channel = aio.secure_channel(address, credentials, options=_OPTIONS)
        follow = self._channel.stream_stream(
            _FOLLOW,
            request_serializer=pb.FromFollower.SerializeToString,
            response_deserializer=pb.FromLeader.FromString,
        )
        self._forward: Any = self._channel.unary_unary(
            _FORWARD,
            request_serializer=pb.ForwardRequest.SerializeToString,
            response_deserializer=pb.ForwardResponse.FromString,
        )
        self._call: Any = follow()
        self._is_closed = False

    async def send(self, message: pb.FromFollower) -> None:
        with self._breaking():
            await self._call.write(message)

    async def receive(self) -> pb.FromLeader:
        with self._breaking():
            message = await self._call.read()
        if not isinstance(message, pb.FromLeader):  # the end
            raise LineBroken("it does not lead any more")
        return message

    async def forward(self, request: pb.ForwardRequest, timeout_s: float) -> pb.ForwardResponse:
        with self._breaking():
            response: pb.ForwardResponse = await self._forward(request, timeout=timeout_s)
        return response

    async def close(self) -> None:
        self._is_closed = True
        self._call.cancel()
        with suppress(aio.AioRpcError, aio.UsageError):
            await self._channel.close(grace=_FINISH_S)

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Raise LineBroken for whatever ends a call of ours."""
        try:
            yield
        except (aio.AioRpcError, aio.UsageError, aio.InternalError) as error:
            raise LineBroken(_details(error)) from error
        except asyncio.CancelledError:  # a call that is closed raises it, too
            task = asyncio.current_task()
            if not self._is_closed or (task is not None and task.cancelling()):
                raise
            raise LineBroken("it was closed") from None


def _details(error: Exception) -> str:
    details = error.details() if isinstance(error, aio.AioRpcError) else None
    return details or str(error)
