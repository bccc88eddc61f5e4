"""The path of every call: identify, admit, validate, act, reply, log.

Each port has one edge. It decides about a call when its headers arrive, answers queries at once, in
the thread that receives calls, and leaves commands to the event loop. It knows no transport: calls
come from `nc.rpc.queue` or, in tests and simulations, without sockets.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import grpc
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.contract import OK
from nc.domain.state import State
from nc.replica.errors import Overloaded, Stopping
from nc.rpc.abuse import Abuse, WrongToken
from nc.rpc.admission import Admission, Pool, TooManyStreams, party_of
from nc.rpc.answers import Answer, MethodUnknown, Status, answer_to, status_name, status_to
from nc.rpc.api import Call
from nc.rpc.call_counts import CallCounts, MethodCounts
from nc.rpc.call_lines import CallLine, CallLines, LogCalls, log_one_by_one
from nc.rpc.callers import CallerKind, Callers, Transport, caller_of
from nc.rpc.methods import Method, Methods, StreamMethod
from nc.rpc.permissions import require
from nc.rpc.queue.binding import Metadata
from nc.rpc.queue.call import Refusal
from nc.rpc.request_ids import REQUEST_ID_KEY, request_id, sent_ids
from nc.rpc.streams import AdmittedMessages, RefusedWith, WireMessages
from nc.secrets import RequestIds, Secrets

# What is logged as the method of a call whose path is none of ours: it may be anything.
UNKNOWN_METHOD = "unknown"


class WireCall(Protocol):
    """A call as its transport has it; see `nc.rpc.queue.call.ServerCall`."""

    path: bytes
    metadata: Metadata
    deadline: float
    pool: Any
    party: Any
    context: Any
    trailing: Any
    status: int | None

    def peer(self) -> str: ...

    def certificate(self) -> bytes | None: ...

    def reply(self, message: bytes) -> None: ...

    def refuse(self, code: int, details: str) -> None: ...


@dataclass(slots=True)
class _Record:
    """What the edge keeps of a call until its end."""

    call: Call
    method: Method | StreamMethod | None
    counts: MethodCounts
    pool: Pool | None = None  # where it has a place
    code: str = ""  # what it was answered with, unless that is a status
    message: str = ""
    denied_so_far: int = 0


class Edge:
    """What every call of one port passes through.

    Args:
        transport: how the port is secured.
        callers: recognises certificates.
        state: the current state, for the rules.
        token_id: the id of a token, to recognise tokens in request ids.
        clock: see `nc.clock.Clock`.
        secrets: for request ids.
        log: gets an error that is a bug, with its traceback.
        log_calls: gets a line for each call; by default they go to `log`.
        abuse: one for all ports.
        counts: likewise.

    Attributes:
        denied: calls refused with PERMISSION_DENIED, by method.
        lines: the calls' log lines.
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
        log_calls: LogCalls | None = None,
        abuse: Abuse | None = None,
        counts: CallCounts | None = None,
    ) -> None:
        self._transport = transport
        self._has_identities = transport is Transport.MUTUAL_TLS
        self._callers = callers
        self._state = state
        self._token_id = token_id
        self._clock = clock
        self._request_ids = RequestIds(secrets)
        self._log = log
        self._methods: Methods = {}
        self._all_counts = counts or CallCounts()
        self._counts: dict[bytes, MethodCounts] = {}
        self._admission = Admission()
        self._abuse = abuse or Abuse(0, clock, log)
        self.denied: Counter[str] = Counter()
        self.lines = CallLines(log_calls or partial(log_one_by_one, log))
        self._is_closing = False

    def open(self, methods: Methods) -> None:
        """Set what can be called, by path."""
        self._methods = methods
        self._counts = self._all_counts.of(methods)

    def close(self) -> None:
        """Refuse new calls to our own methods; those under way go on."""
        self._is_closing = True

    def admit(self, wire: WireCall) -> Refusal | None:
        """Decide about a call by its headers: who it is, whether it may, whether there is room."""
        started_ns = self._clock.monotonic_ns()
        method = self._methods.get(wire.path)
        caller = caller_of(wire.certificate, self._transport, self._callers)
        wire.party = caller.actor if self._has_identities else party_of(wire.peer())
        name = UNKNOWN_METHOD if method is None else method.name
        sent = sent_ids(wire.metadata)
        returned, recorded = request_id(sent, self._request_ids.new, self._is_live_token)
        wire.trailing = ((REQUEST_ID_KEY, returned),)
        counts = self._counts.get(wire.path, self._all_counts.unknown)
        counts.started += 1
        call = Call(caller, name, recorded, started_ns, "" if self._has_identities else wire.party)
        record = wire.context = _Record(call, method, counts)
        try:
            self._let_in(wire, record)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            status = self._status_of(record, error)
            hangs_up = self._abuse.is_to_hang_up(caller, wire.party)
            return Refusal(status.code.value[0], status.message, hangs_up)
        return None

    def handle(self, wire: WireCall, data: bytes) -> Coroutine[Any, Any, None] | None:
        """Answer a query; of a command, return what is left to do on the event loop."""
        record: _Record = wire.context
        method: Any = record.method
        try:
            self._require(record)  # again: its message may have come late
            request = method.parse(data)
            if method.check_token is not None:
                caller, check = record.call.caller, partial(method.check_token, request)
                self._abuse.judge(caller, wire.party, check)
            if not method.is_query:
                return self._carry_out(wire, record, request)
            answer = method.operation(request, record.call)
        except WrongToken as wrong:
            return self._refuse_late(wire, record, wrong)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            self._answer_error(wire, record, error)
        else:
            record.code = OK
            wire.reply(answer)
        return None

    async def converse(self, wire: WireCall, messages: WireMessages) -> None:
        """Have a stream's behaviour run.

        Raises:
            RefusedWith: it ends with a status.
        """
        record: _Record = wire.context
        method: Any = record.method
        admitted = AdmittedMessages(messages, lambda: self._require(record))
        try:
            await method.behaviour(admitted, record.call)
        except Exception as error:
            raise RefusedWith(self._status_of(record, error)) from error

    def ended(self, wire: WireCall, *, is_cancelled: bool) -> None:
        """Give back the call's place, and log it."""
        record: _Record | None = wire.context
        if record is None:  # `admit` failed
            return
        if record.pool is not None:
            record.pool.leave(wire.party)
        clock, call = self._clock, record.call
        code = self._code_of(wire, record, is_cancelled=is_cancelled)
        duration_ns = clock.monotonic_ns() - call.started_ns
        record.counts.end(code, duration_ns)
        node = self._state().nodes.get(call.caller.node_id) if call.caller.node_id else None
        name = "" if node is None else node.profile.name
        now_ns, denied = clock.now_ns(), record.denied_so_far
        self.lines.add(CallLine(now_ns, call, code, duration_ns, record.message, denied, name))

    async def _carry_out(self, wire: WireCall, record: _Record, request: Any) -> None:
        method: Any = record.method
        try:
            if method.wrong_token is not None:
                # Guesses that are sent at once are looked at one after the other: the operation
                # finds a wrong token before it waits for anything.
                self._abuse.require_guesses_left(record.call.caller, wire.party)
            response = await method.operation(request, record.call)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            if method.wrong_token is not None and isinstance(error, method.wrong_token):
                await asyncio.sleep(self._abuse.note_guess(record.call.caller, wire.party))
            self._answer_error(wire, record, error)
        else:
            record.code = OK
            wire.reply(response.SerializeToString())

    async def _refuse_late(self, wire: WireCall, record: _Record, wrong: WrongToken) -> None:
        await asyncio.sleep(wrong.delay_s)
        self._answer_error(wire, record, wrong.reason)

    def _is_live_token(self, text: str) -> bool:
        token_id, state = self._token_id(text), self._state()
        known = (state.tokens, state.nodes, state.membership.invitations)
        return any(token_id in some for some in known)

    def _require(self, record: _Record) -> None:
        method: Any = record.method
        if self._is_closing and not method.is_standard:
            raise Stopping
        caller, now = record.call.caller, now_ms(self._clock)
        installed = self._callers.installed
        require(
            method.permission, caller, self._state(), now, reads=method.reads, installed=installed
        )

    def _let_in(self, wire: WireCall, record: _Record) -> None:
        caller, method = record.call.caller, record.method
        if method is None:
            raise MethodUnknown
        self._require(record)
        admission = self._admission
        if isinstance(method, StreamMethod):
            pool = admission.watches if method.is_watch else admission.streams
        elif caller.kind is CallerKind.ADMIN or caller.kind is CallerKind.VIEWER:
            pool = admission.administrators
        elif method.is_health:
            pool = admission.health
        else:
            pool = admission.others
            if method.takes_tokens:
                self._abuse.require_guesses_left(caller, wire.party)
        if not pool.enter(wire.party):
            raise TooManyStreams(pool) if pool is admission.watches else Overloaded
        record.pool = wire.pool = pool

    def _answer_error(self, wire: WireCall, record: _Record, error: Exception) -> None:
        method: Any = record.method
        if method.refuse is None:
            answer: Answer | Status = status_to(error, record.call.request_id)
        else:
            answer = answer_to(error, record.call.request_id)
        self._note(record, answer, error)
        if isinstance(answer, Status):
            wire.refuse(answer.code.value[0], answer.message)
        else:
            record.code = answer.code
            wire.reply(method.refuse(answer.code, answer.message).SerializeToString())

    def _status_of(self, record: _Record, error: Exception) -> Status:
        status = status_to(error, record.call.request_id)
        self._note(record, status, error)
        return status

    def _note(self, record: _Record, answer: Answer | Status, error: Exception) -> None:
        """Keep, count and report what an error is answered with."""
        record.message = answer.message
        if answer.is_unforeseen:
            request_id = record.call.request_id
            self._log.error(log_events.RPC_CRASHED, request_id=request_id, exc_info=error)
        elif answer.code is grpc.StatusCode.PERMISSION_DENIED:
            self.denied[record.call.method] += 1
            record.denied_so_far = self.denied.total()

    def _code_of(self, wire: WireCall, record: _Record, *, is_cancelled: bool) -> str:
        """What the caller got."""
        if wire.status:
            return status_name(wire.status)
        if is_cancelled or wire.status is None:
            has_expired = wire.deadline * 1e9 <= self._clock.now_ns()
            code = grpc.StatusCode.DEADLINE_EXCEEDED if has_expired else grpc.StatusCode.CANCELLED
            return code.name
        return record.code or OK
