"""Clients: some ask every replica about nodes without a pause, others change what they are told of.

A worker leads nodes through their lives, each step at a replica that chance chooses, and asks all
replicas at once after each step that was acknowledged: there an answer that is too old is seen.
"""

import asyncio
import random
from collections import deque
from pathlib import Path

from benchmarks.drill.record import Question, Record
from benchmarks.drill.site import CONTROL_PORT, MACHINES
from nc.client.channel import Channel
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.testing.contract.administration import Describe, RevokeToken, UpdateNode
from nc.testing.contract.history import Answer, Secret
from nc.testing.contract.operations import (
    OK,
    Call,
    CheckState,
    Facts,
    GetAddress,
    IssueToken,
    Port,
    Query,
    Redeem,
    Unregister,
)
from nc.testing.targets.calls import Names, answer_of, denied, request_of

# Beyond what a server lets wait: its answer, also that it cannot, comes before.
_QUERY_S = 6.0
_COMMAND_S = 16.0

_TOKEN_MINUTES = 600  # longer than any drill
_ISSUE_S = 0.5
_REMEMBERED = 12  # nodes of workers that are asked about


class Clients:
    """All clients.

    Args:
        record: gets every question.
        pki: the folder of an administrator's certificate.
        agents: the tokens of the agents' nodes, by their names.
        seed: of what they choose.
        pause_s: between two questions of one client.
    """

    def __init__(
        self, record: Record, pki: Path, agents: dict[str, str], seed: int, pause_s: float
    ) -> None:
        self._record = record
        pems = ((pki / f"{name}.pem").read_bytes() for name in ("ca", "client-key", "client"))
        self._tls = ClientTls(*pems)
        self._names = Names()
        for name, token in agents.items():
            self._names.remember(Redeem("", name), Answer(Facts(OK), token=Secret(token)))
        self._agents = list(agents)
        self._recent: deque[str] = deque(maxlen=_REMEMBERED)
        self._seed, self._pause_s = seed, pause_s
        self._count = 0

    async def run(self, workers: int) -> None:
        """Ask until cancelled: so many workers at each replica, and one that polls."""
        async with asyncio.TaskGroup() as group:
            for server in MACHINES:
                group.create_task(self._poll(server))
                group.create_task(self._issue(server))
                for number in range(workers):
                    chance = random.Random(f"{self._seed} {server} {number}")  # noqa: S311
                    group.create_task(self._work(Caller(self._tls), server, chance))

    async def _poll(self, server: str) -> None:
        """Ask one replica for states and addresses."""
        caller, chance = Caller(self._tls), random.Random(f"{self._seed} {server}")  # noqa: S311
        try:
            while True:
                node = chance.choice([*self._agents, *self._recent])
                kind = CheckState if chance.random() < 0.8 else GetAddress  # noqa: PLR2004
                await self._ask(caller, server, kind(node))
                await asyncio.sleep(self._pause_s)
        finally:
            await caller.close()

    async def _issue(self, server: str) -> None:
        """Begin to ask for a token twice a second, whether or not the one before has come."""
        caller = Caller(self._tls)
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    self._count += 1
                    token = IssueToken(f"token {self._count}", _TOKEN_MINUTES)
                    group.create_task(self._ask(caller, server, token))
                    await asyncio.sleep(_ISSUE_S)
            finally:
                await caller.close()

    async def _work(self, caller: "Caller", home: str, chance: random.Random) -> None:
        """Lead one node after the other through its life; new tokens are asked for at `home`."""
        try:
            while True:
                self._count += 1
                await self._life(caller, home, chance, f"token {self._count}", self._count)
                await asyncio.sleep(self._pause_s)
        finally:
            await caller.close()

    async def _life(
        self, caller: "Caller", home: str, chance: random.Random, token: str, number: int
    ) -> None:
        def any_of_them() -> str:
            return chance.choice(list(MACHINES))

        issued = await self._ask(caller, home, IssueToken(token, _TOKEN_MINUTES))
        if not issued.is_ok:
            return
        node = f"node {number}"
        redeemed = await self._ask(caller, any_of_them(), Redeem(token, node, Port.CONTROL))
        if chance.random() < 0.3:  # noqa: PLR2004
            await self._ask(caller, any_of_them(), RevokeToken(token))
            await self._ask(caller, any_of_them(), Redeem(token, f"{node} late", Port.CONTROL))
        if not redeemed.is_ok:
            return
        self._recent.append(node)
        await self._everywhere(caller, CheckState(node))
        for turn in range(chance.randrange(3)):
            await self._ask(caller, any_of_them(), UpdateNode(node, label=f"l{number}-{turn}"))
            await self._everywhere(caller, Describe(node))
        if chance.random() < 0.8:  # noqa: PLR2004
            await self._ask(caller, any_of_them(), Unregister(node))
            await self._everywhere(caller, CheckState(node))

    async def _everywhere(self, caller: "Caller", query: Query | Describe) -> None:
        await asyncio.gather(*(self._ask(caller, server, query) for server in MACHINES))

    async def _ask(self, caller: "Caller", server: str, operation: Call) -> Question:
        request = request_of(operation, self._names)
        timeout_s = _QUERY_S if operation.reads else _COMMAND_S
        question = self._record.begin(server, operation)
        try:
            channel = await caller.channel(server)
            response = await channel.call(
                operation.method, request, request_id=question.request_id, timeout_s=timeout_s
            )
            answer = answer_of(operation, response)
            self._names.remember(operation, answer)
        except CallFailed as failed:
            status = failed.code.name
            answer = denied(status, failed.details)
            if status == "DEADLINE_EXCEEDED":  # the connection may be dead
                await caller.drop(server)
        self._record.answered(question, answer)
        if not question.is_settled:
            await asyncio.sleep(self._pause_s)
        return question


class Caller:
    """One client's connections."""

    def __init__(self, tls: ClientTls) -> None:
        self._tls = tls
        self._channels: dict[str, Channel] = {}

    async def channel(self, server: str) -> Channel:
        if server not in self._channels:
            channel = Channel(MACHINES[server], CONTROL_PORT, self._tls)
            self._channels[server] = await channel.__aenter__()
        return self._channels[server]

    async def drop(self, server: str) -> None:
        """The next call makes a new connection."""
        if server in self._channels:
            await self._channels.pop(server).__aexit__()

    async def close(self) -> None:
        for server in list(self._channels):
            await self.drop(server)
