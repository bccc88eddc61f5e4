"""Messages of servers to each other, without sockets: late, not at all, or one way only."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from nc.pb.replica.v1 import replication_pb2 as pb
from nc.rpc.api import Call
from nc.rpc.callers import Caller, CallerKind
from nc.rpc.methods import Methods, StreamMethod
from nc.rpc.replication.line import LineBroken
from nc.services import REPLICA_SERVICE, path_of
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import Life

LATENCY_S: Final = 0.004
THE_LOG: Final = "the log"  # in place of an address

_FOLLOW, _FORWARD = map(path_of, REPLICA_SERVICE.methods)
_CALL: Final = Call(Caller(CallerKind.REPLICA, "replica"), "replica", "replica", 0)
_LOOK_S: Final = 0.02
_LATE_S: Final = 0.5


class Callee(Protocol):
    life: Life

    @property
    def methods(self) -> Methods: ...


def way(source: str, destination: str) -> str:
    """The name of the way from one server's address to another's, as of an uplink."""
    return f"{source}>{destination}"


class Lines:
    """The lines of one cluster.

    Args:
        is_cut_off: whether nothing comes through on a way.
        are_late: whether everything takes long.

    Attributes:
        callees: those that run, by their addresses.
        open: between servers, in the order in which they were opened.
    """

    def __init__(
        self,
        chance: SeededRandom,
        is_cut_off: Callable[[str], bool],
        are_late: Callable[[], bool],
    ) -> None:
        self.callees: dict[str, Callee] = {}
        self.open: dict[SimulatedLine, None] = {}
        self._are_late = are_late
        self._is_cut_off = is_cut_off
        self._chance = chance

    async def carry(self, source: str, destination: str) -> None:
        """Wait as long as a message takes; on a way that is cut off, until it is mended."""
        latency_s = _LATE_S if self._are_late() else LATENCY_S
        await asyncio.sleep(latency_s * self._chance.random())
        await self._pass(source, destination)

    async def connect(self, source: str, destination: str) -> None:
        """Shake hands as TLS does: wait until both ways are open."""
        await self._pass(source, destination)
        await self._pass(destination, source)

    async def _pass(self, source: str, destination: str) -> None:
        while self._is_cut_off(way(source, destination)):  # noqa: ASYNC110 - mended as it may be
            await asyncio.sleep(_LOOK_S)

    def reset(self, source: str) -> None:
        """End the lines of a caller at their other ends; the caller is not told, and waits."""
        for line in self.open:
            if line.source == source:
                line.reset()

    def callee(self, address: str) -> Callee:
        """Raises LineBroken if there is none."""
        found = self.callees.get(address)
        if found is None or found.life.is_over:
            raise LineBroken("connection refused")
        return found


class _Messages:
    """The callee's end of a line: `nc.rpc.methods.Messages`."""

    def __init__(self) -> None:
        self.to_callee: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.to_caller: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: the end

    async def read(self) -> bytes | None:
        return await self.to_callee.get()

    async def write(self, message: bytes) -> None:
        self.to_caller.put_nowait(message)

    def check(self) -> None: ...


class SimulatedLine:
    """See `nc.rpc.replication.line.Line`.

    Args:
        source: the address of the caller.
    """

    def __init__(self, lines: Lines, source: str, destination: str) -> None:
        self._lines = lines
        self.source, self._destination = source, destination
        self._is_deaf = False
        self._messages = _Messages()
        self._work: asyncio.Task[None] | None = None
        self._sent: asyncio.Queue[bytes] = asyncio.Queue()
        self._carrier: asyncio.Task[None] | None = None

    async def send(self, message: pb.FromFollower) -> None:
        callee = self._lines.callee(self._destination)
        if self._work is None:
            await self._lines.connect(self.source, self._destination)
            callee = self._lines.callee(self._destination)
            method: Any = callee.methods[_FOLLOW]
            self._lines.open[self] = None
            self._work = callee.life.run(self._serve(method))
            self._work.add_done_callback(self._ended)
            self._carrier = asyncio.create_task(self._carry())
        if self._work.done() and not self._is_deaf:
            raise LineBroken("the end")
        self._sent.put_nowait(message.SerializeToString())

    async def receive(self) -> pb.FromLeader:
        data = await self._messages.to_caller.get()
        if data is None:
            raise LineBroken("the end")
        await self._lines.carry(self._destination, self.source)
        return pb.FromLeader.FromString(data)

    async def forward(self, request: pb.ForwardRequest, timeout_s: float) -> pb.ForwardResponse:
        callee = self._lines.callee(self._destination)
        method: Any = callee.methods[_FORWARD]
        try:
            async with asyncio.timeout(timeout_s):
                await self._lines.carry(self.source, self._destination)
                copy = pb.ForwardRequest.FromString(request.SerializeToString())
                work: asyncio.Task[Any] = callee.life.run(method.operation(copy, _CALL))
                await asyncio.wait([work])
                await self._lines.carry(self._destination, self.source)
        except TimeoutError:
            raise LineBroken("no answer") from None
        if work.cancelled() or work.exception() is not None:
            raise LineBroken("it is gone")
        response: pb.ForwardResponse = work.result()
        return response

    def _ended(self, _work: object) -> None:
        if not self._is_deaf:
            self._messages.to_caller.put_nowait(None)

    def reset(self) -> None:
        """See `Lines.reset`."""
        self._is_deaf = True
        self._messages.to_callee.put_nowait(None)

    async def close(self) -> None:
        self._lines.open.pop(self, None)
        if self._carrier is not None:
            self._carrier.cancel()
        self._messages.to_callee.put_nowait(None)

    async def _carry(self) -> None:
        while True:
            message = await self._sent.get()
            await self._lines.carry(self.source, self._destination)
            self._messages.to_callee.put_nowait(message)

    async def _serve(self, method: StreamMethod) -> None:
        await method.behaviour(self._messages, _CALL)
