"""The clients of a trial: what they ask any of the servers, and what they may be answered.

Laws: an answer is never older than an acknowledgement; what was acknowledged is in the log, and
what "changed nothing" is not.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nc.domain.invitations import InviteReplica
from nc.domain.links import AcceptLink
from nc.pb import network_controller_pb2 as pb
from nc.replica.batch import Origin
from nc.secrets import TokenIds
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import first_of
from nc.testing.simulation.replicas.sites import Process
from nc.testing.targets.in_process import START_MS

__all__ = ["Clients", "Node"]

_PAUSE_S: Final = 0.25  # between the calls of a client
_NOT_DONE: Final = "nothing was changed"
_RECENT: Final = 6  # nodes that are asked about

_COMMANDS: Final = ("GetBootStrapToken", "GetToken", "UnRegister")
_RESPONSES: Final[dict[str, Any]] = {
    "GetBootStrapToken": pb.GetBootStrapTokenResponse,
    "GetToken": pb.GetTokenResponse,
    "UnRegister": pb.UnRegisterResponse,
    "CheckConnState": pb.CheckConnResponse,
}

ISSUE: Final = pb.GetBootStrapTokenRequest(expireTime=-1)


@dataclass
class Node:
    """What clients know of a node: when things began and ended, in seconds."""

    token: str
    registered_s: float
    leaving_s: float = float("inf")
    gone_s: float = float("inf")


class Clients:
    """All of them.

    Args:
        up: the servers that can be asked.
        breach: gets each breach of a law.
        now_s: the time.

    Attributes:
        acknowledged, refused: request ids of commands.
        answers: how many were OK.
    """

    def __init__(
        self,
        up: Callable[[], Sequence[Process]],
        breach: Callable[[str], None],
        now_s: Callable[[], float],
        token_ids: TokenIds,
        chance: SeededRandom,
    ) -> None:
        self._up = up
        self._breach = breach
        self._now_s = now_s
        self._token_ids = token_ids
        self._chance = chance
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.answers = 0
        self._nodes: list[Node] = []
        self._requests = 0
        self._bootstrap = ""

    async def ask(self, method: str, request: Any) -> tuple[str, Any, str]:
        """Ask any server: code, response, request id; "" if there was no answer."""
        self._requests += 1
        request_id = f"00000000-0000-8000-8000-{self._requests:012x}"
        if not (up := self._up()):
            return "", None, request_id
        process = self._chance.pick(up)
        made = process.ports.ask(method, request.SerializeToString(), request_id)
        task = process.life.run(made)
        await first_of(task, process.life.over.wait())
        if not task.done() or task.cancelled():
            return "", None, request_id
        call = task.result()
        if call.answer is None:
            if _NOT_DONE in call.refusal[1]:
                self.refused.add(request_id)
            return call.refusal[0], None, request_id
        response = _RESPONSES[method].FromString(call.answer)
        if response.code == "200":
            self.answers += 1
            if method in _COMMANDS:
                self.acknowledged.add(request_id)
        elif _NOT_DONE in response.message:
            self.refused.add(request_id)
        return response.code, response, request_id

    async def run(self) -> None:
        """One client, for ever."""
        doings = (
            *(self._register, self._register, self._unregister, self._link),
            *(self._look, self._look, self._look, self._look, self._invite),
        )
        while True:
            await asyncio.sleep(_PAUSE_S * self._chance.random())
            if not self._bootstrap:
                code, response, _ = await self.ask("GetBootStrapToken", ISSUE)
                self._bootstrap = response.bootStrapToken if code == "200" else ""
            elif not self._nodes:
                await self._register()
            else:
                await self._chance.pick(doings)()

    async def _register(self) -> None:
        request = pb.GetTokenRequest(bootStrapToken=self._bootstrap)
        code, response, _ = await self.ask("GetToken", request)
        if code == "200":
            self._nodes.append(Node(response.token, self._now_s()))
        elif code == "400":
            self._breach(f"a good bootstrap token is refused: {response.message}")

    async def _unregister(self) -> None:
        node = self._chance.pick(self._nodes)
        node.leaving_s = min(node.leaving_s, self._now_s())
        code, _, _ = await self.ask("UnRegister", pb.UnRegisterRequest(token=node.token))
        if code == "200":
            node.gone_s = min(node.gone_s, self._now_s())

    async def _look(self) -> None:
        node = self._chance.pick(self._nodes[-_RECENT:])
        began_s, was_gone = self._now_s(), node.gone_s
        code, response, _ = await self.ask(
            "CheckConnState", pb.CheckConnStateRequest(token=node.token)
        )
        if code == "200" and was_gone < began_s:
            self._breach(f"a node is known that was unregistered at {was_gone:.3f}")
        if code == "400" and node.leaving_s > self._now_s():
            self._breach(
                f"a node is unknown: registered {node.registered_s:.3f}, {response.message}"
            )

    async def _invite(self) -> None:
        """A change that an older server does not know how to read."""
        for process in self._up():
            if process.leads:
                self._requests += 1
                invite = InviteReplica(f"invitation {self._requests}", START_MS)
                origin = Origin("certificate:admin", "invite", f"invite {self._requests}")
                task = process.life.run(process.replica.submit(invite, origin))
                await first_of(task, process.life.over.wait())
                return

    async def _link(self) -> None:
        """A server accepts a link."""
        if not (up := self._up()):
            return
        process, node = self._chance.pick(up), self._chance.pick(self._nodes)
        node_id, session = self._token_ids.id_of(node.token), process.replica.session
        self._requests += 1
        link_id = f"link {self._requests}"
        accept = AcceptLink(node_id, link_id, START_MS, session=session)
        made = process.replica.submit(accept, Origin(f"link:{node_id}", "link", link_id))
        task = process.life.run(made)
        await first_of(task, process.life.over.wait())
        if task.done() and not task.cancelled() and task.exception() is None:
            process.links[node_id] = link_id, session
