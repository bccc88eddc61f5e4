"""The leader's side: it counts its followers, and carries out what they want.

follower          leader
│──first message──▶│
│◀──beat───────────│  every BEAT_S
│──answer─────────▶│  when it was sent, what is applied
│◀──granted────────│  by the answer's own time
│──applied────────▶│  as soon as the state has more events
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.contract import OK
from nc.domain.decide import Command
from nc.domain.errors import DomainError, SessionEnded
from nc.domain.events import Event
from nc.domain.links import HandOverAddress
from nc.domain.replicas import StartReplica, StopReplica
from nc.pb.replica.v1 import replication_pb2 as pb
from nc.replica.batch import Origin
from nc.replica.errors import (
    LeaderFailed,
    LeaderTooOld,
    NotLeading,
    OutcomeOpen,
    Overloaded,
    Stopping,
    Unwritable,
    WriteRefused,
)
from nc.replica.hand_over import quiet_is_over
from nc.replica.peers import Peer, Peers
from nc.replica.role import Role
from nc.replica.waiting import WaitingNodes
from nc.rpc.answers import Status, answer_to, status_to
from nc.rpc.api import Call
from nc.rpc.callers import Caller, CallerKind, Callers
from nc.rpc.methods import Messages, Method, Methods
from nc.rpc.permissions import require
from nc.rpc.replication.changes import (
    command_of,
    peer_message,
    peer_of,
    refusal_of,
    target_message,
    waiting_of,
)

BEAT_S: Final = 0.5

# Makes a change, in as many records as it needs, by what makes one.
Make = Callable[[Command, Callable[[Command], Awaitable[list[Event]]]], Awaitable[None]]


class ReplicationService:
    """See the module.

    Args:
        role: of this replica.
        peers: of this replica, which it keeps while it leads.
        own: where its own link port is.
        methods: what can be called, by path.
        callers: knows the administrator's certificate of the folder.
        make: makes changes.
        clock: for permissions.
        log: gets errors that are bugs.
        waiting: gets the nodes that wait at followers.
    """

    def __init__(
        self,
        role: Role,
        peers: Peers,
        own: Callable[[], Peer],
        methods: Callable[[], Methods],
        callers: Callers,
        make: Make,
        clock: Clock,
        log: FilteringBoundLogger,
        waiting: WaitingNodes,
    ) -> None:
        self._role = role
        self._peers = peers
        self._own = own
        self._methods = methods
        self._callers = callers
        self._make = make
        self._clock = clock
        self._log = log
        self._waiting = waiting
        self._known: dict[str, Peer] = {}  # all that have followed since this one leads
        self._begun: set[str] = set()  # those of them whose session has
        self._wakes: dict[asyncio.Event, None] = {}

    async def follow(self, messages: Messages, _call: Call) -> None:
        """Have a follower, until it goes away or another replica leads.

        Raises:
            NotLeading: this replica does not lead.
        """
        first = await self._read(messages)
        if first is None:
            return
        if self._role.leases is None:
            raise NotLeading
        session = first.session
        peer = self._known[session] = peer_of(first.peer)
        wake = asyncio.Event()
        self._wakes[wake] = None
        self._hear(session, first)
        beating = asyncio.create_task(self._beat(messages, session, wake), name="beats")
        try:
            while (message := await self._read(messages)) is not None:
                if message.leaves:
                    self._role.left(session)
                    return
                self._hear(session, message)
                if message.asked_ns:
                    wake.set()
                if beating.done():
                    break
        finally:
            if self._role.leases is not None:
                self._role.leases.broke(session)
            del self._wakes[wake]
            has_begun = session in self._role.replica.state.sessions
            if not has_begun and self._known.get(session) is peer:
                del self._known[session]  # it may never begin, or calls again
            beating.cancel()
            await asyncio.wait([beating])
        if not beating.cancelled():
            beating.result()

    def look(self) -> None:
        """Keep the list of peers; often, on the event loop."""
        role = self._role
        if role.leases is None:
            self._known.clear()
            self._begun.clear()
            for wake in self._wakes:  # they end
                wake.set()
            return
        if role.leases.successor:
            for wake in self._wakes:  # one of them says so
                wake.set()
        self._peers.set(self._live())

    def see(self, events: Iterable[Event]) -> None:
        """Events have become part of the state: who has stopped answers nothing any more."""
        for event in events:
            if event.HasField("replica_stopped"):
                self._role.left(event.replica_stopped.session)

    def _live(self) -> dict[str, Peer]:
        """Those whose session goes on; one that has just called has not begun it yet."""
        sessions = self._role.replica.state.sessions
        live = {session: peer for session, peer in self._known.items() if session in sessions}
        ended = self._begun.difference(live)
        self._known = {key: peer for key, peer in self._known.items() if key not in ended}
        self._begun = set(live)
        return live

    async def forward(self, request: pb.ForwardRequest, call: Call) -> pb.ForwardResponse:
        """Carry out what a caller or a link of a follower wants."""
        response = pb.ForwardResponse()
        try:
            # At once: until one that follows is current may take long.
            self._require_leading(request)
            await self._role.current()
            self._require_leading(request)
            if request.HasField("call"):
                await self._call(request.call, call, response)
            else:
                await self._change(request)
                response.refusal.SetInParent()
        except Exception as error:  # noqa: BLE001 - every error has an answer
            is_bug = self._report(error, call)
            response.refusal.CopyFrom(refusal_of(LeaderFailed() if is_bug else error))
        response.seq = self._role.replica.state.seq
        return response

    def _require_leading(self, request: pb.ForwardRequest) -> None:
        replica, is_stop = self._role.replica, request.change.HasField("stop_replica")
        if not (replica.decides or (is_stop and replica.leads)):
            raise NotLeading

    async def _read(self, messages: Messages) -> pb.FromFollower | None:
        data = await messages.read()
        return None if data is None else pb.FromFollower.FromString(data)

    def _hear(self, session: str, message: pb.FromFollower) -> None:
        self._role.heard(session, message.sent_ns, message.applied_seq, message.asked_ns)
        for node in message.waiting:
            self._waiting.note(node.node_id, waiting_of(node))

    async def _beat(self, messages: Messages, session: str, wake: asyncio.Event) -> None:
        """Send beats, and what is granted in between, for as long as this replica leads."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time()
        while self._role.leases is not None:
            is_beat = loop.time() >= beat_at
            if is_beat:
                beat_at = loop.time() + BEAT_S
            await messages.write(self._message(session, is_beat=is_beat).SerializeToString())
            wake.clear()
            try:
                async with asyncio.timeout(max(0.0, beat_at - loop.time())):
                    await wake.wait()
            except TimeoutError:
                continue

    def _message(self, session: str, *, is_beat: bool) -> pb.FromLeader:
        granted = self._role.grant(session)
        message = pb.FromLeader(
            epoch=granted.epoch,
            sent_ns=self._clock.monotonic_ns(),
            granted_ns=granted.granted_ns,
            acknowledged_seq=granted.acknowledged_seq,
            is_beat=is_beat,
            waits_for=granted.waits_for,
            hands_over=sorted(granted.hands_over),
        )
        if is_beat:
            peers = self._live() | {self._role.replica.session: self._own()}
            message.peers.extend(peer_message(peer, session) for session, peer in peers.items())
        return message

    async def _call(self, wish: pb.Call, call: Call, response: pb.ForwardResponse) -> None:
        method = self._methods().get(wish.path.encode())
        if not isinstance(method, Method) or method.reads:
            raise LeaderTooOld
        kind = CallerKind(wish.caller_kind)
        caller = Caller(kind, wish.actor, wish.node_id, wish.not_after_ms, wish.serial)
        its = Call(caller, method.name, wish.request_id, call.started_ns, peer=wish.peer)
        try:
            state, now = self._role.replica.state, now_ms(self._clock)
            installed = self._callers.installed
            require(method.permission, caller, state, now, reads=False, installed=installed)
            operation = method.operation
            answer = await operation(method.parse(wish.request), its)  # type: ignore[misc]
        except NotLeading:
            raise
        except Exception as error:  # noqa: BLE001 - every error has an answer
            self._refuse(method, error, its, response)
        else:
            response.answer.response = answer.SerializeToString()
            response.answer.code = OK
        if its.target is not None:
            response.target.CopyFrom(target_message(its.target))

    def _refuse(
        self, method: Method, error: Exception, call: Call, response: pb.ForwardResponse
    ) -> None:
        self._report(error, call)
        request_id = call.request_id
        is_status = method.refuse is None
        said = status_to(error, request_id) if is_status else answer_to(error, request_id)
        if isinstance(said, Status):
            response.status.code, response.status.message = said.code.value[0], said.message
        elif method.refuse is not None:
            refused = method.refuse(said.code, said.message)
            response.answer.response = refused.SerializeToString()
            response.answer.code, response.answer.message = said.code, said.message
        wrong = method.wrong_token
        response.is_wrong_token = wrong is not None and isinstance(error, wrong)

    async def _change(self, request: pb.ForwardRequest) -> None:
        command, said = command_of(request.change), request.change
        if isinstance(command, StopReplica):
            await quiet_is_over(self._role, self._clock)  # its nodes need links elsewhere then
        sessions = self._role.replica.state.sessions
        if request.session not in sessions and not isinstance(command, StartReplica):
            raise SessionEnded
        if isinstance(command, HandOverAddress):
            command = self._with_waiting(command)
        origin = Origin(said.actor, said.method, said.request_id)
        await self._make(command, partial(self._role.replica.carry_out, origin=origin))

    def _with_waiting(self, command: HandOverAddress) -> HandOverAddress:
        """The command with what is known of the nodes that wait at any server."""
        waiting = self._waiting
        wanted = command.wanted or waiting.address_of(command.node_id)
        return replace(command, wanted=wanted, avoided=command.avoided | waiting.addresses)

    def _report(self, error: Exception, call: Call) -> bool:
        """Log an error if it is a bug; whether it is."""
        foreseen = (DomainError, WriteRefused, OutcomeOpen, Overloaded, Stopping, Unwritable)
        is_bug = not isinstance(error, foreseen) and status_to(error, "").is_unforeseen
        if is_bug:
            request_id = call.request_id
            self._log.error(log_events.RPC_CRASHED, request_id=request_id, exc_info=error)
        return is_bug
