"""An edge in this process, and calls to it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import grpc
import structlog

from nc.clock import SystemClock
from nc.domain.state import State
from nc.pb import network_controller_pb2 as pb
from nc.rpc.callers import Callers, Transport
from nc.rpc.edge import Edge
from nc.rpc.methods import Method
from nc.rpc.permissions import Permission
from nc.secrets import SystemSecrets, TokenIds

TOKEN = "5ec2e75ec2e75ec2"  # noqa: S105 - a canary
NODE_ID = "0123456789abcdef0123456789abcdef"
UUID = "f81d4fae-7dec-11d0-A765-00a0c91e6bf6"
EXPIRES_MS = 60_000  # later

token_id = TokenIds(bytes(32)).id_of


class Refused(Exception):
    """A call ended with a status."""


@dataclass
class Context:
    """A call, as a transport hands it over."""

    request_ids: tuple[str, ...] = ()
    pem: bytes | None = None
    path: bytes = b"/CheckConnState"
    deadline: float = inf
    pool: Any = None
    party: Any = None
    context: Any = None
    trailing: Any = ()
    status: int | None = None
    details: str = ""
    answer: bytes = b""
    is_cancelled: bool = False
    vouched: int = 0
    address: str = "ipv4:127.0.0.1"

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return tuple(("x-request-id", value) for value in self.request_ids)

    @metadata.setter
    def metadata(self, value: Any) -> None:
        raise NotImplementedError

    @property
    def code(self) -> grpc.StatusCode:
        return next(code for code in grpc.StatusCode if code.value[0] == self.status)

    @property
    def request_id(self) -> str:
        """What the caller gets along with its answer."""
        ((key, value),) = self.trailing
        assert key == "x-request-id"
        return str(value)

    def peer(self) -> str:
        return f"{self.address}:1"

    def certificate(self) -> bytes | None:
        return self.pem

    def vouch(self) -> None:
        self.vouched += 1

    def reply(self, message: bytes) -> None:
        assert self.status is None
        self.status, self.answer = 0, message

    def refuse(self, code: int, details: str) -> None:
        assert self.status is None
        self.status, self.details = code, details


class Bench:
    """An edge whose log lines are kept, and one method that does what a test wants."""

    def __init__(
        self,
        transport: Transport = Transport.PLAINTEXT,
        clock: SystemClock | None = None,
        state: State | None = None,
    ) -> None:
        self.state = state or State()
        self.lines: list[dict[str, Any]] = []
        log = structlog.wrap_logger(
            structlog.ReturnLogger(),
            processors=[
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
                self._keep,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(0),
        )
        clock, secrets = clock or SystemClock(), SystemSecrets()
        self.edge = Edge(transport, Callers(), lambda: self.state, token_id, clock, secrets, log)

    def _keep(self, _logger: Any, _name: str, line: Any) -> str:
        self.lines.append(json.loads(line))
        return str(line)

    def call(
        self,
        operation: Callable[[Any, Any], Awaitable[Any]] | None = None,
        data: bytes = b"",
        context: Context | None = None,
        permission: Permission = Permission.ANYONE,
    ) -> pb.CheckConnResponse:
        """Make one call; raises Refused when it ends as a status."""
        method = Method(
            "CheckConnState",
            pb.CheckConnStateRequest.FromString,
            operation or _succeed,
            lambda code, message: pb.CheckConnResponse(code=code, message=message, connState=-1),
            permission,
        )
        self.edge.open({b"/CheckConnState": method})
        return pb.CheckConnResponse.FromString(self.pass_through(data, context or Context()))

    def pass_through(self, data: bytes, context: Context) -> bytes:
        """Take a call through the edge, from its headers to its end."""
        refusal = self.edge.admit(context)
        if refusal is not None:
            context.refuse(refusal.code, refusal.details)
        elif work := self.edge.handle(context, data):
            asyncio.run(work)
        self.edge.ended(context, is_cancelled=context.is_cancelled)
        if context.status:
            raise Refused
        return context.answer


async def _succeed(_request: Any, _call: Any) -> pb.CheckConnResponse:
    return pb.CheckConnResponse(code="200", message="ok", connState=3)


def raising(error: Exception) -> Callable[[Any, Any], Awaitable[Any]]:
    async def operation(_request: Any, _call: Any) -> Any:
        token = TOKEN  # what a traceback with local variables would show
        raise error from (ValueError() if token else None)

    return operation
