"""Clients that call any of several servers again and again, and check the answers."""

import asyncio
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

from nc.pb import network_controller_pb2 as pb
from nc.testing.contract.laws.cluster import NEVER_OLDER
from nc.testing.contract.operations import MISTAKE, OK
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import first_of

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster

NOT_DONE: Final = "nothing was changed"

_CLIENTS: Final = 3
_PAUSE_S: Final = 0.25  # between the calls of a client
_RECENT: Final = 6  # nodes that are asked about

_RESPONSES: Final[dict[str, Any]] = {
    "GetBootStrapToken": pb.GetBootStrapTokenResponse,
    "GetToken": pb.GetTokenResponse,
    "UnRegister": pb.UnRegisterResponse,
    "CheckConnState": pb.CheckConnResponse,
}
_QUERY: Final = "CheckConnState"


@dataclass
class _Node:
    """What clients know of a node: when things began and ended, in seconds."""

    token: str
    registered_s: float
    leaving_s: float = inf
    gone_s: float = inf


class Crowd:
    """The clients, and what they know, which they keep from one run to the next."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._chance = SeededRandom(("crowd", cluster.plan.seed))
        self._nodes: list[_Node] = []
        self._requests = 0
        self._bootstrap = ""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_CLIENTS):
                group.create_task(self._run())

    async def _run(self) -> None:
        doings = (self._register, self._register, self._unregister, *[self._look] * 4)
        while True:
            await asyncio.sleep(_PAUSE_S * self._chance.random())
            if not self._bootstrap:
                await self._issue()
            elif not self._nodes:
                await self._register()
            else:
                await self._chance.pick(doings)()

    async def _ask(self, method: str, request: Any) -> Any:
        """What any server answers; None: nothing, or no response of the method."""
        cluster = self._cluster
        self._requests += 1
        request_id = f"00000000-0000-8000-9000-{self._requests:012x}"
        if not cluster.servers:
            return None
        server = self._chance.pick(cluster.servers)
        task = server.life.run(server.ports.ask(method, request.SerializeToString(), request_id))
        await first_of(task, server.life.over.wait())
        if not task.done() or task.cancelled():
            return None
        call = task.result()
        response = None if call.answer is None else _RESPONSES[method].FromString(call.answer)
        if NOT_DONE in (call.refusal[1] if response is None else response.message):
            cluster.refused.add(request_id)
        elif response is not None and response.code == OK and method != _QUERY:
            cluster.acknowledged.add(request_id)
        return response

    def _saw(self, what: str, *, holds: bool) -> None:
        self._cluster.saw(NEVER_OLDER, what, holds=holds)

    async def _issue(self) -> None:
        response = await self._ask("GetBootStrapToken", pb.GetBootStrapTokenRequest(expireTime=-1))
        if response is not None and response.code == OK:
            self._bootstrap = response.bootStrapToken

    async def _register(self) -> None:
        request = pb.GetTokenRequest(bootStrapToken=self._bootstrap)
        response = await self._ask("GetToken", request)
        if response is not None and response.code in {OK, MISTAKE}:
            self._saw(f"a good token is refused: {response.message}", holds=response.code == OK)
            if response.code == OK:
                self._nodes.append(_Node(response.token, self._cluster.now_s))

    async def _unregister(self) -> None:
        node = self._chance.pick(self._nodes)
        node.leaving_s = min(node.leaving_s, self._cluster.now_s)
        response = await self._ask("UnRegister", pb.UnRegisterRequest(token=node.token))
        if response is not None and response.code == OK:
            node.gone_s = min(node.gone_s, self._cluster.now_s)

    async def _look(self) -> None:
        node = self._chance.pick(self._nodes[-_RECENT:])
        began_s, was_gone_s = self._cluster.now_s, node.gone_s
        response = await self._ask(_QUERY, pb.CheckConnStateRequest(token=node.token))
        if response is None:
            return
        if response.code == OK:
            what = f"a node is known that was unregistered at {was_gone_s:+.3f} s"
            self._saw(what, holds=was_gone_s >= began_s)
        elif response.code == MISTAKE:
            what = f"a node is unknown, registered at {node.registered_s:+.3f} s"
            self._saw(f"{what}: {response.message}", holds=node.leaving_s <= self._cluster.now_s)
