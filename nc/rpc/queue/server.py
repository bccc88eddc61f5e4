"""Ports on one completion queue, the thread that waits for it, and a stop in good order."""

import asyncio
import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import grpc

from nc.clock import Clock
from nc.rpc.queue.binding import cygrpc
from nc.rpc.queue.crowds import Crowds
from nc.rpc.queue.hang_up import HangUps
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.needs import Gate
from nc.rpc.queue.own_time import OwnTime
from nc.rpc.queue.port import Port, Routes

# How often calls that have waited too long are ended, and after how many events at the latest.
_SWEEP_S: Final = 1.0
_SWEEP_EVENTS: Final = 256

# How long `between_calls` may wait for others.
_SOON_S: Final = 0.005

# At a stop: how long no call may have come in for all to have arrived, and how often that is
# waited for, so that callers who never pause cannot prevent a stop.
_QUIET_S: Final = 0.05
_QUIET_TRIES: Final = 20

# At a stop: how long clients get to close their connections by themselves.
_CLOSE_S: Final = 0.2


class QueueThreadDied(Exception):
    """The thread that waits for gRPC has ended before the server."""


class QueueServer:
    """Ports that begin and end together; used on the event loop that it was made on.

    It has to be stopped, started or not: gRPC ends the process when a port is left to the garbage
    collector.

    Args:
        clock: by which calls time out.
        report: called with an error that a handler did not deal with, from any thread.
        between_calls: called in the queue's thread some milliseconds after `want_between_calls`, or
            after some hundred events: for what is cheaper for many calls than for each.
        connections: see `Crowds`.
        report_crowd: likewise.
        report_held_back: see `HangUps`.
    """

    def __init__(
        self,
        clock: Clock,
        report: Callable[[Exception], None],
        between_calls: Callable[[], None] = lambda: None,
        connections: int = sys.maxsize,
        report_crowd: Callable[[str, int], None] = lambda _party, _ended: None,
        report_held_back: Callable[[str], None] = lambda _party: None,
    ) -> None:
        self.queue = cygrpc.CompletionQueue()
        self.clock = clock
        self._own_time = OwnTime(clock.monotonic_ns)
        self.report = report
        self._between_calls = between_calls
        self._soon_s = 0.0  # when `between_calls` is wanted, Unix time; 0 if it is not
        self._loop = asyncio.get_running_loop()
        self._round_until_ns = clock.monotonic_ns()  # when the queue's thread is to sweep again
        self._handed: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_scheduled = self._is_stopping = False
        self._ports: list[Port] = []
        self._numbers: dict[int, int] = {}  # of the ports; see `Limits.brought`
        self.hang_ups = HangUps(clock.monotonic_ns, self._numbers, report_held_back)
        self._crowds = Crowds(clock, self._numbers, connections, report_crowd)
        self._thread: threading.Thread | None = None
        self._died: asyncio.Future[None] = self._loop.create_future()

    def listen(
        self,
        address: str,
        routes: Routes,
        gate: Gate,
        *,
        options: Iterable[tuple[str, int]] = (),
        credentials: grpc.ServerCredentials | None = None,
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> Port:
        """Take a port, to be served from `start` on.

        Raises:
            PortTaken: another program has it, or it may not be had.
        """
        port = Port(self, address, routes, gate, options, credentials, limits)
        self._ports.append(port)
        self._numbers[port.number] = limits.brought
        return port

    def start(self) -> "asyncio.Task[None]":
        """Begin to take calls on every port; returns a task that dies if the queue's thread does.

        No exception of a handler ends the thread.
        """
        for port in self._ports:
            port.start()
        self._start_thread()
        self._crowds.start()
        return self._loop.create_task(self._watch())

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, let those under way finish within the grace, end the others.

        What has arrived before is answered: gRPC would cancel the calls that it has not yet handed
        over.
        """
        if self._is_stopping:
            return
        self._is_stopping = True
        if self._thread is None or self._died.done():
            thread = self._start_thread()
        else:
            thread = self._thread
            for port in self._ports:
                port.held_refusals.begin()
            await self._quiet()
        for port in self._ports:
            port.stop_accepting()
            port.end_calls(that_wait=True)
        await _all(grace_s, *(port.is_idle for port in self._ports))
        for port in self._ports:
            port.end_calls(that_wait=False)
        await _all(_CLOSE_S, *(port.is_gone for port in self._ports))
        for port in self._ports:
            port.cancel_all()
        await _all(None, *(port.is_gone for port in self._ports))
        for port in self._ports:
            port.abandon()
        self.queue.shutdown()
        await asyncio.to_thread(thread.join)
        await asyncio.to_thread(self.hang_ups.stop)
        await asyncio.to_thread(self._crowds.stop)
        self._died.cancel()
        for port in self._ports:
            port.destroy()
        self._ports.clear()

    def to_loop(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run a function on the event loop, from any thread; several at a time."""
        self._handed.append((function, arguments))
        if not self._is_scheduled:
            self._is_scheduled = True
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._run_handed)

    def want_between_calls(self) -> None:
        """Have `between_calls` called soon; in the queue's thread."""
        if not self._soon_s:
            self._soon_s = self.clock.now_ns() / 1e9 + _SOON_S

    def _run_handed(self) -> None:
        self._is_scheduled = False  # before what is handed is looked at: nothing stays behind
        while self._handed:
            function, arguments = self._handed.popleft()
            try:
                function(*arguments)
            except Exception as error:  # noqa: BLE001 - the others must run
                self.report(error)

    async def _quiet(self) -> None:
        for _ in range(_QUIET_TRIES):
            before = [port.arrived for port in self._ports]
            await asyncio.sleep(_QUIET_S)
            if before == [port.arrived for port in self._ports]:
                return

    def _start_thread(self) -> threading.Thread:
        self._thread = threading.Thread(target=self._poll, daemon=True, name="grpc-queue")
        self._thread.start()
        return self._thread

    async def _watch(self) -> None:
        woken_ns = 0
        with contextlib.suppress(asyncio.CancelledError):
            while not self._died.done():
                await asyncio.wait([self._died], timeout=_SWEEP_S)
                round_ns, now_ns = self._round_until_ns, self.clock.monotonic_ns()
                is_late = now_ns > round_ns + int(_SWEEP_S * 1e9) and round_ns != woken_ns
                if is_late and not self._is_stopping:
                    woken_ns = round_ns
                    self._wake()
            await self._died

    def _wake(self) -> None:
        """Give the queue an event: it waits by the wall clock, which may have been put back."""
        server = cygrpc.Server((), False)
        server.register_completion_queue(self.queue)
        server.start()
        server.shutdown(self.queue, lambda _: server.destroy())

    def _poll(self) -> None:
        """Wait for gRPC; the queue's thread."""
        try:
            self._own_time.begin()
            sweep_s = _SWEEP_S
            while not self._is_over(sweep_s):
                self._soon_s = 0.0
                self._between_calls()
                now_ns = self._own_time.look()
                has_more = [port.sweep(now_ns) for port in self._ports]
                sweep_s = 0.0 if any(has_more) else _SWEEP_S
        except BaseException as error:  # noqa: BLE001 - SystemExit and the like: it ends the server
            self.to_loop(self._die, error)

    def _die(self, error: BaseException) -> None:
        if not self._died.done():
            self._died.set_exception(QueueThreadDied(repr(error)))

    def _is_over(self, sweep_s: float) -> bool:
        """Handle events until it is time to sweep; whether the queue has ended."""
        deadline = self.clock.now_ns() / 1e9 + sweep_s
        event, monotonic_ns, own_time = None, self.clock.monotonic_ns, self._own_time
        until_ns = self._round_until_ns = monotonic_ns() + int(_SWEEP_S * 1e9)
        for _ in range(_SWEEP_EVENTS):
            # An event that is still referred to keeps its call alive, and gRPC's shutdown waiting.
            del event
            try:
                began_ns = monotonic_ns()
                event = self.queue.poll(deadline)
                now_ns = monotonic_ns()
                own_time.idle_ns += now_ns - began_ns
                if event.tag is None:
                    return bool(event.completion_type == cygrpc.CompletionType.queue_shutdown)
                event.tag(event)
                deadline = self._soon_s or deadline
                if now_ns > until_ns:  # the clock that gRPC waits by was put back
                    break
            except Exception as error:  # noqa: BLE001 - no error may end the thread
                event = None
                self.report(error)
                for port in self._ports:  # the event may have been for one of a port's requests
                    port.request()
        return False


async def _all(timeout_s: float | None, *events: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            for event in events:
                await event.wait()
