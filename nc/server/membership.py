"""A server as one of several on one log: it leads or follows, and its session is the log's.

Started after the replica and before anything is answered; stopped while the ports are open, so that
the others know of it at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from nc import log_events
from nc.domain.administrators import AddAdministrator
from nc.domain.decide import Command
from nc.domain.errors import DomainError, IdTaken
from nc.domain.events import Event, pb
from nc.domain.names import is_administrator_name
from nc.domain.replicas import StartReplica, StopReplica
from nc.pki.certificates import ADMIN_COMMON_NAME
from nc.replica.batch import Origin
from nc.replica.errors import NotCurrent, Stopping, Unwritable
from nc.replica.hand_over import hand_over
from nc.replica.peers import Peer, Peers
from nc.replica.role import Role
from nc.replica.shared import SharedReplica
from nc.replica.waiting import WaitingNodes
from nc.rpc.api import Endpoints
from nc.rpc.edge import Edge
from nc.rpc.methods import Methods
from nc.rpc.replication.changes import FORWARDED
from nc.rpc.replication.edge import SharedEdge
from nc.rpc.replication.following import Following
from nc.rpc.replication.methods import replica_methods
from nc.rpc.replication.service import BEAT_S, ReplicationService
from nc.secrets import RequestIds, new_session
from nc.server import tasks
from nc.server.losses import Losses
from nc.server.own_addresses import OwnAddresses
from nc.server.own_changes import NOT_NOW, OwnChanges
from nc.server.own_session import start_command
from nc.server.parts import Cluster, Parts
from nc.server.standing import OwnSessions
from nc.text import host_port

# How often it is looked at who leads, and what may be answered.
_LOOK_S: Final = 0.1

_AGAIN_S: Final = 0.5

# A stop that no leader takes in this time is found out by the others. Of one that leads, half of it
# may go by until another one is elected.
_LEAVE_S: Final = 6.0

# What a change of the server's own may fail with for now.
_PASSING: Final = (DomainError, *NOT_NOW, Stopping)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What of the server a membership works with."""

    replica: SharedReplica
    request_ids: RequestIds
    own_changes: OwnChanges
    methods: Callable[[], Methods]
    endpoints: Callable[[], Endpoints]
    waiting: WaitingNodes


class Membership:
    """See the module.

    Attributes:
        role: of the replica.
        peers: the other live replicas.
        methods: what other replicas call, by path.
        send_away: called with whether this server is out of touch for long: nodes may have to go.
    """

    def __init__(self, parts: Parts, cluster: Cluster, wiring: Wiring) -> None:
        self._parts, self._wiring = parts, wiring
        replica = self._replica = wiring.replica
        self.role = Role(replica, parts.name, parts.clock, cluster.records, parts.log.barrier)
        self.role.changed = self._leader_changed
        self.peers = Peers()
        line = cluster.open_line
        self._following = Following(
            self.role, self.peers, self._own, line, parts.clock, wiring.waiting
        )
        replica.forward, replica.forwarded = self._forward, FORWARDED
        self._service = ReplicationService(
            self.role,
            self.peers,
            self._own,
            wiring.methods,
            parts.callers,
            wiring.own_changes.make,
            *(parts.clock, parts.logger, wiring.waiting),
        )
        self.methods = replica_methods(self._service)
        submit = wiring.own_changes.submit
        self._losses = Losses(self.role, partial(submit, method="losses"), parts.logger)
        self._addresses = OwnAddresses(replica, partial(submit, method="addresses"), parts.logger)
        self._sessions = OwnSessions(parts.name)
        self._is_stopping = False
        self._is_serving: bool | None = None
        self._may_serve = True
        self.send_away: Callable[[bool], None] = lambda _: None
        self._standing: asyncio.Task[object] | None = None
        replica.observe(self._see)

    def serve_edge(self, edge: Edge) -> None:
        if isinstance(edge, SharedEdge):
            edge.role, edge.following = self.role, self._following

    def set_serving(self, *, serving: bool) -> None:
        """Set what health checks answer, while this replica may answer at all."""
        self._may_serve = serving
        self._update_health()

    @property
    def leads(self) -> bool:
        return self._replica.leads

    async def enter(
        self, started: contextlib.AsyncExitStack, version: str
    ) -> "Mapping[str, asyncio.Task[None]]":
        """Begin; `started` leaves again, while the ports are open.

        Returns:
            The tasks that must not end before.

        Raises:
            KeyOfAnotherLog, AuthorityOfAnotherLog: the log is another cluster's.
            ReplicaIsRemoved: an administrator has removed this replica.
        """
        start = start_command(self._parts, self._replica, version)
        running = await started.enter_async_context(self._running())
        await self._begin_once(start, running)
        started.push_async_callback(self._leave)
        return running

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[Mapping[str, asyncio.Task[None]]]:
        """Run the background tasks that begin and end by themselves."""
        log, replica = self._parts.log, self._replica
        self.role.begin()
        work = {
            "follow_log": tasks.follow_log(log, replica),
            "role": self._look(),
            "following": self._following.run(),
            "losses": self._watch_losses(),
            "watch_failure": self._watch_failure(),
        }
        running = {name: asyncio.create_task(run, name=name) for name, run in work.items()}
        try:
            yield running
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.wait(running.values())

    async def _begin_once(
        self, start: StartReplica, running: "Mapping[str, asyncio.Task[None]]"
    ) -> None:
        """Record the start; waits until there is a leader, which may be this replica."""
        begun = asyncio.create_task(self._begin(start), name="begin")
        try:
            await asyncio.wait([begun, *running.values()], return_when=asyncio.FIRST_COMPLETED)
            for task in running.values():
                if task.done():
                    task.result()
            await begun
        finally:
            begun.cancel()
        self._start = start
        self._sessions.began(start.session)

    async def _leave(self) -> None:
        """Answer nothing any more, then record the stop: the leader waits for it until then.

        A leader has another one elected first, which takes its nodes' links at once.
        """
        self._is_stopping = True
        until = asyncio.get_running_loop().time() + _LEAVE_S
        await hand_over(self.role, self._parts.clock)
        self.role.stop()
        self._update_health()
        stop = StopReplica(self._parts.name, self._replica.session)
        with contextlib.suppress(TimeoutError, Unwritable, *_PASSING):
            async with asyncio.timeout_at(until):
                await self._wiring.own_changes.submit(stop, "stop")
        await self._following.stop()

    async def record_installed(self, method: str) -> None:
        """Record the administrator's certificate of the folder beside those of other replicas."""
        installed = self._parts.installed()
        if installed is None:
            return
        known = self._replica.state.administrators.by_serial
        if installed.certificate.serial not in known:
            role = pb.ADMINISTRATOR_ROLE_ADMIN
            # it was not issued here, and may have any name
            name = installed.name if is_administrator_name(installed.name) else ADMIN_COMMON_NAME
            command = AddAdministrator(name, role, installed.certificate)
            with contextlib.suppress(IdTaken):  # a try whose outcome was open has recorded it
                await self._wiring.own_changes.submit(command, method)

    def _own(self) -> Peer:
        endpoints = self._wiring.endpoints()
        return Peer(endpoints.advertised, endpoints.link_port, endpoints.bootstrap_port)

    async def _begin(self, start: StartReplica) -> None:
        while True:
            try:
                await self._wiring.own_changes.submit(start, "start")
                await self.record_installed("start")
            except NOT_NOW:
                await asyncio.sleep(_AGAIN_S)
            else:
                break
        with contextlib.suppress(NotCurrent):  # it is ready all the same, and says NOT_SERVING
            await self.role.current()

    async def _forward(self, command: Command, origin: Origin, insist: bool) -> list[Event]:
        return await self._following.change(command, origin, insist=insist)

    def _leader_changed(self) -> None:
        leader = self.role.leader
        self._following.ahead()
        self._losses.may_have_unowned = True
        self._parts.logger.info(
            log_events.LEADER_ELECTED,
            epoch=leader.epoch,
            address=leader.address,
            is_own=self._replica.leads,
        )

    def _see(self, events: Sequence[Event]) -> None:
        self._losses.see(events)
        self._service.see(events)
        for event in events:
            if (end := self._sessions.see(event)) is not None:
                self._replica.look(end)

    async def _look(self) -> None:
        """Keep the role up to date, for ever."""
        while True:
            self.role.look()
            self._service.look()
            self._update_health()
            self.send_away(self.role.touch.is_lost)
            if self.role.due_to_stand() and (self._standing is None or self._standing.done()):
                self._standing = asyncio.create_task(self._stand(), name="stand")
            await asyncio.sleep(_LOOK_S)

    async def _stand(self) -> None:
        self._following.ahead()
        endpoints = self._wiring.endpoints()
        address = host_port(endpoints.advertised, endpoints.control_port)
        with contextlib.suppress(Unwritable, Stopping):
            await self.role.stand(address, self._wiring.request_ids.new())

    async def _watch_losses(self) -> None:
        """Find lost replicas while this one leads, and end what they held; begin anew if lost."""
        while True:
            await asyncio.sleep(BEAT_S)
            with contextlib.suppress(*_PASSING, Unwritable):
                await self._losses.look()
                await self._begin_anew_if_lost()
                await self._addresses.look()

    async def _begin_anew_if_lost(self) -> None:
        """A replica that was lost goes on in another session; its links have been dropped.

        One whose start is not known to be made is asked for again.
        """
        replica, own = self._replica, self._sessions
        if not own or self._is_stopping or replica.session in replica.state.sessions:
            return
        if own.has_begun(replica.session):
            self.role.begin_session(new_session(self._parts.secrets))
            own.ask(replica.session)
            self._start = replace(self._start, session=replica.session)
            self._following.ahead()
        await self._wiring.own_changes.submit(self._start, "start")

    async def _watch_failure(self) -> None:
        """End a replica that cannot follow the log any more: the others go on without it."""
        await self._replica.failed.wait()
        if self._replica.failure is not None:
            raise self._replica.failure

    def _update_health(self) -> None:
        serving = self._may_serve and self.role.may_answer()
        if serving is not self._is_serving:
            self._is_serving = serving
            self._parts.rpc_ports.set_serving(serving=serving)
