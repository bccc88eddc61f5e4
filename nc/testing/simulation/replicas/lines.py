"""What servers say to each other, without sockets: late, not at all, or one way only."""

import asyncio
from typing import Any, Final, Protocol

from nc.pb.replica.v1 import replication_pb2 as pb
from nc.rpc.api import Call
from nc.rpc.callers import Caller, CallerKind
from nc.rpc.methods import Methods, StreamMethod
from nc.rpc.replication.line import LineBroken
from nc.services import REPLICA_SERVICE, path_of
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import Life

__all__ = ["Lines", "SimulatedLine"]

_FOLLOW, _FORWARD = map(path_of, REPLICA_SERVICE.methods)
_CALL: Final = Call(Caller(CallerKind.REPLICA, "replica"), "replica", "replica", 0)
_LOOK_S: Final = 0.02


class Callee(Protocol):
    """A server that can be called."""

    life: Life

    @property
    def methods(self) -> Methods: ...


class Lines:
    """All of them.

    Attributes:
        callees: those that run, by the address of their control port.
        cut: who does not reach whom: from, to.
        latency_s: how long a message takes at most.
    """

    def __init__(self, chance: SeededRandom) -> None:
        self.callees: dict[str, Callee] = {}
        self.cut: set[tuple[str, str]] = set()
        self.open: dict[SimulatedLine, None] = {}  # in the order in which they were opened
        self.latency_s = 0.002
        self._chance = chance

    async def carry(self, source: str, destination: str) -> None:
        """Be on the way; what is cut off waits, as TCP sends it again."""
        await asyncio.sleep(self.latency_s * self._chance.random())
        while (source, destination) in self.cut:  # noqa: ASYNC110 - whoever mends it just does
            await asyncio.sleep(_LOOK_S)

    def reset(self, source: str, *, both: bool) -> None:
        """End the lines of a caller at their other ends; whether the caller knows at once, too."""
        for line in self.open:
            if line.source == source:
                line.reset(both=both)

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
        self.to_caller: asyncio.Queue[bytes] = asyncio.Queue()

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
            method: Any = callee.methods[_FOLLOW]
            self._lines.open[self] = None
            self._work = callee.life.run(self._serve(method))
            self._carrier = asyncio.create_task(self._carry())
        if self._work.done() and not self._is_deaf:
            raise LineBroken("the end")
        self._sent.put_nowait(message.SerializeToString())

    async def receive(self) -> pb.FromLeader:
        while True:
            is_over = self._work is None or self._work.done()
            if is_over and self._messages.to_caller.empty() and not self._is_deaf:
                raise LineBroken("the end")
            try:
                async with asyncio.timeout(_LOOK_S):
                    data = await self._messages.to_caller.get()
            except TimeoutError:
                self._lines.callee(self._destination)
                continue
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

    def reset(self, *, both: bool) -> None:
        """End it for the callee; the caller waits for ever unless it knows, too."""
        self._is_deaf = not both
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
