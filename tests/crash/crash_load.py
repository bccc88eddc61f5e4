"""Five hundred callers at once, until the server is killed; and what they were promised.

A promise is an answer that arrived. What was asked and never answered may have happened or not, so
for those the ledger keeps both outcomes.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from tests.support.request_ids import request_id_of
from tests.support.server_process import CHANNEL_OPTIONS, PATIENCE_S, ServerProcess

IN_FLIGHT = 500
BOOTSTRAP_CHANNELS = 8
CALLS_A_CONNECTION = 100  # well below what a server refuses
YEAR_S = 365 * 24 * 60 * 60
LISTED_NODES = 3  # in one UpdateSensorExpireTime, so that half of it could be seen

CONTROL = "/pb.LiteKubeNCService/"
BOOTSTRAP = "/pb.LiteKubeNCBootstrapService/"
INTERNAL = "/Internal/"


@dataclass
class NodePromise:
    """What is known of a node whose token was answered."""

    expiries_s: set[int] = field(default_factory=lambda: {0})  # one of them holds
    may_be_gone: bool = False  # an UnRegister was asked
    is_gone: bool = False  # and answered


@dataclass
class Ledger:
    """Everything that a folder's servers promised, over all their lives."""

    bootstrap_tokens: list[str] = field(default_factory=list)
    nodes: dict[str, NodePromise] = field(default_factory=dict)  # by token
    asked: dict[str, int] = field(default_factory=dict)  # request id to the events it means
    answered: set[str] = field(default_factory=set)  # request ids


class Load:
    """Callers that go on until the server is gone.

    Args:
        server: who is called.
        ledger: what was promised so far; it is added to.
        rng: what is asked, and of which node.
        name: of this round, for request ids.
        kill_after: after how many acknowledged answers `kill` is called.
        kill: ends the server.
    """

    def __init__(
        self,
        server: ServerProcess,
        ledger: Ledger,
        rng: random.Random,
        name: str,
        kill_after: int,
        kill: Callable[[], None],
    ) -> None:
        self._server = server
        self._ledger = ledger
        self._rng = rng
        self._name = name
        self._left = kill_after
        self._kill = kill
        self._killed = False
        self._numbers = itertools.count()
        self._idle = [token for token, node in ledger.nodes.items() if not node.may_be_gone]
        self.answers = 0

    async def run(self) -> None:
        """Call until the server is killed, and every call has ended."""
        server = self._server
        self._control = _channel(server.control_target, server.credentials(admin=True))
        self._bootstrap = [
            _channel(server.bootstrap_target, server.credentials(admin=False))
            for _ in range(BOOTSTRAP_CHANNELS)
        ]
        try:
            if not self._ledger.bootstrap_tokens:
                await self._issue()
            async with asyncio.TaskGroup() as callers:
                for _ in range(IN_FLIGHT):
                    callers.create_task(self._call_until_killed())
        finally:
            for channel in (self._control, *self._bootstrap):
                await channel.close()

    async def _call_until_killed(self) -> None:
        while not self._killed:
            action = self._rng.choices(
                (self._enrol, self._issue, self._unregister, self._expire), (82, 6, 6, 6)
            )[0]
            if len(self._idle) < LISTED_NODES:
                action = self._rng.choice((self._enrol, self._enrol, self._enrol, self._issue))
            try:
                await action()
            except grpc.aio.AioRpcError:
                if not self._killed:
                    raise

    async def _enrol(self) -> None:
        request = pb.GetTokenRequest(bootStrapToken=self._rng.choice(self._ledger.bootstrap_tokens))
        channel = self._rng.choice(self._bootstrap)
        answer = await self._ask(channel, BOOTSTRAP + "GetToken", request, pb.GetTokenResponse)
        self._ledger.nodes[answer.token] = NodePromise()
        self._idle.append(answer.token)
        self._acknowledged()

    async def _issue(self) -> None:
        answer = await self._ask(
            self._control,
            CONTROL + "GetBootStrapToken",
            pb.GetBootStrapTokenRequest(expireTime=-1),
            pb.GetBootStrapTokenResponse,
        )
        self._ledger.bootstrap_tokens.append(answer.bootStrapToken)
        self._acknowledged()

    async def _unregister(self) -> None:
        token = self._take()
        node = self._ledger.nodes[token]
        node.may_be_gone = True
        request = pb.UnRegisterRequest(token=token)
        answer = await self._ask(
            self._control, CONTROL + "UnRegister", request, pb.UnRegisterResponse
        )
        assert answer.result
        node.is_gone = True
        self._acknowledged()

    async def _expire(self) -> None:
        tokens = [self._take() for _ in range(LISTED_NODES)]
        # Long over or far away, so that it is the same at every look; odd years, so never 0.
        years = self._rng.choice((-1, 2))
        at_s = int(time.time()) + years * YEAR_S + self._rng.randrange(10_000_000)
        for token in tokens:
            self._ledger.nodes[token].expiries_s.add(at_s)
        listed = [sensor_pb2.SensorExpire(deviceToken=t.encode(), expireTime=at_s) for t in tokens]
        await self._ask(
            self._control,
            INTERNAL + "UpdateSensorExpireTime",
            sensor_pb2.SensorExpireTimeRequest(sensorExpire=listed),
            sensor_pb2.SensorExpireTimeResponse,
            events=LISTED_NODES,
        )
        for token in tokens:
            self._ledger.nodes[token].expiries_s = {at_s}
        self._idle += tokens
        self._acknowledged()

    def _take(self) -> str:
        """A node that nobody else asks about: what one caller sees must not depend on another."""
        at = self._rng.randrange(len(self._idle))
        self._idle[at], self._idle[-1] = self._idle[-1], self._idle[at]
        return self._idle.pop()

    async def _ask(
        self, channel: Any, path: str, request: Message, answer: type[Message], events: int = 1
    ) -> Any:
        request_id = request_id_of(f"{self._name}-{next(self._numbers)}")
        self._ledger.asked[request_id] = events
        response = await ask(channel, path, request, answer, request_id)
        assert response.code == "200", f"{path}: {response.code}, {response.message}"
        self._ledger.answered.add(request_id)
        return response

    def _acknowledged(self) -> None:
        self.answers += 1
        self._left -= 1
        if self._left <= 0 and not self._killed:
            self._killed = True
            self._kill()


def _channel(target: str, credentials: grpc.ChannelCredentials) -> Any:
    return grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS)


async def ask(
    channel: Any, path: str, request: Message, answer: type[Message], request_id: str
) -> Any:
    """One call, known by `request_id`."""
    call = channel.unary_unary(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return await call(request, timeout=PATIENCE_S, metadata=(("x-request-id", request_id),))


async def states_of(server: ServerProcess, tokens: list[str]) -> dict[str, Any]:
    """What the server answers to CheckConnState for each node token."""
    free = asyncio.Semaphore(CALLS_A_CONNECTION)

    async def look(channel: Any, number: int, token: str) -> Any:
        request = pb.CheckConnStateRequest(token=token)
        async with free:
            return await ask(
                channel,
                CONTROL + "CheckConnState",
                request,
                pb.CheckConnResponse,
                request_id_of(f"look-{number}"),
            )

    async with _channel(server.control_target, server.credentials(admin=True)) as channel:
        answers = await asyncio.gather(
            *(look(channel, number, token) for number, token in enumerate(tokens))
        )
    return dict(zip(tokens, answers, strict=True))
