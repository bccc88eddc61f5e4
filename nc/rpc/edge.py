"""The path of every call: identify, authorise, validate, act, log, reply.

Each port has one edge. A unary call of ours gets bytes and gives bytes, so that a request which
cannot be read is answered like any other mistake; the standard services (health, reflection) keep
their own behaviour behind the same guard.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.domain.state import State
from nc.replica import Stopping
from nc.rpc.answers import OK, Answer, Status, answer_to, as_status
from nc.rpc.callers import Callers, Transport, caller_of
from nc.rpc.controller import Call
from nc.rpc.methods import Method
from nc.rpc.permissions import Permission, require
from nc.secrets import Secrets, new_request_id

REQUEST_ID_KEY = "x-request-id"

# What is taken over from a caller into the log: printable, and short enough to be kept for ever.
_REQUEST_ID_PATTERN = re.compile(r"[\x21-\x7e]{1,128}")

_CANCELLED = "CANCELLED"


class Edge:
    """What stands between one port and the operations.

    Args:
        transport: how the port is secured.
        callers: recognises certificates.
        state: the current state, for the rules.
        clock, secrets: see there.
        log: where the line of each call goes.
    """

    def __init__(
        self,
        transport: Transport,
        callers: Callers,
        state: Callable[[], State],
        clock: Clock,
        secrets: Secrets,
        log: FilteringBoundLogger,
    ) -> None:
        self._transport = transport
        self._callers = callers
        self._state = state
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self.denied: Counter[str] = Counter()  # calls refused with PERMISSION_DENIED, by method
        self.calls = 0  # that have come in
        self._is_closing = False

    def close(self) -> None:
        """Refuse every call to our own methods from now on; those under way go on."""
        self._is_closing = True

    def unary(self, method: Method) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """The handler of one of our own methods."""

        async def handle(data: bytes, context: Any) -> bytes:
            call = self._begin(context, method.name)
            context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id),))
            try:
                if self._is_closing:
                    raise Stopping  # noqa: TRY301 - it is answered as any other refusal
                require(method.permission, call.caller, self._state(), now_ms(self._clock))
                response = await method.operation(method.parse(data), call)
            except asyncio.CancelledError:
                self._log_call(call, _CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001 - every error has an answer
                answer = self._refused(call, error)
                if isinstance(answer, Status):
                    await context.abort(answer.code, answer.message)  # raises
                else:
                    response = method.refuse(answer.code, answer.message)
            else:
                self._log_call(call, OK)
            return response.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(handle)

    def guarded(self, name: str, handler: Any) -> Any:
        """A standard service's handler, for anyone who may call at all.

        It gets bytes, as ours do, and its errors are answered like ours: gRPC itself would tell the
        caller the exception's class and text.
        """
        parse = handler.request_deserializer
        handler = handler._replace(request_deserializer=None)
        if handler.unary_unary:
            return handler._replace(
                unary_unary=self._guarded_call(name, parse, handler.unary_unary)
            )
        if handler.unary_stream:
            return handler._replace(
                unary_stream=self._guarded_call(name, parse, handler.unary_stream)
            )
        return handler._replace(
            stream_stream=self._guarded_stream(name, parse, handler.stream_stream)
        )

    def _guarded_call(
        self, name: str, parse: Callable[[bytes], Any], behaviour: Callable[..., Any]
    ) -> Callable[..., Any]:
        async def handle(data: bytes, context: Any) -> Any:
            call = self._begin(context, name)
            try:
                self._admit(call)
                request = parse(data)
                self._log_call(call, OK)
                return await behaviour(request, context)
            except grpc.aio.AbortError:  # its own refusal
                raise
            except Exception as error:  # noqa: BLE001 - every error has an answer
                await self._end(call, error, context)

        return handle

    def _guarded_stream(
        self, name: str, parse: Callable[[bytes], Any], behaviour: Callable[..., Any]
    ) -> Callable[..., Any]:
        async def handle(stream: Any, context: Any) -> AsyncIterator[Any]:
            call = self._begin(context, name)
            try:
                self._admit(call)
                self._log_call(call, OK)
                async for response in behaviour(_parsed(parse, stream), context):
                    yield response
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - every error has an answer
                await self._end(call, error, context)

        return handle

    def _admit(self, call: Call) -> None:
        """Raises PermissionDenied if the caller may not reach the standard services."""
        require(Permission.ANYONE, call.caller, self._state(), now_ms(self._clock))

    async def _end(self, call: Call, error: Exception, context: Any) -> None:
        """End the call of a standard service."""
        status = as_status(self._refused(call, error))
        await context.abort(status.code, status.message)  # raises

    def _begin(self, context: Any, name: str) -> Call:
        self.calls += 1
        caller = caller_of(context, self._transport, self._callers)
        return Call(caller, name, self._request_id(context), self._clock.monotonic_ns())

    def _request_id(self, context: Any) -> str:
        """The caller's own id for its request if it is fit to be kept, or a new one."""
        for key, value in context.invocation_metadata() or ():
            if key == REQUEST_ID_KEY and _REQUEST_ID_PATTERN.fullmatch(value):
                return str(value)
        return new_request_id(self._secrets)

    def _refused(self, call: Call, error: Exception) -> Answer | Status:
        """Choose what the caller is told, count and log it."""
        answer = answer_to(error, call.request_id)
        if isinstance(answer, Answer):
            if answer.is_unforeseen:
                self._log.error(log_events.RPC_CRASHED, request_id=call.request_id, exc_info=error)
            self._log_call(call, answer.code, message=answer.message)
        else:
            if answer.code is grpc.StatusCode.PERMISSION_DENIED:
                self.denied[call.method] += 1
            self._log_call(call, answer.code.name, message=answer.message)
        return answer

    def _log_call(self, call: Call, code: str, **more: str) -> None:
        self._log.info(
            log_events.RPC,
            method=call.method,
            code=code,
            duration_ms=round((self._clock.monotonic_ns() - call.started_ns) / 1e6, 3),
            actor=call.caller.actor,
            request_id=call.request_id,
            **more,
        )


async def _parsed(
    parse: Callable[[bytes], Any], stream: AsyncIterator[bytes]
) -> AsyncIterator[Any]:
    async for data in stream:
        yield parse(data)
