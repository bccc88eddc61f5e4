"""The follower's side: it follows the leader, and passes on what its callers and links want."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nc.clock import Clock
from nc.domain.decide import Command
from nc.domain.events import Event
from nc.pb.replica.v1 import replication_pb2 as pb
from nc.pki.errors import PkiError
from nc.replica.batch import Origin
from nc.replica.errors import (
    LeaderLost,
    NoLeader,
    NotCurrent,
    NotLeading,
    OutcomeOpen,
    Stopping,
    Unwritable,
    WriteRefused,
)
from nc.replica.leases import Granted
from nc.replica.peers import Peer, Peers
from nc.replica.role import Role
from nc.replica.touch import CHANGE_WAIT_S
from nc.replica.waiting import WaitingNodes
from nc.rpc.replication import changes
from nc.rpc.replication.line import Line, LineBroken, OpenLine

# A leader that says nothing for so long is called anew.
_SILENT_S: Final = 2.5

# One that takes no connection for so long is called anew; it takes a busy machine a while.
_CONNECT_S: Final = 5.0

# What a leader that cannot be reached is called again after.
_AGAIN_S: Final = 0.2

# A change that has to be made is asked for again after so long.
_INSIST_S: Final = 0.5

# Nodes that wait, in one message: some 100 KB.
_MOST_WAITING: Final = 500

# Refusals that are about the leader, not about the change. By these it was not made, and another
# leader can make it; by the second kind it may have been.
_NOT_TRIED: Final = (NotLeading.__name__, NotCurrent.__name__, Stopping.__name__)
_OPEN: Final = Unwritable.__name__


class Following:
    """See the module.

    Args:
        role: of this replica.
        peers: of this replica, which it keeps while it follows.
        own: where its own link port is.
        open_line: calls a leader.
        clock: for leases.
        waiting: the nodes that wait at this server, which the leader is told of.
    """

    def __init__(
        self,
        role: Role,
        peers: Peers,
        own: Callable[[], Peer],
        open_line: OpenLine,
        clock: Clock,
        waiting: WaitingNodes,
    ) -> None:
        self._role = role
        self._peers = peers
        self._own = own
        self._open_line = open_line
        self._now_ns = clock.monotonic_ns
        self._waiting = waiting
        self._line: Line | None = None
        self._line_is_there = asyncio.Event()
        self._wake = asyncio.Event()
        self._replaced = asyncio.Event()
        self._is_over = False
        self._asked_ns = 0  # of the last beat, until it is answered
        role.replica.observe(lambda _: self._wake.set())

    async def run(self) -> None:
        """Follow whoever leads, for ever."""
        role = self._role
        while True:
            leader = role.leader
            if role.replica.leads or role.stands or not leader.address or self._is_over:
                await asyncio.sleep(_AGAIN_S)
                continue
            try:
                line = self._open_line(leader.address)
                try:
                    await self._follow(line, leader.epoch, role.replica.session)
                finally:
                    self._leave(line)
                    await line.close()
            except (LineBroken, PkiError):  # no certificate can be made while the clock is wrong
                await asyncio.sleep(_AGAIN_S)

    def _leave(self, line: Line) -> None:
        """Pass nothing more on by this line, unless something is heard on it again."""
        if self._line is line:
            self._line = None
            self._line_is_there.clear()

    async def stop(self) -> None:
        """Tell the leader that this replica answers nothing any more."""
        self._is_over = True
        self._role.stop()
        if self._line is not None:
            with suppress(LineBroken):
                await self._line.send(self._message(leaves=True))

    def ahead(self) -> None:
        """The leader has been replaced, or this replica stands: leave the present one at once.

        It may be one that says nothing any more, or that has not even taken the connection.
        """
        self._replaced.set()

    async def forward(self, request: pb.ForwardRequest, timeout_s: float) -> pb.ForwardResponse:
        """Have something carried out by the leader, once there is one.

        Raises:
            NoLeader: there is none in time; nothing was done.
            NotLeading: this replica leads now.
            OutcomeOpen: whether it was done is not known.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while not self._is_over:
            line = await self._wait_for_line(until)
            try:
                response = await line.forward(request, max(0.1, until - loop.time()))
            except LineBroken as error:
                self._leave(line)
                raise LeaderLost from error
            if response.refusal.kind not in _NOT_TRIED:
                return response
            if loop.time() >= until:
                break
            await asyncio.sleep(_AGAIN_S)
        raise NoLeader

    async def change(self, command: Command, origin: Origin, *, insist: bool) -> list[Event]:
        """Have a change made, and wait until it is part of the state here.

        Args:
            command: one of `FORWARDED`.
            origin: who wants it.
            insist: try again until it is known to be made; it changes nothing the second time.

        Raises:
            DomainError, …: as `Replica.submit`, and as `forward`.
        """
        session = self._role.replica.session
        request = pb.ForwardRequest(session=session, change=changes.change_of(command, origin))
        while True:
            try:
                response = await self.forward(request, CHANGE_WAIT_S)
                if response.refusal.kind == _OPEN:
                    raise LeaderLost  # as if it had not answered
                if response.refusal.kind:
                    raise changes.error_of(response.refusal)
            except (WriteRefused, OutcomeOpen):
                if self._is_over and insist:
                    raise Stopping from None
                if not insist:
                    raise
                await asyncio.sleep(_INSIST_S)
            else:
                await self._applied(response.seq)
                return []

    async def _applied(self, seq: int) -> None:
        """Wait until the state has an event.

        Raises:
            OutcomeOpen: it has not in time.
        """
        try:
            async with asyncio.timeout(CHANGE_WAIT_S):
                while self._role.replica.state.seq < seq:
                    await self._role.events.wait()
        except TimeoutError:
            raise LeaderLost from None

    async def _wait_for_line(self, until: float) -> Line:
        loop = asyncio.get_running_loop()
        until = min(until, loop.time() + self._role.touch.left_s(CHANGE_WAIT_S))
        while self._line is None:
            if self._role.replica.leads:
                raise NotLeading
            if loop.time() >= until or self._is_over:
                raise NoLeader
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_AGAIN_S, max(0.0, until - loop.time()))):
                    await self._line_is_there.wait()
        return self._line

    async def _follow(self, line: Line, epoch: int, session: str) -> None:
        """Follow one leader until the line breaks, or what it was begun for is over.

        Raises:
            LineBroken: it is gone.
        """
        self._replaced.clear()
        talking = asyncio.create_task(self._talk(line, epoch, session), name="follower_line")
        replaced = asyncio.create_task(self._replaced.wait(), name="follower_replaced")
        try:
            await asyncio.wait([talking, replaced], return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                talking.result()
        finally:
            talking.cancel()
            replaced.cancel()
            await asyncio.wait([talking, replaced])

    async def _talk(self, line: Line, epoch: int, session: str) -> None:
        """Say what this replica has, and hear what the leader grants; as `_follow`."""
        self._asked_ns = 0
        self._waiting.begin_news()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await line.send(self._message(is_first=True))
        except TimeoutError:
            raise LineBroken("it takes no connection") from None
        sending = asyncio.create_task(self._send(line, epoch, session), name="follower_messages")
        try:
            while not sending.done():
                try:
                    async with asyncio.timeout(_SILENT_S):
                        message = await line.receive()
                except TimeoutError:
                    raise LineBroken("it says nothing") from None
                if message.epoch:
                    self._hear(line, message)
            await sending
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    def _hear(self, line: Line, message: pb.FromLeader) -> None:
        role = self._role
        role.granted(
            Granted(message.epoch, message.granted_ns, message.acknowledged_seq, message.waits_for)
        )
        if self._line is None:
            self._line = line
            self._line_is_there.set()
        if message.is_beat:
            self._asked_ns = message.sent_ns
            self._wake.set()
            own = role.replica.session
            found = {each.session: changes.peer_of(each) for each in message.peers}
            self._peers.set({session: peer for session, peer in found.items() if session != own})

    async def _send(self, line: Line, epoch: int, session: str) -> None:
        """Answer beats, and say what is applied, while this leader leads."""
        role = self._role
        applied_seq = role.replica.state.seq
        while self._is_following(epoch, session):
            await self._wake.wait()
            self._wake.clear()
            is_news = self._asked_ns != 0 or applied_seq != role.replica.state.seq
            is_news |= self._waiting.has_news
            if is_news and self._is_following(epoch, session):
                applied_seq = role.replica.state.seq
                message = self._message()
                self._asked_ns = 0
                await line.send(message)
                if self._waiting.has_news:
                    self._wake.set()

    def _is_following(self, epoch: int, session: str) -> bool:
        """Not if another one leads, this replica stands or stops, or has another session."""
        role = self._role
        is_same = role.leader.epoch == epoch and role.replica.session == session
        return is_same and not role.stands and not self._is_over

    def _message(self, *, is_first: bool = False, leaves: bool = False) -> pb.FromFollower:
        replica = self._role.replica
        message = pb.FromFollower(
            session=replica.session,
            sent_ns=self._now_ns(),
            applied_seq=replica.state.seq,
            asked_ns=self._asked_ns,
            leaves=leaves,
            waiting=[changes.waiting_message(*each) for each in self._waiting.news(_MOST_WAITING)],
        )
        if is_first:
            message.peer.CopyFrom(changes.peer_message(self._own()))
        return message
