"""The path of every call: identify, admit, validate, act, reply, log.

Each port has one edge. It decides about a call when its headers arrive, answers queries at once, in
the thread that receives calls, and leaves commands to the event loop. It knows no transport: calls
come from `nc.rpc.queue` or, in tests and simulations, without sockets.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import grpc
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.contract import OK
from nc.domain.state import State
from nc.replica.errors import Overloaded, Stopping
from nc.rpc.abuse import Abuse, WrongToken
from nc.rpc.admission import Admission, TooManyStreams, party_of
from nc.rpc.answers import Answer, MethodUnknown, Status, answer_to, status_name, status_to
from nc.rpc.call_counts import CallCounts
from nc.rpc.call_lines import CallLine, CallLines, LogCalls, log_one_by_one
from nc.rpc.call_records import Record, Served, WireCall, served_by
from nc.rpc.callers import CallerKind, Callers, Transport, caller_of
from nc.rpc.methods import Methods
from nc.rpc.permissions import require
from nc.rpc.queue.call import Refusal
from nc.rpc.request_ids import REQUEST_ID_KEY, request_id, sent_ids
from nc.rpc.streams import AdmittedMessages, RefusedWith, WireMessages
from nc.secrets import RequestIds, Secrets

# What is logged as the method of a call whose path is none of ours: it may be anything.
UNKNOWN_METHOD = "unknown"

# For so long a call stays allowed between its headers and its message, if nothing has changed.
_ALLOWED_FOR_NS: Final = 1_000_000_000

# A connection's address is vouched for so often, rather than for each call, which costs more.
_VOUCH_EVERY_NS: Final = 1_000_000_000
_MOST_VOUCHED: Final = 4096


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
        self._all_counts = counts or CallCounts()
        self._unknown = Served(None, UNKNOWN_METHOD, self._all_counts.unknown)
        self._served: dict[bytes, Served] = {}  # by path
        self.admission = Admission()
        self._abuse = abuse or Abuse(0, clock, log)
        self.denied: Counter[str] = Counter()
        self.lines = CallLines(log_calls or partial(log_one_by_one, log))
        self._vouched_ns: dict[str, int] = {}  # by connection, when its address is next vouched for
        self._is_closing = False

    def open(self, methods: Methods) -> None:
        """Set what can be called, by path."""
        counts = self._all_counts.of(methods)
        self._served = {
            path: served_by(method, counts[path], self.admission)
            for path, method in methods.items()
        }

    def close(self) -> None:
        """Refuse new calls, but for standard health checks; those under way go on."""
        self._is_closing = True

    def admit(self, wire: WireCall) -> Refusal | None:
        """Decide about a call by its headers: who it is, whether it may, whether there is room."""
        started_ns = self._clock.monotonic_ns()
        served = self._served.get(wire.path, self._unknown)
        caller = caller_of(wire.certificate, self._transport, self._callers)
        wire.party = caller.actor if self._has_identities else party_of(wire.peer())
        if sent := sent_ids(wire.metadata):
            returned, recorded = request_id(sent, self._request_ids.new, self._is_live_token)
        else:
            returned = recorded = self._request_ids.new()
        wire.trailing = ((REQUEST_ID_KEY, returned),)
        served.counts.started += 1
        record = wire.context = Record(caller, served.name, recorded, started_ns, served)
        if not self._has_identities:
            record.peer = wire.party
        try:
            self._let_in(wire, record)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            status = self._status_of(record, error)
            hangs_up = self._abuse.is_to_hang_up(caller, wire.party)
            return Refusal(status.code.value[0], status.message, hangs_up)
        return None

    def handle(self, wire: WireCall, data: bytes) -> Coroutine[Any, Any, None] | None:
        """Answer a query; of a command, return what is left to do on the event loop."""
        record: Record = wire.context
        method: Any = record.served.method
        try:
            self._require_still(record)
            request = method.parse(data)
            if method.check_token is not None:
                caller, check = record.caller, partial(method.check_token, request, record)
                self._abuse.judge(caller, wire.party, check)
            if not method.is_query:
                return self._carry_out(wire, record, request)
            answer = method.operation(request, record)
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
        record: Record = wire.context
        method: Any = record.served.method
        admitted = AdmittedMessages(messages, lambda: self._require(record))
        try:
            await method.behaviour(admitted, record)
        except Exception as error:
            raise RefusedWith(self._status_of(record, error)) from error

    def is_to_hang_up(self, wire: WireCall) -> bool:
        """Whether the connection of an admitted call whose message did not come is to end."""
        return self._abuse.is_to_hang_up(wire.context.caller, wire.party)

    def ended(self, wire: WireCall, *, is_cancelled: bool) -> None:
        """Give back the call's place, and log it."""
        record: Record | None = wire.context
        if record is None:  # `admit` failed
            return
        if record.place is not None:
            record.place.leave(wire.party)
        clock, node_id = self._clock, record.caller.node_id
        code = self._code_of(wire, record, is_cancelled=is_cancelled)
        duration_ns = clock.monotonic_ns() - record.started_ns
        record.served.counts.end(code, duration_ns)
        node = self._state().nodes.get(node_id) if node_id else None
        name = "" if node is None else node.profile.name
        now_ns, denied = clock.now_ns(), record.denied_so_far
        self.lines.add(CallLine(now_ns, record, code, duration_ns, record.message, denied, name))

    async def _carry_out(self, wire: WireCall, record: Record, request: Any) -> None:
        method: Any = record.served.method
        try:
            if method.wrong_token is not None:
                # Guesses that are sent at once are looked at one after the other: the operation
                # finds a wrong token before it waits for anything.
                self._abuse.require_guesses_left(record.caller, wire.party)
            response = await method.operation(request, record)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            if method.wrong_token is not None and isinstance(error, method.wrong_token):
                await asyncio.sleep(self._abuse.note_guess(record.caller, wire.party))
            self._answer_error(wire, record, error)
        else:
            record.code = OK
            wire.reply(response.SerializeToString())

    async def _refuse_late(self, wire: WireCall, record: Record, wrong: WrongToken) -> None:
        await asyncio.sleep(wrong.delay_s)
        self._answer_error(wire, record, wrong.reason)

    def _is_live_token(self, text: str) -> bool:
        token_id, state = self._token_id(text), self._state()
        known = (state.tokens, state.nodes, state.membership.invitations)
        return any(token_id in some for some in known)

    def _require(self, record: Record) -> None:
        """Check that the caller may call the method in the state as it is now."""
        method: Any = record.served.method
        if self._is_closing and not method.goes_on_at_stop:
            raise Stopping
        state, installed = self._state(), self._callers.installed
        require(
            method.permission,
            record.caller,
            state,
            now_ms(self._clock),
            reads=method.reads,
            installed=installed,
        )
        record.allowed_in = state

    def _require_still(self, record: Record) -> None:
        """Check again when the message is there, which may have come late."""
        waited_ns = self._clock.monotonic_ns() - record.started_ns
        has_changed = record.allowed_in is not self._state() or self._is_closing
        if has_changed or waited_ns > _ALLOWED_FOR_NS:
            self._require(record)

    def _let_in(self, wire: WireCall, record: Record) -> None:
        served = record.served
        if served.pools is None:
            raise MethodUnknown
        self._require(record)
        of_administrators, pool = served.pools
        caller = record.caller
        if caller.kind is CallerKind.ADMIN or caller.kind is CallerKind.VIEWER:
            pool = of_administrators
        elif served.takes_tokens:
            self._abuse.require_guesses_left(caller, wire.party)
        if caller.kind is CallerKind.ADMIN or caller.kind is CallerKind.REPLICA:
            self._vouch(wire, record.started_ns)
        if not pool.enter(wire.party):
            raise TooManyStreams(pool) if pool is self.admission.watches else Overloaded
        record.place = wire.pool = pool

    def _vouch(self, wire: WireCall, now_ns: int) -> None:
        """Keep the caller's address from being held back, even if another caller there loops."""
        peer = wire.peer()
        if self._vouched_ns.get(peer, 0) <= now_ns:
            if len(self._vouched_ns) >= _MOST_VOUCHED:
                self._vouched_ns.clear()
            self._vouched_ns[peer] = now_ns + _VOUCH_EVERY_NS
            wire.vouch()

    def _answer_error(self, wire: WireCall, record: Record, error: Exception) -> None:
        method: Any = record.served.method
        if method.refuse is None:
            answer: Answer | Status = status_to(error, record.request_id)
        else:
            answer = answer_to(error, record.request_id)
        self._note(record, answer, error)
        if isinstance(answer, Status):
            wire.refuse(answer.code.value[0], answer.message)
        else:
            record.code = answer.code
            wire.reply(method.refuse(answer.code, answer.message).SerializeToString())

    def _status_of(self, record: Record, error: Exception) -> Status:
        status = status_to(error, record.request_id)
        self._note(record, status, error)
        return status

    def _note(self, record: Record, answer: Answer | Status, error: Exception) -> None:
        """Keep, count and report what an error is answered with."""
        record.message = answer.message
        if answer.is_unforeseen:
            request_id = record.request_id
            self._log.error(log_events.RPC_CRASHED, request_id=request_id, exc_info=error)
        elif answer.code is grpc.StatusCode.PERMISSION_DENIED:
            self.denied[record.method] += 1
            record.denied_so_far = self.denied.total()

    def _code_of(self, wire: WireCall, record: Record, *, is_cancelled: bool) -> str:
        """What the caller got."""
        if wire.status:
            return status_name(wire.status)
        if is_cancelled or wire.status is None:
            has_expired = wire.deadline * 1e9 <= self._clock.now_ns()
            code = grpc.StatusCode.DEADLINE_EXCEEDED if has_expired else grpc.StatusCode.CANCELLED
            return code.name
        return record.code or OK
