"""One port: takes its calls, decides about each at its headers, and knows which are under way."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import grpc

from nc.rpc.queue.batches import Batches
from nc.rpc.queue.binding import cygrpc
from nc.rpc.queue.call import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Handle,
    Refusal,
    ServerCall,
)
from nc.rpc.queue.deadlines import Deadlines
from nc.rpc.queue.held_refusals import HeldRefusals
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.messages import Messages
from nc.rpc.queue.needs import Gate, Runner
from nc.rpc.queue.stream import Behaviour, Stream

# Requests for calls that gRPC always has; calls beyond it wait in gRPC until the thread comes by.
_REQUESTS: Final = 64

# Unanswered calls that are kept until their connection is silent, so that no others take their
# place: gRPC ends a call that nobody refers to, and the caller begins another.
_UNANSWERED: Final = 2048

_STALLED: Final = "too many of your calls wait for their message; send it with the call"
_STOPS: Final = "the server is shutting down; try again in a moment"
_LATE: Final = "no message within {:g} s; send it with the call"
_NO_ROOM: Final = (
    "the server had no room to receive the call's message: too many others are on their way; "
    "try again in a moment, with fewer calls at a time"
)

# Calls that are ended at once for being late; others wait meanwhile.
_SWEEP_CALLS: Final = 64


@dataclass(frozen=True, slots=True)
class Unary:
    """A method with one message each way."""

    handle: Handle


@dataclass(frozen=True, slots=True)
class Streaming:
    """A method whose messages a coroutine of the event loop reads and writes."""

    behaviour: Behaviour


Routes = Mapping[bytes, Unary | Streaming]


class PortTaken(Exception):
    """The address cannot be listened on."""


class Port:
    """One port; made by `QueueServer.listen`.

    Attributes:
        number: as it was bound.
        arrived: how many calls have come in.
        is_idle: set once no call is under way after `stop_accepting`.
        is_gone: set once connections are closed, too.
        start_batch: see `Batches.start`.
        receive, received: see `Messages`.
        answering: called with a call when something is sent that its caller must take in time.
        taken: likewise when the caller has taken it.
        held_refusals: while the server stops.
    """

    def __init__(
        self,
        runner: Runner,
        address: str,
        routes: Routes,
        gate: Gate,
        options: Iterable[tuple[str, int]],
        credentials: grpc.ServerCredentials | None,
        limits: Limits,
    ) -> None:
        self.runner = runner
        self._queue = runner.queue
        self._routes = routes
        self._gate = gate
        self._limits = limits
        self._calls: set[ServerCall] = set()
        self._unanswered: deque[ServerCall] = deque(maxlen=_UNANSWERED)
        self._tasks: set[asyncio.Task[None]] = set()
        self._messages = Messages(limits, self._is_unary)
        self._awaited_readers = Deadlines[ServerCall](limits.answer_s)
        self._is_started = self._is_accepting = False
        self._batches = Batches()
        self.start_batch = self._batches.start
        self.receive, self.received = self._messages.receive, self._messages.received
        self.answering, self.taken = self._awaited_readers.start, self._awaited_readers.stop
        self.held_refusals = HeldRefusals()
        self.arrived = 0
        self.is_idle, self.is_gone = asyncio.Event(), asyncio.Event()
        self._server = cygrpc.Server(tuple(options), False)
        self._server.register_completion_queue(runner.queue)
        self.number = self._bind(address, credentials)

    @property
    def calls_under_way(self) -> int:
        return len(self._calls)

    def start(self) -> None:
        self._server.start()
        self._is_started = self._is_accepting = True
        for _ in range(_REQUESTS):
            self.request()

    def request(self) -> None:
        """Ask gRPC for one more call."""
        if self._is_accepting:
            queue = self._queue
            try:  # noqa: SIM105 - for each call, a context manager would cost more than the rest
                self._server.request_call(queue, queue, self._arrived)
            except ValueError:  # the server shuts down at this moment
                pass

    def stop_accepting(self) -> None:
        """Take no more calls; those under way go on."""
        if not self._is_started:  # gRPC can only shut down what was started
            self._server.start()
        self._is_accepting = False
        self._unanswered.clear()
        self._server.shutdown(self.runner.queue, lambda _: self.runner.to_loop(self.is_gone.set))
        self.held_refusals.end()
        if not self._calls:
            self.is_idle.set()

    def end_calls(self, *, that_wait: bool) -> None:
        """End calls since the server stops: all, or only those whose message has not come."""
        for call in tuple(self._calls):
            if call.is_waiting or not that_wait:
                if self._is_unary(call):
                    call.refuse(UNAVAILABLE, _STOPS)
                else:
                    call.got(None)  # the stream then ends by itself

    def cancel_all(self) -> None:
        """End all calls and connections now, after `stop_accepting`."""
        if not self.is_gone.is_set():
            self._server.cancel_all_calls()

    def abandon(self) -> None:
        """Start nothing any more: the queue is about to end, after all connections are gone."""
        self._batches.end()

    def destroy(self) -> None:
        """Give up what gRPC holds for the port, and calls that were never answered."""
        for call in tuple(self._calls):
            self.ended(call, is_cancelled=True)
        self._server.destroy()

    def sweep(self, now_ns: int) -> bool:
        """End some calls that have waited too long; whether there may be more of them.

        Args:
            now_ns: in own time, at its last look.
        """
        self._unanswered.clear()  # their connections are silent
        stalled = self._messages.stalled(now_ns, _SWEEP_CALLS)
        for call in stalled:
            self._give_up(call, RESOURCE_EXHAUSTED, _STALLED if call.has_room else _NO_ROOM)
        late = self._messages.late(now_ns, _SWEEP_CALLS)
        for call in late:
            if not self._is_unary(call):
                call.got(None)  # it may have had all that it wants
            elif call.has_room:
                self._give_up(call, DEADLINE_EXCEEDED, _LATE.format(self._limits.body_s))
            else:
                self._give_up(call, RESOURCE_EXHAUSTED, _NO_ROOM)
        deaf = list(islice(self._awaited_readers.overdue(now_ns), _SWEEP_CALLS))
        for call in deaf:
            call.cancel()
        return _SWEEP_CALLS in {len(stalled), len(late), len(deaf)}

    def handle(self, call: ServerCall, handle: Handle, message: bytes | None) -> None:
        """Have a call's message handled; an exception ends the call, and nothing else."""
        if message is None:
            self._give_up(call, UNIMPLEMENTED, "this method takes exactly one request message")
            return
        try:
            work = handle(call, message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
            self._crashed(call, error)
        else:
            if work is not None:
                self.runner.to_loop(self._begin, call, work)

    def report(self, error: Exception) -> None:
        self.runner.report(error)

    def ended(self, call: ServerCall, *, is_cancelled: bool) -> None:
        """The call is over."""
        self._messages.forget(call)
        self._awaited_readers.stop(call)
        self._calls.discard(call)
        if call.is_judged:
            self._gate.ended(call, is_cancelled=is_cancelled)
        if not self._calls and not self._is_accepting:
            self.runner.to_loop(self.is_idle.set)

    def _bind(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        secured = [] if credentials is None else [credentials._credentials]  # type: ignore[attr-defined]  # noqa: SLF001 - as grpc itself does
        try:
            number: int = self._server.add_http2_port(address.encode(), *secured)
        except RuntimeError as error:
            raise PortTaken(address) from error
        if not number:
            raise PortTaken(address)
        return number

    def _arrived(self, event: Any) -> None:
        """A call's headers are there; in the queue's thread."""
        if not event.success:  # the server shuts down
            return
        self.request()
        self.arrived += 1
        call, hang_ups = ServerCall(self, event), self.runner.hang_ups
        if hang_ups.are_wanted and hang_ups.is_wanted(self.number, call.peer()):
            self._unanswered.append(call)  # to decide about it would cost several times as much
            return
        self._calls.add(call)
        try:
            self._decide(call)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
            self._crashed(call, error)

    def _decide(self, call: ServerCall) -> None:
        if len(self._calls) > self._limits.calls:
            call.refuse(RESOURCE_EXHAUSTED, "too many calls are under way; try again later")
            return
        call.is_judged = True
        refusal = self._gate.admit(call)
        if refusal is not None:
            self._refuse(call, refusal)
            return
        route = self._routes.get(call.path)
        if isinstance(route, Unary):
            call.receive(partial(self.handle, call, route.handle))
        elif route is not None:
            stream = Stream(call, self.runner.to_loop)
            self.runner.to_loop(stream.begin, route.behaviour)
        else:
            call.refuse(UNIMPLEMENTED, "no such method here; check its name and the port")

    def _refuse(self, call: ServerCall, refusal: Refusal) -> None:
        if not (refusal.hangs_up and self._is_accepting):
            if not self.held_refusals.hold(call, refusal):
                call.refuse(refusal.code, refusal.details)
            return  # else it gets no answer, which costs half
        self._calls.discard(call)
        self._unanswered.append(call)
        self.runner.hang_ups.want(self.number, call.peer())

    def _give_up(self, call: ServerCall, code: int, details: str) -> None:
        """End a call whose message did not come, maybe since its caller has left."""
        call.refuse(code, details)
        has_expired = call.deadline * 1e9 <= self.runner.clock.now_ns()  # maybe we are slow
        if not has_expired and self._gate.is_to_hang_up(call):
            self.runner.hang_ups.want(self.number, call.peer())

    def _is_unary(self, call: ServerCall) -> bool:
        return isinstance(self._routes.get(call.path), Unary)

    def _begin(self, call: ServerCall, work: Coroutine[Any, Any, None]) -> None:
        """Do what is left of a call; on the event loop."""

        async def guarded() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
                self._crashed(call, error)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _crashed(self, call: ServerCall, error: Exception) -> None:
        self.report(error)
        call.refuse(INTERNAL, "internal error")
