"""Nodes' links to a running server: operations on them, and their effects.

A server learns of a link's end later than the node does. So each operation is answered once its
effect can be observed from outside, or a long wait for that is over: then the answers that follow
show what is wrong.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from nc.agent.connection import Target
from nc.net.machine import MachineFacts
from nc.net.wire import EXPIRED, CloseCode
from nc.testing.contract.history import Answer, CertificateSet
from nc.testing.contract.operations import MISTAKE, OK, Facts, Handshake, LinkOperation, OpenLink
from nc.testing.contract.values import CONNECTED, INIT, NO_FACTS
from nc.testing.targets.calls import Names
from nc.testing.targets.link_end import CUT, PATIENCE_S, LinkEnd, NotUpgraded, link_tls, open_link

LINKED: Final = (INIT, CONNECTED)

_LOOK_S: Final = 0.02

_REFUSALS: Final = {"HTTP 401", "HTTP 403"}

_NO_LINK: Final = Answer(Facts(MISTAKE), "there is no such link")


class Links:
    """The links of a trial's nodes, until the server that they lead to has ended.

    Args:
        stranger: the TLS of a node without certificates.
        state_of: asks the server for a node's state; None if that is refused, 0 without an answer.
        on_upgrade: called with each link that the server has accepted.

    Attributes:
        is_alone: nothing else happens at the same time, so that what ends a link refuses the
            operation; otherwise it is unknown whether that was done before.
    """

    def __init__(
        self,
        host: str,
        port: int,
        names: Names,
        stranger: CertificateSet,
        state_of: Callable[[str], Awaitable[int | None]],
        on_upgrade: Callable[[LinkEnd], Awaitable[None]],
    ) -> None:
        self._host = host
        self._port = port
        self._names = names
        self._stranger = stranger
        self._state_of = state_of
        self._on_upgrade = on_upgrade
        self.is_alone = False
        self._tls: dict[CertificateSet, ssl.SSLContext] = {}
        self._upgrades: dict[str, asyncio.Task[LinkEnd]] = {}  # by link
        self._openings: dict[str, asyncio.Task[Answer | None]] = {}  # by link
        self._ends: dict[str, list[LinkEnd]] = {}  # by node

    def of(self, node: str) -> list[LinkEnd]:
        """A node's links that are open at its own end."""
        return [end for end in self._ends.get(node, []) if end.is_open]

    async def carry_out(self, operation: LinkOperation, request_id: str) -> Answer | None:
        """Carry an operation out, and wait for its effect."""
        match operation:
            case OpenLink():
                return await self._open(operation, request_id)
            case Handshake(node, link):
                return await self._shake_hands(node, link, request_id)
        return await self._close(operation.node, operation.link)

    async def until_at_most(self, count: int, node: str) -> None:
        """Wait until a node has no more links than that."""

        async def are_few() -> bool:
            return len(self.of(node)) <= count

        await _until(are_few)

    async def until_swept(self) -> int:
        """Wait until the server has ended the links of nodes that it refuses; how many are left."""
        nodes = [node for node in self._ends if self.of(node)]
        refused = [node for node in nodes if await self._state_of(node) is None]
        ends = [end for node in refused for end in self.of(node)]
        if ends:
            await asyncio.wait([end.ended for end in ends], timeout=PATIENCE_S)
        return sum(end.is_open for end in ends)

    async def hang_up(self) -> None:
        """Wait for the end of all links; the server has ended."""
        ends = [end for ends in self._ends.values() for end in ends if end.is_open]
        for end in ends:
            end.hang_up("the server has ended")
        if ends:
            await asyncio.wait([end.ended for end in ends])

    async def _open(self, operation: OpenLink, request_id: str) -> Answer | None:
        """A link that is open, or about to be, is not opened twice."""
        node, link = operation.node, operation.link
        opening = self._openings.get(link)
        if opening is None or (opening.done() and self._end_of(link) is None):
            is_refused = self.is_alone and await self._state_of(node) is None  # before it asks
            self._upgrades[link] = asyncio.create_task(self._upgrade(operation, request_id))
            seen = self._see_accepted(node, link, is_refused=is_refused)
            opening = asyncio.create_task(seen)
            self._openings[link] = opening
        return await opening

    async def _upgrade(self, operation: OpenLink, request_id: str) -> LinkEnd:
        node, shown = operation.node, self._names.certificate_of(operation) or self._stranger
        if shown not in self._tls:
            self._tls[shown] = link_tls(shown)
        target = Target(self._host, self._port, self._names.token(node), self._tls[shown])
        told = getattr(operation, "told", NO_FACTS)
        facts = MachineFacts(told.hostname, agent_version=told.agent_version)
        end = await open_link(target, request_id, facts)
        self._ends.setdefault(node, []).append(end)
        await self._on_upgrade(end)
        return end

    async def _see_accepted(self, node: str, link: str, *, is_refused: bool) -> Answer | None:
        """The node is INIT by this link; any other of it may carry packets until this one does."""
        try:
            end = await self._upgrades[link]
        except NotUpgraded as refused:
            code = MISTAKE if refused.code in _REFUSALS else refused.code
            return Answer(Facts(code), str(refused))

        async def is_decided() -> bool:
            if not end.is_open:
                return True
            state, others = await self._state_of(node), [e for e in self.of(node) if e is not end]
            carrying = state == INIT and all(other.greeted.done() for other in others)
            return carrying or (state in LINKED and not others)

        await _until(is_decided)
        if end.is_open:
            return Answer(Facts(OK))
        return _ended(end, is_alone=self.is_alone, is_refused=is_refused)

    async def _shake_hands(self, node: str, link: str, request_id: str) -> Answer | None:
        if link in self._upgrades:
            await asyncio.wait([self._upgrades[link]])
        end = self._end_of(link)
        if end is None or end.has_left:
            return _NO_LINK
        if end.greeted_by:
            await end.say_hello_again()
            code = "a second answer" if end.extra else MISTAKE
            return Answer(Facts(code), "the link has an address")
        await end.say_hello(request_id)
        if not end.greeted.done():
            return Answer(Facts("no answer"))
        if end.greeted.exception() is None:
            return Answer(Facts(OK, address=str(end.interface.ip)))
        if self.is_alone:
            await self._until_missed(node)
        return _ended(end, is_alone=self.is_alone)

    async def _close(self, node: str, link: str) -> Answer:
        if link in self._openings:
            await asyncio.wait([self._openings[link]])
        end = self._end_of(link)
        if end is not None:
            await end.leave()
            if self.is_alone:
                await self._until_missed(node)
        return Answer(Facts(OK))

    async def _until_missed(self, node: str) -> None:
        """Wait until the server knows that the node's link has ended, if it has no other."""

        async def is_missed() -> bool:
            return bool(self.of(node)) or await self._state_of(node) not in LINKED

        await _until(is_missed)

    def _end_of(self, link: str) -> LinkEnd | None:
        upgrade = self._upgrades.get(link)
        if upgrade is None or not upgrade.done() or upgrade.exception() is not None:
            return None
        end = upgrade.result()
        return end if end.is_open else None


def _ended(end: LinkEnd, *, is_alone: bool, is_refused: bool = False) -> Answer | None:
    """The answer to an operation whose link has ended.

    If it was alone, nothing else happened at the same time; if it is refused, the node had no right
    to anything before it asked.
    """
    sentence = str(end.ended.result()) if end.ended.done() else ""
    if end.close_code == CloseCode.TRY_AGAIN_LATER:
        return Answer(Facts(MISTAKE), sentence)
    if end.has_left or (end.close_code == CloseCode.POLICY and not is_alone):
        return None
    if end.close_reason == EXPIRED.reason and not is_refused:
        return None  # by the sweep, perhaps after the operation took effect
    code = MISTAKE if end.close_code == CloseCode.POLICY else str(end.close_code or CUT)
    return Answer(Facts(code), sentence)


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds, up to a long time limit."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while not await is_so():  # noqa: ASYNC110 - it is another process's state
                await asyncio.sleep(_LOOK_S)
