"""The path of every call: identify, authorise, validate, act, log, reply.

Each port has one edge. A unary call of ours gets bytes and gives bytes, so that a request which
cannot be read is answered like any other mistake; the standard services (health, reflection) keep
their own behaviour behind the same guard.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.contract import OK
from nc.domain.state import State
from nc.replica.errors import Overloaded, Stopping
from nc.rpc.answers import Answer, Status, answer_to, as_status
from nc.rpc.api import Call
from nc.rpc.callers import Callers, Transport, caller_of
from nc.rpc.methods import Method
from nc.rpc.permissions import Permission, require
from nc.rpc.request_ids import request_id
from nc.secrets import RequestIds, Secrets

REQUEST_ID_KEY = "x-request-id"

# Calls to the standard services at once, a port. Watches stay open, and a client needs one.
MAX_STANDARD_CALLS = 1024

_CANCELLED = "CANCELLED"


class Edge:
    """What every call of one port passes through.

    Args:
        transport: how the port is secured.
        callers: recognises certificates.
        state: the current state, for the rules.
        token_id: the id of a token, to recognise tokens in request ids.
        clock: see `nc.clock.Clock`.
        secrets: for request ids.
        log: gets a line for each call.

    Attributes:
        calls: how many have come in.
        denied: calls refused with PERMISSION_DENIED, by method.
    """

    def __init__(
        self,
        transport: Transport,
        callers: Callers,
        state: Callable[[], State],
        token_id: Callable[[str], str],
        clock: Clock,
        secrets: Secrets,
        log: FilteringBoundLogger,
    ) -> None:
        self._transport = transport
        self._callers = callers
        self._state = state
        self._token_id = token_id
        self._clock = clock
        self._request_ids = RequestIds(secrets)
        self._log = log
        self.denied: Counter[str] = Counter()
        self.calls = 0
        self._open_calls = 0  # of standard services
        self._is_closing = False

    def close(self) -> None:
        """Refuse new calls to our own methods; those under way go on."""
        self._is_closing = True

    def unary(self, method: Method) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """The handler of one of our own methods."""

        async def handle(data: bytes, context: Any) -> bytes:
            call = self._begin(context, method.name)
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
        """The handler of a standard service's method, for every caller that may call at all.

        It gets bytes, as ours do, and its errors are answered like ours: gRPC itself would send the
        exception's class and text to the caller.
        """
        kind, guard = (
            ("stream_stream", self._guarded_stream)
            if handler.stream_stream
            else ("unary_stream" if handler.unary_stream else "unary_unary", self._guarded_call)
        )
        guarded = guard(name, handler.request_deserializer, getattr(handler, kind))
        return handler._replace(request_deserializer=None, **{kind: guarded})

    def _guarded_call(
        self, name: str, parse: Callable[[bytes], Any], behaviour: Callable[..., Any]
    ) -> Callable[..., Any]:
        async def handle(data: bytes, context: Any) -> Any:
            async with self._standard(name, context) as admit:
                return await behaviour(parse(data), _AdmittedContext(context, admit))

        return handle

    def _guarded_stream(
        self, name: str, parse: Callable[[bytes], Any], behaviour: Callable[..., Any]
    ) -> Callable[..., Any]:
        async def handle(stream: Any, context: Any) -> AsyncIterator[Any]:
            async def requests() -> AsyncIterator[Any]:
                async for data in stream:
                    admit()
                    yield parse(data)

            async with self._standard(name, context) as admit:
                async for response in behaviour(requests(), context):
                    yield response

        return handle

    @contextlib.asynccontextmanager
    async def _standard(self, name: str, context: Any) -> AsyncIterator[Callable[[], None]]:
        """Admit a call of a standard service now, and log it at its end.

        Yields a function to admit each further message with: it raises PermissionDenied once the
        caller may not call any more.
        """
        call = self._begin(context, name)

        def admit() -> None:
            require(Permission.ANYONE, call.caller, self._state(), now_ms(self._clock))

        self._open_calls += 1
        try:
            if self._open_calls > MAX_STANDARD_CALLS:
                raise Overloaded  # noqa: TRY301 - it is answered as any other refusal
            admit()
            yield admit
        except grpc.aio.AbortError:  # its own refusal
            self._log_call(call, context.code().name)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            self._log_call(call, _CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - every error has an answer
            status = as_status(self._refused(call, error))
            await context.abort(status.code, status.message)  # raises
        else:
            self._log_call(call, OK)
        finally:
            self._open_calls -= 1

    def _begin(self, context: Any, name: str) -> Call:
        self.calls += 1
        caller = caller_of(context, self._transport, self._callers)
        metadata = context.invocation_metadata() or ()
        sent = (value for key, value in metadata if key == REQUEST_ID_KEY)
        returned, recorded = request_id(sent, self._request_ids.new, self._is_live_token)
        context.set_trailing_metadata(((REQUEST_ID_KEY, returned),))
        return Call(caller, name, recorded, self._clock.monotonic_ns())

    def _is_live_token(self, text: str) -> bool:
        token_id, state = self._token_id(text), self._state()
        return token_id in state.tokens or token_id in state.nodes

    def _refused(self, call: Call, error: Exception) -> Answer | Status:
        """Choose the answer to an error, count and log it."""
        answer = answer_to(error, call.request_id)
        if isinstance(answer, Answer):
            if answer.is_unforeseen:
                self._log.error(log_events.RPC_CRASHED, request_id=call.request_id, exc_info=error)
            self._log_call(call, answer.code, message=answer.message)
        else:
            more: dict[str, Any] = {"message": answer.message}
            if answer.code is grpc.StatusCode.PERMISSION_DENIED:
                self.denied[call.method] += 1
                more["denied_so_far"] = self.denied.total()
            self._log_call(call, answer.code.name, **more)
        return answer

    def _log_call(self, call: Call, code: str, **more: Any) -> None:
        self._log.info(
            log_events.RPC,
            method=call.method,
            code=code,
            duration_ms=round((self._clock.monotonic_ns() - call.started_ns) / 1e6, 3),
            actor=call.caller.actor,
            request_id=call.request_id,
            **more,
        )


class _AdmittedContext:
    """A call's context that checks before each message that the caller may still call."""

    def __init__(self, context: Any, admit: Callable[[], None]) -> None:
        self._context = context
        self._admit = admit

    async def write(self, message: Any) -> None:
        self._admit()
        await self._context.write(message)

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        await self._context.abort(code, details)
